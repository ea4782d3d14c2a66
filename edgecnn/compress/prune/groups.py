"""The groups of channels of a network that can be cut, each proven, and the reason for every one that can't."""

from collections.abc import Sequence

from torch import Tensor, nn

from edgecnn.compress.prune.channels import trace
from edgecnn.compress.prune.group import Group, Groups
from edgecnn.compress.prune.proof import prove
from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest

__all__ = ["Group", "Groups", "find_groups"]


def find_groups(module: nn.Module, example: tuple[Tensor, ...], keep: Sequence[str] = ()) -> Groups:
    """Return the groups of `module`, which runs as `module(*example)`; `module` stays as it is.

    Each was cut on a copy and gave what the whole network gives without those channels. `keep` names modules whose
    channels, in and out, stay all.

    Raises:
        InputError: `module` does not run on `example`, or `keep` names a module that it has not got.
    """
    names = [name for name, _ in module.named_modules()]
    for name in keep:
        if name not in names:
            raise InputError(f"there is no module '{name}' to keep{nearest(name, names)}")
    found, refused = trace(module, example)
    tried = []
    for group in found:
        if any(_inside(member.layer, name) for member in group.members for name in keep):
            refused[group.name] = "it is to be kept"
        else:
            tried.append(group)
    accepted, unproven = prove(module, example, tried)
    return Groups(accepted, {**refused, **unproven})


def _inside(layer: str, name: str) -> bool:
    return layer == name or layer.startswith(f"{name}.") or not name
