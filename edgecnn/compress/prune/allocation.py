"""How many channels each group keeps: the least importance lost for the time that is asked for.

What a group loses is not the sum of the importances that go: what is left has to do the work of what has gone, and
matters more with every channel removed. If the importance R of the removed of a total S is taken over by the others in
proportion, the loss from one channel to the next adds up to -S log(1 - R / S), which is R for a few channels and grows
without bound towards the last.

The time is no sum over groups, since a layer's depends on the groups on both its sides. So widths are first chosen one
group at a time for a price a millisecond (Lagrange's relaxation), the price found by bisection; then pairs of groups
exchange time as long as that loses less. Equal shares for all, as pruning by FLOPs has it, are among the starts, so
that the result is never worse than those.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.widths import Widths, candidates
from edgecnn.core.errors import InputError

Milliseconds: TypeAlias = Callable[[Widths], float]
Places: TypeAlias = tuple[int, ...]
"""One choice: of each group the place of its width among its candidates."""

PRICES, PASSES = 24, 6
MOST_EXCHANGES = 400
VERIFIED = 64
"""Exchanges whose time is predicted in full, of those that look best by single moves, before a round gives up."""


def allocate(
    groups: Sequence[Group],
    importance: Mapping[str, Tensor],
    predict: Milliseconds,
    *,
    budget_ms: float | None = None,
    speedup: float | None = None,
    floor: float = 0.1,
    align: int | None = None,
) -> dict[str, int]:
    """Return the width of each group, by its name, that loses the least importance within the time asked for.

    Args:
        groups: what can be pruned.
        importance: of each group's channels, [channels], not negative and comparable between groups.
        predict: time in ms of one inference at given widths, for instance `LatencyPrediction.milliseconds`.
        budget_ms: the most that it may give.
        speedup: in place of `budget_ms`: how many times as fast as with all channels.
        floor: least share of its channels that a group keeps.
        align: widths are multiples of this, as far as a group's own unit allows; None as in `candidates`.

    Raises:
        InputError: the time can't be reached; the error says what can.
        ValueError: neither or both of `budget_ms` and `speedup` are given, or an importance is negative or not finite.
    """
    if (budget_ms is None) == (speedup is None):
        raise ValueError("give budget_ms or speedup")
    search = _Search(groups, importance, predict, floor, align)
    if budget_ms is None:
        assert speedup is not None  # noqa: S101 - one of the two is given
        budget_ms = search.time(search.whole) / speedup
    return search.widths(search.best(budget_ms))


def losses(importance: Tensor, widths: Sequence[int]) -> NDArray[np.float64]:
    """Return what a group loses at each of `widths`, when the least important of its channels [channels] go.

    Raises:
        ValueError: an importance is negative or not finite.
    """
    rising = np.sort(importance.detach().to("cpu").double().numpy())
    if not np.isfinite(rising).all() or (rising < 0).any():
        raise ValueError("importances are finite and not negative")
    total = float(rising.sum())
    if total == 0:
        return np.zeros(len(widths))
    removed = np.concatenate([[0.0], np.cumsum(rising)])[[len(rising) - width for width in widths]]
    left = np.maximum(total - removed, np.finfo(np.float64).tiny)
    return np.asarray(total * np.log(total / left))


def kept_channels(importance: Tensor, width: int) -> Tensor:
    """Return the `width` most important channels, rising int64 indices; of equals those that come first."""
    return importance.detach().argsort(descending=True, stable=True)[:width].sort().values


@final
class _Search:
    """Choices of widths with their loss and time; times are kept, since the same choices are met again and again."""

    def __init__(
        self,
        groups: Sequence[Group],
        importance: Mapping[str, Tensor],
        predict: Milliseconds,
        floor: float,
        align: int | None,
    ) -> None:
        self._names = [group.name for group in groups]
        self._widths = [candidates(group, floor, align) for group in groups]
        self._losses = [losses(importance[g.name], w) for g, w in zip(groups, self._widths, strict=True)]
        self._predict = predict
        self._times: dict[Places, float] = {}
        self.whole: Places = tuple(len(widths) - 1 for widths in self._widths)

    def widths(self, choice: Places) -> dict[str, int]:
        return {n: w[at] for n, w, at in zip(self._names, self._widths, choice, strict=True)}

    def time(self, choice: Places) -> float:
        if choice not in self._times:
            self._times[choice] = self._predict(self.widths(choice))
        return self._times[choice]

    def loss(self, choice: Places) -> float:
        return float(sum(each[at] for each, at in zip(self._losses, choice, strict=True)))

    def best(self, budget_ms: float) -> Places:
        """Return the choice of least loss that was found within `budget_ms`."""
        if self.time(self.whole) <= budget_ms:
            return self.whole
        starts = [start for start in (self._even(budget_ms), self._priced(budget_ms)) if start is not None]
        if not starts:
            least = min(self._times.values())
            raise InputError(
                f"pruning can't bring {self.time(self.whole):.3f} ms down to {budget_ms:.3f} ms: {least:.3f} ms is the "
                "least that was found; ask for less, or lower the floor"
            )
        return min((self._exchanged(start, budget_ms) for start in starts), key=self.loss)

    def _even(self, budget_ms: float) -> Places | None:
        """Return like shares of all groups, the greatest that fit."""
        for share in np.linspace(1, 0, 65):
            choice = tuple(_nearest(widths, share * widths[-1]) for widths in self._widths)
            if self.time(choice) <= budget_ms:
                return choice
        return None

    def _priced(self, budget_ms: float) -> Places | None:
        """Return the choice of least loss plus price times time, for the lowest price at which the time fits."""
        total = max(self.loss(tuple(0 for _ in self._widths)), 1e-12)
        low, high = math.log(1e-6 * total / self.time(self.whole)), math.log(1e6 * total / self.time(self.whole))
        found, choice = None, self.whole
        for _ in range(PRICES):
            middle = (low + high) / 2
            choice = self._descended(choice, math.exp(middle))
            if self.time(choice) <= budget_ms:
                found, high = choice if found is None or self.loss(choice) < self.loss(found) else found, middle
            else:
                low = middle
        return found

    def _descended(self, choice: Places, price: float) -> Places:
        """Return `choice` with one group after another set to what is best while the others stay."""
        for _ in range(PASSES):
            before = choice
            for group in range(len(choice)):
                options = (self._moved(choice, {group: at}) for at in range(len(self._widths[group])))
                choice = min(options, key=lambda option: self.loss(option) + price * self.time(option))
            if choice == before:
                break
        return choice

    def _exchanged(self, choice: Places, budget_ms: float) -> Places:
        """Return `choice` improved by moves of one group or two at a time that keep to the budget."""
        for _ in range(MOST_EXCHANGES):
            better = self._exchange(choice, budget_ms)
            if better is None:
                break
            choice = better
        return choice

    def _exchange(self, choice: Places, budget_ms: float) -> Places | None:
        """Return the exchange that gains most of those that fit, None where there is none."""
        slack = budget_ms - self.time(choice)
        moves = [
            (group, at, self._losses[group][at] - self._losses[group][choice[group]], self._delay(choice, group, at))
            for group in range(len(choice))
            for at in range(len(self._widths[group]))
            if at != choice[group]
        ]
        gains = [(loss, {group: at}) for group, at, loss, delay in moves if loss < 0 and delay <= slack]
        frees = [move for move in moves if move[2] >= 0 and move[3] < 0]
        for group, at, loss, delay in moves:
            if loss >= 0:
                continue
            for other, there, cost, freed in frees:
                # Where the two share layers the times don't add up, so there is some tolerance before the proof below.
                if other != group and loss + cost < -1e-12 and delay + freed <= slack + 0.1 * delay:
                    gains.append((loss + cost, {group: at, other: there}))
        gains.sort(key=lambda gain: gain[0])
        for _, changes in gains[:VERIFIED]:
            moved = self._moved(choice, changes)
            if self.time(moved) <= budget_ms and self.loss(moved) < self.loss(choice):
                return moved
        return None

    def _delay(self, choice: Places, group: int, at: int) -> float:
        return self.time(self._moved(choice, {group: at})) - self.time(choice)

    def _moved(self, choice: Places, changes: Mapping[int, int]) -> Places:
        return tuple(changes.get(group, at) for group, at in enumerate(choice))


def _nearest(widths: Sequence[int], wanted: float) -> int:
    return min(range(len(widths)), key=lambda at: abs(widths[at] - wanted))
