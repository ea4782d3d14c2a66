"""Proof that a group is one: a network cut there answers as the whole network with those channels silenced.

The graph that groups are read off knows modules and guesses at everything else. So nothing is believed: some channels
of each group are cut, and the whole network is run with the same channels at zero where they are made and where they
are read. What mixes channels that were thought apart, or counts on a number of them, shows as another answer or as an
error.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.apply import apply_cut, removed
from edgecnn.compress.prune.dependency_graph import OUTPUT
from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.proof_bench import Bench, make_bench, silence
from edgecnn.core.errors import line_of
from edgecnn.models.answers import tensors

ATTEMPTS = 3  # sets of weights tried before a group is said to have no effect
RUNS = 2  # cuts tried on each bench
SHARES = (0.25, 0.75)  # least and most of a group's channels that are cut

MIXED = "something between its layers mixes its channels or ties them to others (a reshape, a softmax, a mean ...)"
NO_EFFECT = "no output depends on it"


def prove(
    module: nn.Module, example: tuple[Tensor, ...], groups: Sequence[Group]
) -> tuple[tuple[Group, ...], dict[str, str]]:
    """Return those of `groups` that can be cut, each by itself and all together, and why each of the others can't."""
    benches: list[Bench] = []
    felt: set[str] = set()
    while len(benches) < ATTEMPTS and len(felt) < len(groups):
        benches.append(make_bench(module, example, groups, len(benches)))
        felt |= benches[-1].felt
    refused = {group.name: NO_EFFECT for group in groups if group.name not in felt}
    tried = tuple(group for group in groups if group.name in felt)
    return _search((), tried, lambda those: _fault(benches, those), refused), refused


def _search(
    accepted: tuple[Group, ...],
    tried: tuple[Group, ...],
    fault: Callable[[tuple[Group, ...]], str],
    refused: dict[str, str],
) -> tuple[Group, ...]:
    """Return `accepted` and all of `tried` that hold beside it, by halves: one run where all is well."""
    if not tried:
        return accepted
    reason = fault((*accepted, *tried))
    if not reason:
        return (*accepted, *tried)
    if len(tried) == 1:
        refused[tried[0].name] = reason
        return accepted
    middle = len(tried) // 2
    accepted = _search(accepted, tried[:middle], fault, refused)
    return _search(accepted, tried[middle:], fault, refused)


def _fault(benches: Sequence[Bench], groups: tuple[Group, ...]) -> str:
    """Return why `groups` can't be cut together, or nothing when no cut that was tried speaks against it."""
    for bench in benches:
        for seed in range(RUNS):
            # Every group loses another share: groups that only hold when cut alike are found out.
            draw = torch.Generator().manual_seed(seed)
            keep = {group.name: _choice(group, draw) for group in groups}
            if reason := _differs(bench, groups, keep):
                return reason
    return ""


def _choice(group: Group, draw: torch.Generator) -> Tensor:
    """Return the channels kept in one trial, at least one unit and not all."""
    units = group.channels // group.unit
    least, most = SHARES
    share = least + (most - least) * float(torch.rand((), generator=draw))
    gone = min(units - 1, max(1, round(share * units))) * group.unit
    return torch.randperm(group.channels, generator=draw)[gone:].sort().values


def _differs(bench: Bench, groups: tuple[Group, ...], keep: dict[str, Tensor]) -> str:
    cut, silent = copy.deepcopy(bench.module), copy.deepcopy(bench.module)
    for group in groups:
        silence(silent, group, removed(group, keep[group.name]))
    try:
        apply_cut(cut, groups, keep)
        found = tensors(bench.run(cut))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's forward raises is the answer
        return f"the network's code counts on its number of channels ({line_of(error, 200)})"
    wanted = tensors(bench.run(silent))
    if [one.shape for one in found] != [one.shape for one in wanted]:
        return OUTPUT
    return "" if all(bench.near(one, other) for one, other in zip(found, wanted, strict=True)) else MIXED
