"""A network's predicted time at any widths: its layers' measured times, and a few cut networks timed as a whole."""

import numpy as np
import torch
from torch import nn

from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import Groups
from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress.prune.predict import LatencyPrediction, Trial, prediction
from edgecnn.compress.prune.widths import BLOCK, candidates
from edgecnn.compress_model.context import Context, unchanged
from edgecnn.compress_model.layer_source import elsewhere
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.runtime.race import times

TRIALS = 6
TRIAL_SECONDS = 0.5
GOOD_ERROR = 0.08
"""Mean relative error of a prediction that is good enough."""


def predictor(
    module: nn.Module, groups: Groups, context: Context, target: str, floor: float, seed: int = 0
) -> LatencyPrediction:
    """Return what `module` takes in `target` at any widths of `groups`, fitted to networks of random widths.

    Where those show that times of layers don't tell the network's, whole blocks of channels are tried instead of finer
    widths, and taken if they do: the engine then has a layout that odd widths break.

    Raises:
        EngineError: the engine refuses the module.
    """
    clock = context.clock
    shapes = layer_shapes(module, context.subject.example)
    whole = clock.time(module, target).latency
    stopwatch = clock.stopwatch(target)
    table, call_ms = LayerTable(stopwatch), stopwatch.call_ms()
    found: list[LatencyPrediction] = []
    for align in (None, BLOCK):
        bare = prediction(shapes, groups.groups, table, whole, call_ms=call_ms, floor=floor, align=align)
        trials = _trials(module, context, target, bare, floor, np.random.default_rng(seed))
        found.append(bare.fitted(trials))
        if (found[-1].error or 0.0) <= GOOD_ERROR:
            break
    return min(found, key=lambda one: one.error or 0.0)


def predicted_elsewhere(
    module: nn.Module, groups: Groups, context: Context, source: str, floor: float
) -> tuple[LatencyPrediction, float]:
    """Return what `module` takes by the layer times of a device that is not here, and what the original does, in ms.

    No network can be timed there, so the layers' sum stands for it. `source` as in `elsewhere`.

    Raises:
        InputError: there is no such source, or it knows none of the layers.
    """
    times, example, original = elsewhere(source), context.subject.example, context.subject.original
    found = prediction(layer_shapes(module, example), groups.groups, times, floor=floor)
    if unchanged(module, original):
        return found, found.milliseconds({})
    return found, prediction(layer_shapes(original, example), (), times, floor=floor).milliseconds({})


def _trials(
    module: nn.Module,
    context: Context,
    target: str,
    bare: LatencyPrediction,
    floor: float,
    rng: np.random.Generator,
) -> list[Trial]:
    """Time networks at random widths in turn with the whole one, whose time sets the scale."""
    chosen = [_random_widths(bare, floor, rng, share) for share in np.linspace(0.15, 0.85, TRIALS)]
    cuts = [
        cut(module, context.subject.example, {name: torch.arange(width) for name, width in widths.items()})
        for widths in chosen
    ]
    models = context.clock.models([module, *cuts], target)
    with context.clock.stopwatch(target).opened(models) as engines:
        taken = times(engines, TRIAL_SECONDS * len(models))
    shares = np.median(taken[:, 1:] / taken[:, :1], axis=0)
    return [Trial(widths, bare.whole.value * float(share)) for widths, share in zip(chosen, shares, strict=True)]


def _random_widths(bare: LatencyPrediction, floor: float, rng: np.random.Generator, share: float) -> dict[str, int]:
    """Return widths around `share` of all channels, each group its own."""
    widths = {}
    for group in bare.groups:
        options = candidates(group, floor, bare.align)
        wanted = group.channels * float(np.clip(share + rng.uniform(-0.25, 0.25), 0, 1))
        widths[group.name] = min(options, key=lambda width, w=wanted: abs(width - w))  # type: ignore[misc]
    return widths
