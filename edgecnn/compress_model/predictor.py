"""A network's predicted time at any widths: its layers' measured times, and a few cut networks timed as a whole."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import Group, Groups
from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress.prune.predict import LatencyPrediction, Trial, prediction
from edgecnn.compress.prune.widths import candidates
from edgecnn.compress_model.context import Context
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.core.layers import LayerShape
from edgecnn.core.registry import TARGETS
from edgecnn.export.layer_probe import layer_probe
from edgecnn.runtime.race import times

TRIALS = 6
TRIAL_SECONDS = 0.5


def predictor(
    module: nn.Module, groups: Groups, context: Context, target: str, floor: float, seed: int = 0
) -> LatencyPrediction:
    """Return what `module` takes in `target` at any widths of `groups`, fitted to networks of random widths.

    Raises:
        EngineError: the engine refuses the module.
    """
    clock, example = context.clock, context.subject.example
    shapes = layer_shapes(module, example)
    whole = clock.time(module, target).latency
    stopwatch = clock.stopwatch(target)
    nothing = layer_probe(LayerShape(op="linear", in_channels=1, out_channels=1), 0, TARGETS[target].opset)
    call_ms = stopwatch.milliseconds([nothing], TRIAL_SECONDS)[0].value
    bare = prediction(shapes, groups.groups, LayerTable(stopwatch), whole, call_ms=call_ms, floor=floor)
    return bare.fitted(_trials(module, groups, context, target, floor, whole.value, np.random.default_rng(seed)))


def _trials(
    module: nn.Module,
    groups: Groups,
    context: Context,
    target: str,
    floor: float,
    whole_ms: float,
    rng: np.random.Generator,
) -> list[Trial]:
    """Time networks at random widths in turn with the whole one, whose time in `whole_ms` sets the scale."""
    chosen = [_random_widths(groups.groups, floor, rng, share) for share in np.linspace(0.15, 0.85, TRIALS)]
    cuts = [
        cut(module, context.subject.example, {name: torch.arange(width) for name, width in widths.items()})
        for widths in chosen
    ]
    models = context.clock.models([module, *cuts], target)
    with context.clock.stopwatch(target).opened(models) as engines:
        taken = np.median(times(engines, TRIAL_SECONDS * len(models)), axis=0)
    return [Trial(widths, whole_ms * float(one / taken[0])) for widths, one in zip(chosen, taken[1:], strict=True)]


def _random_widths(groups: Sequence[Group], floor: float, rng: np.random.Generator, share: float) -> dict[str, int]:
    """Return widths around `share` of all channels, each group its own."""
    widths = {}
    for group in groups:
        options = candidates(group, floor)
        wanted = group.channels * float(np.clip(share + rng.uniform(-0.25, 0.25), 0, 1))
        widths[group.name] = min(options, key=lambda width, w=wanted: abs(width - w))  # type: ignore[misc]
    return widths
