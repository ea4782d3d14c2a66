"""The finetune step: training that recovers what the steps before it lost."""

from torch import nn

from edgecnn.compress_model.context import Context, Outcome, unchanged
from edgecnn.core.compression import FinetuneStep
from edgecnn.train.recover import Recovered


def run(settings: FinetuneStep, module: nn.Module, context: Context) -> Outcome:
    """Return `module` trained on, taught by the uncompressed network."""
    if unchanged(module, context.subject.original):
        return Outcome(module, notes=("not trained: the steps before it changed nothing",))
    found = recovered(module, settings, context)
    return Outcome(found.module, curve=found.curve, notes=notes(found))


def recovered(module: nn.Module, settings: FinetuneStep, context: Context, part: str = "recover") -> Recovered:
    """Return `module` after recovery; `part` names its checkpoint where a step recovers several times."""
    subject = context.subject
    return subject.recovery.finetune(module, subject.original, settings, context.folder / part, context.mend)


def notes(found: Recovered) -> tuple[str, ...]:
    """Return what is to be known of a recovery."""
    if found.curve and not found.best_epoch:
        return (f"no epoch of {len(found.curve)} was better than the start, which was kept", *found.notes)
    return found.notes
