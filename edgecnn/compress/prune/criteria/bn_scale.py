"""BN scale: the magnitude of a channel's batch norm weight (Liu et al., Network Slimming, arXiv 1708.06519)."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgecnn.compress.prune.criteria.l2 import energy
from edgecnn.compress.prune.criteria.weights import shares
from edgecnn.compress.prune.group import Groups, Member


def importance(
    module: nn.Module, groups: Groups, example: tuple[Tensor, ...], _batches: Iterable[Any] | None = None
) -> dict[str, Tensor]:
    """Return |gamma| of the batch norms a channel runs through, as shares; groups without one are judged by L2."""
    del example
    scaled = shares(module, groups, _score)
    layers = dict(module.named_modules())
    without = [
        group for group in groups.groups if all(_gamma(layers.get(member.layer)) is None for member in group.members)
    ]
    return scaled | shares(module, Groups(tuple(without), {}), energy)


def _gamma(layer: nn.Module | None) -> Tensor | None:
    return layer.weight if isinstance(layer, _BatchNorm) and layer.affine else None


def _score(layer: nn.Module, member: Member) -> Tensor | None:
    gamma = _gamma(layer)
    return None if gamma is None else gamma.detach().abs()[member.indices.to(gamma.device)].sum(1)
