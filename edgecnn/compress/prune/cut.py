"""A network without some of its channels."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.apply import apply_cut
from edgecnn.compress.prune.channels import trace
from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.modes import in_eval
from edgecnn.core.errors import InputError, line_of
from edgecnn.core.registry import choose


def cut(module: nn.Module, example: tuple[Tensor, ...], keep: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of `module` that has, of each group named in `keep`, only those channels (int64 indices).

    The names are those of `find_groups`; groups that are not named stay whole. `module` is left as it is.

    Raises:
        InputError: there is no such group, no such channel, none is kept, or the network does not run so.
    """
    groups, _ = trace(module, example)
    known = {group.name: group for group in groups}
    for name, channels in keep.items():
        _check(choose("group", known, name), channels)
    smaller = copy.deepcopy(module)
    apply_cut(smaller, groups, keep)
    with torch.no_grad(), in_eval(smaller):
        try:
            smaller(*example)
        except Exception as error:
            raise InputError(f"the network does not run without these channels: {line_of(error, 200)}") from error
    return smaller


def _check(group: Group, channels: Tensor) -> None:
    kept = sorted(set(channels.tolist()))
    if not kept or kept[0] < 0 or kept[-1] >= group.channels or len(kept) != channels.numel():
        raise InputError(f"group {group.name} has channels 0 to {group.channels - 1}; keep some of them, each once")
    if len(kept) % group.unit:
        raise InputError(f"group {group.name} is cut in units of {group.unit} channels, so {len(kept)} can't be kept")
