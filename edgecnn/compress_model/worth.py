"""What the channels of a network are worth, by a criterion, however far it has been pruned."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress_model.context import Context
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import InputError
from edgecnn.core.registry import resolve


def worth_of(
    module: nn.Module, kept: Mapping[str, Sequence[int]], keep: Sequence[str], settings: PruneStep, context: Context
) -> dict[str, Tensor]:
    """Return by group the importance of each channel `kept`, float64 [channels], in the order of `kept`.

    A group that a cut has left with nothing to follow it by is missing: it can't be cut any further.

    Raises:
        InputError: the criterion tells no channel from another, or gives something else than numbers from 0 up.
    """
    subject = context.subject
    groups = find_groups(module, subject.example, keep)
    batches = subject.recovery.losses(module, subject.original, settings.batches)
    criterion = resolve("criterion", settings.criterion)
    found: dict[str, Tensor] = criterion(module, groups, subject.example, batches)
    worth = {
        name: found[name].detach().double().cpu()
        for name, channels in kept.items()
        if name in found and len(found[name]) == len(channels)
    }
    _check(worth, settings.criterion)
    return worth


def _check(worth: Mapping[str, Tensor], criterion: str) -> None:
    other = "use another one, for instance l1"
    for name, each in worth.items():
        if not torch.isfinite(each).all() or (each < 0).any():
            raise InputError(f"prune: the criterion {criterion} gives numbers that are not finite for {name}; {other}")
    if worth and not any(each.any() for each in worth.values()):
        raise InputError(
            f"prune: by the criterion {criterion} every channel is worth 0, so none can be chosen; {other}"
        )
