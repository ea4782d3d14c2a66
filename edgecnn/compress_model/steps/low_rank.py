"""The low_rank step: large layers as two small ones, of ranks that data and the target's clock choose."""

from collections.abc import Callable

import torch
from torch import nn

from edgecnn.compress.low_rank import Factored, factorize
from edgecnn.compress_model.context import Context, Outcome, fitting
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.compress_model.steps import finetune
from edgecnn.core.compression import LowRankStep
from edgecnn.core.errors import EdgecnnError
from edgecnn.core.layers import LayerShape


class _UntimedError(EdgecnnError):
    """The engine refused a layer by itself, so that times can't be compared."""


def run(settings: LowRankStep, module: nn.Module, context: Context) -> Outcome:
    """Return a copy of `module` with layers split in two where that pays."""
    target = settings.target or context.target
    table = LayerTable(context.clock.stopwatch(target))
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
    notes = (*notes, *(_told(row) for row in split))
    curve = ()
    if settings.recover is not None and split:
        back = finetune.recovered(new, settings.recover, context)
        new, curve, notes = back.module, back.curve, (*notes, *finetune.notes(back))
    return Outcome(new.eval(), refused=refused, curve=curve, notes=notes)


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
