"""The low_rank step: large layers as two small ones, of ranks that data and the target's clock choose."""

from collections.abc import Callable

import msgspec
import torch
from torch import nn

from edgecnn.compress.low_rank import Factored, factorize
from edgecnn.compress_model.context import Context, Outcome, fitting
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.compress_model.progress import remembered
from edgecnn.compress_model.steps import finetune
from edgecnn.core.compression import LowRankStep
from edgecnn.core.errors import EdgecnnError
from edgecnn.core.layers import LayerShape


class _UntimedError(EdgecnnError):
    """The engine refused a layer by itself, so that times can't be compared."""


class _Split(msgspec.Struct, frozen=True):
    """What became of the layers: how many were split, in words, and why others were not."""

    count: int
    notes: tuple[str, ...]
    refused: dict[str, str]


def run(settings: LowRankStep, module: nn.Module, context: Context) -> Outcome:
    """Return a copy of `module` with layers split in two where that pays."""
    original = context.subject.original
    new, split = remembered(context.folder / "split", original, _Split, lambda: _split(settings, module, context))
    if settings.recover is None or not split.count:
        return Outcome(new, refused=split.refused, notes=split.notes)
    back = finetune.recovered(new, settings.recover, context)
    notes = (*split.notes, *finetune.notes(back))
    return Outcome(back.module, refused=split.refused, curve=back.curve, notes=notes)


def _split(settings: LowRankStep, module: nn.Module, context: Context) -> tuple[nn.Module, _Split]:
    table = LayerTable(context.clock.stopwatch(settings.target or context.target))
    notes: tuple[str, ...] = ()
    try:
        new, rows = _factorized(settings, module, context, _timer(table))
    except _UntimedError as error:
        new, rows = _factorized(settings, module, context, None)
        notes = (f"{error}; ranks were chosen by multiply-adds instead of time",)
    split = [row for row in rows if row.kind != "kept"]
    if not split:
        notes = (*notes, "no layer was split: none is both large enough and faster as two")
    refused = {row.name: row.note for row in rows if row.kind == "kept"}
    return new, _Split(len(split), (*notes, *map(_told, split)), refused)


def _factorized(
    settings: LowRankStep, module: nn.Module, context: Context, time_of: Callable[[LayerShape], float] | None
) -> tuple[nn.Module, list[Factored]]:
    subject = context.subject
    layers = [name for name, layer in module.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        return factorize(
            module,
            subject.example,
            energy=None if settings.ranks else settings.energy,
            ranks=settings.ranks or None,
            inputs=subject.recovery.inputs(module, settings.batches),
            time_of=time_of,
            keep=fitting(settings.keep, layers, "low_rank.keep"),
        )


def _timer(table: LayerTable) -> Callable[[LayerShape], float]:
    def time_of(shape: LayerShape) -> float:
        table.prepare([shape])
        found = table.time_ms(shape)
        if found is None:
            raise _UntimedError(f"the engine could not time the layer {shape.text()}")
        return found

    return time_of


def _told(row: Factored) -> str:
    return (
        f"{row.name}: {row.kind} of rank {row.rank}, {100 * row.energy:.1f} % of the energy, "
        f"{row.parameters_before:,} parameters to {row.parameters_after:,}, {row.cost:.2f} of the time"
    )
