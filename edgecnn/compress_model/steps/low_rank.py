"""The low_rank step: large layers as two small ones, of ranks that data and the target's clock choose."""

import msgspec
import torch
from torch import nn

from edgecnn.compress.low_rank import Factored, factorize
from edgecnn.compress_model.context import Context, Outcome, fitting
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.compress_model.progress import remembered
from edgecnn.compress_model.steps import finetune
from edgecnn.core.compression import LowRankStep
from edgecnn.core.layer_times import LayerTimes


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
    new, rows = _factorized(settings, module, context, table)
    split = [row for row in rows if row.kind != "kept"]
    notes: tuple[str, ...] = ()
    untimed = [row.name for row in rows if row.unit == "multiply-adds"]
    if untimed:
        why = "the time for timing layers was up" if table.exhausted else "the engine could not time them by themselves"
        notes = (f"{len(untimed)} layers, {untimed[0]} first, were judged by multiply-adds instead of time: {why}",)
    if not split:
        notes = (*notes, "no layer was split: none is both large enough and faster as two")
    refused = {row.name: row.note for row in rows if row.kind == "kept"}
    return new, _Split(len(split), (*notes, *map(_told, split)), refused)


def _factorized(
    settings: LowRankStep, module: nn.Module, context: Context, times: LayerTimes
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
            times=times,
            keep=fitting(settings.keep, layers, "low_rank.keep"),
        )


def _told(row: Factored) -> str:
    return (
        f"{row.name}: {row.kind} of rank {row.rank}, {100 * row.energy:.1f} % of the energy, "
        f"{row.parameters_before:,} parameters to {row.parameters_after:,}, {row.cost:.2f} of the {row.unit}"
    )
