"""One network being pruned: what is left of its groups, what a channel is worth, cuts that reach a measured speed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor, nn

from edgecnn.compress.prune.allocation import allocate, kept_channels
from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import Groups
from edgecnn.compress.prune.predict import LatencyPrediction
from edgecnn.compress.prune.verdict import Verdict, can_pruning_help
from edgecnn.compress_model.context import Context
from edgecnn.compress_model.worth import worth_of
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import InputError
from edgecnn.core.measure import Measurement

CLOSE_ENOUGH = 0.02
"""How far below the speed asked for a network may be measured that can't be cut any further."""
TOO_MUCH = 1.06
"""How many times the speed asked for a cut network may be measured to have before a wider one is tried."""
ON_THE_WAY = 0.1
"""How far below its goal a round may be measured that is not the last: the rounds after it make up for that."""
DOUBTFUL = 0.1
"""How far a measured speedup may lie from the predicted one before it is measured again."""
MOST_TRIES = 4


class OutOfReachError(InputError):
    """No widths that are allowed are fast enough."""


class Cut(msgspec.Struct, frozen=True):
    """A cut, before recovery.

    Attributes:
        kept: of every group the channels that are left, as indices of the channels the group began with.
        speedup: how many times as fast as the uncompressed network the cut one was measured to be; what was predicted
            where the step says the times of a device that is not here.
        predicted: what was predicted for it.
    """

    kept: dict[str, list[int]]
    speedup: Measurement
    predicted: Measurement


@dataclass(frozen=True, slots=True)
class Pruning:
    """What stays the same over all rounds of a prune step.

    Attributes:
        groups: of the module that the step was given.
        predict: that module's time at widths of `groups`.
        start: how many times as fast as the uncompressed network that module is.
        keep: layers that are not pruned.
    """

    settings: PruneStep
    context: Context
    target: str
    groups: Groups
    predict: LatencyPrediction
    start: float
    keep: tuple[str, ...]

    def verdict(self, goal: float | None) -> Verdict:
        """Return whether pruning can make the module `goal` times as fast as the original (None: faster at all)."""
        asked = None if goal is None else goal / self.start
        return can_pruning_help(self.predict, asked, floor=self.settings.floor)

    def whole(self) -> dict[str, list[int]]:
        """Return all channels of all groups."""
        return {group.name: list(range(group.channels)) for group in self.groups.groups}

    def cut_to(
        self, module: nn.Module, kept: Mapping[str, list[int]], goal: float, *, last: bool = True
    ) -> tuple[nn.Module, Cut]:
        """Cut `module`, which has the channels `kept`, until it is measured to be `goal` times as fast as the original.

        Where it turns out slower or faster than predicted, the prediction is corrected by what was measured so far and
        asked again; of several networks that are fast enough the slowest is taken. Where no widths are predicted to be
        fast enough, but the fastest as nearly as the verdict asks for, those are taken. `last` says whether it is the
        last round, which alone has to reach its goal.

        Raises:
            OutOfReachError: no widths are fast enough.
        """
        worth = self._worth(module, kept)
        enough = goal if last else goal * (1 - ON_THE_WAY)
        tries: list[tuple[nn.Module, Cut]] = []
        tried: list[dict[str, int]] = []
        for _ in range(MOST_TRIES):
            try:
                widths = self._widths(worth, kept, goal / _off(tries))
            except InputError as error:
                if tries:
                    break
                verdict = self.verdict(goal)
                if verdict.helps:
                    return self._cut(module, kept, worth, verdict.best)
                raise OutOfReachError(f"prune: {goal:.2f}x is out of reach: {error}") from error
            if widths in tried:
                break
            tried.append(widths)
            tries.append(self._cut(module, kept, worth, widths))
            if enough <= tries[-1][1].speedup.value <= goal * TOO_MUCH:
                return tries[-1]
        reached = [one for one in tries if one[1].speedup.value >= enough]
        if reached:
            return min(reached, key=lambda one: one[1].speedup.value)
        return max(tries, key=lambda one: one[1].speedup.value)

    def cut_to_the_fastest(self, module: nn.Module, kept: Mapping[str, list[int]]) -> tuple[nn.Module, Cut]:
        """Cut `module`, which has the channels `kept`, to the fastest widths that are allowed."""
        return self._cut(module, kept, self._worth(module, kept), self.verdict(None).best)

    def _widths(self, worth: Mapping[str, Tensor], kept: Mapping[str, list[int]], speedup: float) -> dict[str, int]:
        """Return widths that are fast enough; groups that nothing is known of stay as they are."""
        budget = self.predict.milliseconds({}) * self.start / speedup
        groups = [group for group in self.groups.groups if group.name in worth]
        fixed = {name: len(channels) for name, channels in kept.items() if name not in worth}
        found = allocate(
            groups,
            worth,
            lambda widths: self.predict.milliseconds({**fixed, **widths}),
            budget_ms=budget,
            floor=self.settings.floor,
            align=self.predict.align,
        )
        return fixed | found

    def _worth(self, module: nn.Module, kept: Mapping[str, list[int]]) -> dict[str, Tensor]:
        """Return the importance of every channel of the groups that can still be cut, 0 where it is gone."""
        whole = {group.name: group.channels for group in self.groups.groups}
        worth = {}
        for name, found in worth_of(module, kept, self.keep, self.settings, self.context).items():
            worth[name] = torch.zeros(whole[name], dtype=torch.float64)
            worth[name][kept[name]] = found
        return worth

    def _cut(
        self,
        module: nn.Module,
        kept: Mapping[str, list[int]],
        worth: Mapping[str, Tensor],
        widths: Mapping[str, int],
    ) -> tuple[nn.Module, Cut]:
        left: dict[str, list[int]] = {}
        within: dict[str, Tensor] = {}
        for name, before in kept.items():
            if name not in worth:
                left[name] = before
                continue
            # Of channels that are gone none comes back, though the prediction may hold a wider layer for as fast.
            places = kept_channels(worth[name][before], min(widths[name], len(before)))
            left[name] = [before[place] for place in places.tolist()]
            if len(places) < len(before):
                within[name] = places
        smaller = cut(module, self.context.subject.example, within)
        self.context.subject.recovery.settle(smaller)
        predicted = self._predicted(left)
        away = bool(self.settings.times)
        return smaller, Cut(left, predicted if away else self._measured(smaller, predicted), predicted)

    def _measured(self, module: nn.Module, predicted: Measurement) -> Measurement:
        """Return the measured speedup; where it is not what was predicted, the median of three: machines have moods."""

        def once() -> Measurement:
            return self.context.clock.time(module, self.target).speedup

        found = once()
        if abs(found.value / predicted.value - 1) <= DOUBTFUL:
            return found
        return sorted([found, once(), once()], key=lambda one: one.value)[1]

    def _predicted(self, left: Mapping[str, list[int]]) -> Measurement:
        predict = self.predict
        value = self.start * predict.speedup({name: len(channels) for name, channels in left.items()})
        spread = None if predict.error is None else 1 + 2 * predict.error
        low, high = (None, None) if spread is None else (value / spread, value * spread)
        return Measurement(value, "x", predict.trials + 1, low, high, how="predicted", on=predict.on)


def _off(tries: Sequence[tuple[nn.Module, Cut]]) -> float:
    """Return how many times their predicted speed cut networks had, by the geometric mean; 1 without any."""
    return math.prod(made.speedup.value / made.predicted.value for _, made in tries) ** (1 / max(1, len(tries)))
