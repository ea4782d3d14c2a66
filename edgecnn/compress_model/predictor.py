"""A network's predicted time at any widths: its layers' measured times, and a few cut networks timed as a whole."""

from dataclasses import replace

import msgspec
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
from edgecnn.core import evidence
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TARGETS
from edgecnn.export.layer_probe import null_probe
from edgecnn.runtime.race import times

FIT = "prediction.json"
TRIALS = 6
TRIAL_SECONDS = 0.6
GOOD_ERROR = 0.08
"""Mean relative error of a prediction that is good enough."""


class _Fit(msgspec.Struct, frozen=True):
    """What a prediction knows beside the times of layers, which have a table of their own; as in the prediction."""

    whole: Measurement
    call_ms: float
    align: int | None
    factors: tuple[float, ...]
    moves_ms: float
    stays_ms: float
    error: float | None
    trials: int


def predictor(
    module: nn.Module, groups: Groups, context: Context, target: str, floor: float, seed: int = 0
) -> LatencyPrediction:
    """Return what `module` takes in `target` at any widths of `groups`, fitted to networks of random widths.

    Where those show that times of layers don't tell the network's, whole blocks of channels are tried instead of finer
    widths, and taken if they do: the engine then has a layout that odd widths break.

    The fit is kept in the context's folder: a run that was killed goes on by the same prediction.

    Raises:
        EngineError: the engine refuses the module.
    """
    clock, file = context.clock, context.folder / FIT
    shapes = layer_shapes(module, context.subject.example)
    stopwatch = clock.stopwatch(target)
    table = LayerTable(stopwatch)

    def bare_at(align: int | None, timed: tuple[Measurement, float] | None = None) -> LatencyPrediction:
        whole, call_ms = (None, 0.0) if timed is None else timed
        return prediction(shapes, groups.groups, table, whole, call_ms=call_ms, floor=floor, align=align)

    if file.is_file():
        fit = evidence.read(file, _Fit)
        told = {name: getattr(fit, name) for name in _Fit.__struct_fields__}
        return replace(bare_at(fit.align), **told)
    probes = [*clock.models([module], target), null_probe(TARGETS[target].opset)]
    found: list[LatencyPrediction] = []
    for align in (None, BLOCK):
        # All layers are timed first: from then on the table's pace stays, at which the whole network is timed.
        bare_at(align)
        whole, call = table.networks(probes, clock.seconds)
        bare = bare_at(align, (whole, call.value))
        trials = _trials(module, context, target, bare, floor, np.random.default_rng(seed))
        found.append(bare.fitted(trials))
        if (found[-1].error or 0.0) <= GOOD_ERROR:
            break
    best = min(found, key=lambda one: one.error or 0.0)
    evidence.write(file, _Fit(*(getattr(best, name) for name in _Fit.__struct_fields__)))
    return best


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
        taken = times(engines, TRIAL_SECONDS * len(models), alone=True)
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
