"""L2: the energy of a channel's weights (the L2 norm of Li et al., arXiv 1608.08710, squared)."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from edgecnn.compress.prune.criteria.weights import rows, shares
from edgecnn.compress.prune.group import Groups, Member


def importance(
    module: nn.Module, groups: Groups, _example: tuple[Tensor, ...], _batches: Iterable[Any] | None = None
) -> dict[str, Tensor]:
    """Return sum w^2 over the weights that make a channel and those that read it, as shares (see `weights`)."""
    return shares(module, groups, energy)


def energy(layer: nn.Module, member: Member) -> Tensor | None:
    """Return the energy of each channel's weights in one layer, [channels]; None where it has none."""
    found = rows(layer, member)
    return None if found is None else found.square().sum(1)
