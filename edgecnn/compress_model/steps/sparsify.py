"""The sparsify step: 2:4 sparse weights, kept through all later training."""

import copy
from dataclasses import replace

from torch import nn

from edgecnn.compress.sparse_2_4 import CONFIRMED_BY, Sparsity, sparsify
from edgecnn.compress_model.context import Context, Outcome, fitting
from edgecnn.compress_model.steps import finetune
from edgecnn.core.compression import SparsifyStep
from edgecnn.core.errors import StageError


def run(settings: SparsifyStep, module: nn.Module, context: Context) -> Outcome:
    """Return a copy of `module` with two of every four weights zero."""
    sparse = copy.deepcopy(module)
    found = masks(settings, sparse)
    note = f"{100 * found.share(sparse):.0f} % of the parameters are zero; {CONFIRMED_BY}"
    if settings.recover is None:
        return Outcome(sparse, refused=found.refused, notes=(note,), mend=found.apply)
    back = finetune.recovered(sparse, settings.recover, replace(context, mend=found.apply))
    if not found.holds(back.module):
        raise StageError("sparsify: recovery training broke the 2:4 pattern; report this")
    notes = (note, *finetune.notes(back))
    return Outcome(back.module, refused=found.refused, curve=back.curve, notes=notes, mend=found.apply)


def masks(settings: SparsifyStep, module: nn.Module) -> Sparsity:
    """Choose and apply the masks; of a module that is 2:4 sparse already they are those it has."""
    layers = [name for name, layer in module.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sparsify(module, fitting(settings.keep, layers, "sparsify.keep"))
