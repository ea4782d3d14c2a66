"""L1: the sum of the magnitudes of a channel's weights (Li et al., Pruning Filters, arXiv 1608.08710)."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from edgecnn.compress.prune.criteria.weights import rows, shares
from edgecnn.compress.prune.group import Groups, Member


def importance(
    module: nn.Module, groups: Groups, _example: tuple[Tensor, ...], _batches: Iterable[Any] | None = None
) -> dict[str, Tensor]:
    """Return sum |w| over the weights that make a channel and those that read it, as shares (see `weights`)."""
    return shares(module, groups, _score)


def _score(layer: nn.Module, member: Member) -> Tensor | None:
    found = rows(layer, member)
    return None if found is None else found.abs().sum(1)
