"""torch-pruning as its documentation shows it: every layer loses the same share of its channels, the smallest first.

`MagnitudePruner` with L2 importance over dependency groups (Fang et al., arXiv 2301.12900), pruned iteratively with
training in between. Its one dial, the share, is set so that the network takes a wanted time.
"""

import copy
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch_pruning as tp
from torch import Tensor, nn

TRIALS = 8
LEAST, MOST = 0.02, 0.95
ROUNDINGS = (None, 8)
"""Channels as they come, or in multiples of 8, which the documentation advises for speed; the peer gets the better."""


@dataclass(frozen=True)
class Share:
    """How much of every layer goes, to what multiples widths are rounded, and what that leaves.

    Attributes:
        ratio: of channels that go.
        round_to: widths are multiples of it; None for any.
        relative_time: time of the network against the wanted one.
        macs: multiply-adds that are left.
    """

    ratio: float
    round_to: int | None
    relative_time: float
    macs: float


def share_for(
    module: nn.Module, example: Tensor, outputs: Collection[str], relative_time: Callable[[nn.Module], float]
) -> Share:
    """Return the share at which the network takes the wanted time, of all roundings the one that leaves most work.

    `relative_time` measures a cut network against what it shall be as fast as; `outputs` are layers to leave whole.
    Cutting is by the original weights here, which does not change the widths that come out.
    """
    found = [_share_for(module, example, outputs, relative_time, rounding) for rounding in ROUNDINGS]
    near = [share for share in found if share.relative_time <= 1.03] or [min(found, key=lambda s: s.relative_time)]
    return max(near, key=lambda share: share.macs)


def _share_for(
    module: nn.Module,
    example: Tensor,
    outputs: Collection[str],
    relative_time: Callable[[nn.Module], float],
    rounding: int | None,
) -> Share:
    low, high, best = LEAST, MOST, None
    seen: dict[float, float] = {}
    for _ in range(TRIALS):
        ratio = (low + high) / 2
        cut = copy.deepcopy(module)
        pruner(cut, example, outputs, ratio, 1, rounding).step()
        macs = float(tp.utils.count_ops_and_params(cut, example)[0])
        if macs not in seen:
            seen[macs] = relative_time(cut)
        tried = Share(ratio, rounding, seen[macs], macs)
        fits = tried.relative_time <= 1.0
        if best is None or abs(tried.relative_time - 1) < abs(best.relative_time - 1):
            best = tried
        low, high = (low, ratio) if fits else (ratio, high)
    assert best is not None  # noqa: S101 - there was a trial
    return best


def pruner(
    module: nn.Module, example: Tensor, outputs: Collection[str], ratio: float, steps: int, round_to: int | None
) -> "tp.pruner.MagnitudePruner":
    """Return the pruner of `module`, which it changes in place, a step of `steps` at a time."""
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return tp.pruner.MagnitudePruner(
            module,
            example,
            importance=tp.importance.MagnitudeImportance(p=2),
            global_pruning=False,
            pruning_ratio=ratio,
            iterative_steps=steps,
            ignored_layers=[module.get_submodule(name) for name in outputs],
            round_to=round_to,
        )


def prune(
    module: nn.Module,
    example: Tensor,
    outputs: Collection[str],
    share: Share,
    steps: int,
    recover: Callable[[nn.Module], nn.Module],
) -> nn.Module:
    """Return a pruned copy of `module`, trained by `recover` after each of the `steps`."""
    working = copy.deepcopy(module)
    tool = pruner(working, example, outputs, share.ratio, steps, share.round_to)
    for _ in range(steps):
        tool.step()
        for parameter in working.parameters():
            parameter.grad = None
        # The pruner holds on to its module, so what was learnt goes back into it.
        working.load_state_dict(recover(working).state_dict())
    return working.eval()
