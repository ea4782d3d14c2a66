"""The weights that belong to each channel of a group, and importances made of them.

Every layer's numbers are divided by their sum over the group's channels before they are averaged over its layers. So
neither a layer's scale nor its size counts, and what a group loses is the share of it that goes.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from edgecnn.compress.prune.group import Group, Groups, Member
from edgecnn.models.layer_channels import OUT

Score = Callable[[nn.Module, Member], Tensor | None]


def shares(module: nn.Module, groups: Groups, score: Score) -> dict[str, Tensor]:
    """Return for every group what `score` says of its layers, as shares of one that are averaged over the layers.

    `score` returns [channels] for a member, not negative, or None where it has no say. A group of which it says
    nothing has equal channels.
    """
    layers = dict(module.named_modules())
    with torch.no_grad():
        return {group.name: _share(layers, group, score) for group in groups.groups}


def _share(layers: dict[str, nn.Module], group: Group, score: Score) -> Tensor:
    known = [member for member in group.members if member.layer in layers]
    found = [one for member in known if (one := score(layers[member.layer], member)) is not None]
    if not found:
        return torch.full((group.channels,), 1 / group.channels)
    parts = [one.double().cpu() / one.double().sum().clamp(min=1e-30).cpu() for one in found]
    return torch.stack(parts).mean(0).float()


def rows(layer: nn.Module, member: Member) -> Tensor | None:
    """Return the weights of a convolution or linear layer that go with each channel, [channels, numbers].

    None for other layers, and for a side of a grouped convolution whose weights are counted on its other side.
    """
    axis = _axis(layer, member.side)
    if axis is None:
        return None
    assert isinstance(layer, (_ConvNd, nn.Linear))  # noqa: S101 - others have no axis
    weight = layer.weight.detach().movedim(axis, 0).flatten(1)
    return weight[member.indices.to(weight.device)].flatten(1)


def _axis(layer: nn.Module, side: str) -> int | None:
    if isinstance(layer, nn.Linear):
        return 0 if side == OUT else 1
    if not isinstance(layer, _ConvNd):
        return None
    if layer.groups == 1:
        return int((side == OUT) == layer.transposed)
    # A grouped convolution's weight holds all of its outputs, a transposed one's all of its inputs.
    depthwise = layer.groups == layer.in_channels == layer.out_channels
    return 0 if depthwise or (side == OUT) != layer.transposed else None
