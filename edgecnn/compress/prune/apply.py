"""Carry out a cut on a network, in place."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.group import Group
from edgecnn.models.layer_channels import IN, OUT, keep_tensor, layer_of, narrow

_Lost = dict[str, dict[str, list[Tensor]]]


def apply_cut(module: nn.Module, groups: Iterable[Group], keep: Mapping[str, Tensor]) -> None:
    """Leave in `module` of each group named in `keep` the channels it gives (int64 indices, sorted or not)."""
    lost: _Lost = defaultdict(lambda: defaultdict(list))
    for group in groups:
        if group.name in keep:
            gone = removed(group, keep[group.name])
            for member in group.members:
                lost[member.layer][member.side].append(member.indices[gone].flatten())
    modules = dict(module.named_modules())
    for name, sides in lost.items():
        if name in modules:
            layer = layer_of(modules[name])
            assert layer is not None  # noqa: S101 - only layers with channels are members of groups
            outs, ins = _kept(layer.outputs, sides[OUT]), _kept(layer.inputs, sides[IN])
            narrow(modules[name], outs, ins)
        else:
            owner, _, attribute = name.rpartition(".")
            _narrow_parameter(modules[owner], attribute, torch.cat(sides[OUT]))


def removed(group: Group, keep: Tensor) -> Tensor:
    """Return bool [channels], true where `group` loses the channel."""
    gone = torch.ones(group.channels, dtype=torch.bool)
    gone[keep.to("cpu", torch.int64)] = False
    return gone


def _kept(width: int, lost: list[Tensor]) -> Tensor | None:
    if not lost:
        return None
    left = torch.ones(width, dtype=torch.bool)
    left[torch.cat(lost)] = False
    return left.nonzero().flatten()


def _narrow_parameter(owner: nn.Module, name: str, lost: Tensor) -> None:
    axis = bare_axis(getattr(owner, name))
    kept = _kept(getattr(owner, name).shape[axis], [lost])
    assert kept is not None  # noqa: S101 - something is lost, so a choice is made
    keep_tensor(owner, name, axis, kept)


def bare_axis(parameter: Tensor) -> int:
    """Return the axis of a bare parameter that channels lie along: the last that is longer than one."""
    return max((axis for axis, size in enumerate(parameter.shape) if size > 1), default=0)
