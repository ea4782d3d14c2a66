"""Geometric median: how far a channel's weights are from those of all others (He et al., FPGM, arXiv 1811.00250)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.criteria.weights import rows, shares
from edgecnn.compress.prune.group import Groups, Member
from edgecnn.models.layer_channels import OUT


def importance(
    module: nn.Module, groups: Groups, _example: tuple[Tensor, ...], _batches: Iterable[Any] | None = None
) -> dict[str, Tensor]:
    """Return sum over j of ||F_i - F_j|| of the filters F that make a channel, as shares (see `weights`).

    A filter near the geometric median of its layer says what others say too.
    """
    return shares(module, groups, _score)


def _score(layer: nn.Module, member: Member) -> Tensor | None:
    found = rows(layer, member) if member.side == OUT else None
    return None if found is None else torch.cdist(found.float(), found.float()).sum(1)
