"""A network's layers timed on the device that this runs on, to prune for that device on another machine."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress.prune.timed_layers import timed_layers
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.compress_model.module_subject import fed_by
from edgecnn.compress_model.stopwatch import Stopwatch
from edgecnn.compress_model.trusted import module_of
from edgecnn.core.bundle import Precision
from edgecnn.core.layer_times import TimesFile
from edgecnn.core.recipe import Recipe
from edgecnn.models.build import build_model

FLOOR = 0.1
"""Least share of channels that times are taken for, as a prune step has it where it says nothing."""


def layers_of_module(
    name: str,
    shapes: dict[str, tuple[int, ...]],
    target: str,
    threads: int,
    precision: Precision = "fp32",
    *,
    trust_code: bool,
) -> TimesFile:
    """Return the times of the layers of `package.module:function` with inputs of `shapes`, see `measure_layers`.

    Raises:
        InputError: the code is not trusted, or is no module that runs on the shapes given.
    """
    module = module_of(name, trust_code=trust_code)
    return measure_layers(module, fed_by(module, shapes).example, Stopwatch(target, threads, precision))


def layers_of_recipe(recipe: Recipe, target: str, precision: Precision = "fp32") -> TimesFile:
    """Return the times of the layers of the network that `recipe` trains, see `measure_layers`."""
    frame = recipe.model.frame
    example = (torch.zeros(1, 3, frame.height, frame.width),)
    return measure_layers(build_model(recipe).eval(), example, Stopwatch(target, recipe.bench.threads, precision))


def measure_layers(
    module: nn.Module, example: tuple[Tensor, ...], stopwatch: Stopwatch, folder: Path | None = None
) -> TimesFile:
    """Return the times here of all layers of `module`, at all widths that pruning asks for.

    What the table in `folder` (default: the user's cache) holds already is not timed again.
    """
    table = LayerTable(stopwatch, folder, math.inf)
    layers = timed_layers(layer_shapes(module, example), find_groups(module, example).groups, table, FLOOR, None)
    return table.part(shape for layer in layers for shape in layer.surface.points)
