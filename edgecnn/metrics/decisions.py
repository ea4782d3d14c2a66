"""What a network's raw output decides, told from the reference's values alone, and how two outputs agree in it.

A rule turns a reference and a candidate into counts [K, 2]: agreeing and all decisions, for each of K kinds. Counts of
frames add up, so that an agreement over any set of frames is the mean over kinds of agreeing / all. With Dice's
coefficient (Dice, "Measures of the amount of ecologic association between species", 1945) the counts of a class are
twice what both say and the sum of what each says; pooled over frames it is the F1 score.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = (0.5, 0.25, 0.1)
ENOUGH = 20
"""Decisions over all frames below which a class, or a threshold's positives, would be judged by chance."""
REGRESSION_SHARE = 0.05
SPREAD_STD = 4.0
"""A channel's spread in standard deviations: what holds 95 % of a normal distribution."""
SUM_SLACK = 1e-2
MOST_LABELS = 1024
REGRESSION = f"share within {100 * REGRESSION_SHARE:g} % of the spread"

Array: TypeAlias = NDArray[Any]
Counts: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one output is judged.

    Attributes:
        text: in words.
        axis: where its channels lie; None takes all its values as one channel.
        kinds: which rows of `count`'s result are judged.
        count: the counts [K, 2] of a reference and a candidate, both [channels, places].
        shift: the same kinds [K, 2] as how far they moved: what is moved of what could be. Unlike `count` it answers to
            the least change, in proportion, so that small disturbances can be told apart.
        ranked: whether only the order or the sign of values counts, so that their size could be anything.
        objects: at which places a reference [channels, places] decides for more than background; None where the output
            tells nothing of the kind.
    """

    text: str
    axis: int | None
    kinds: NDArray[np.bool_]
    count: Callable[[Array, Array], Counts]
    shift: Callable[[Array, Array], Counts]
    objects: Callable[[Array], NDArray[np.bool_]] | None = None
    ranked: bool = False

    def percent(self, counts: Counts) -> float:
        """Return the agreement in percent that summed counts [K, 2] stand for; a kind nobody decided says nothing."""
        return 100 * self._mean(counts, 1.0)

    def moved(self, counts: Counts) -> float:
        """Return how far the decisions moved, 0 for not at all, from summed counts [K, 2] of `shift`."""
        return self._mean(counts, 0.0)

    def _mean(self, counts: Counts, empty: float) -> float:
        kept = counts[self.kinds & (counts[:, 1] > 0)]
        return float(np.mean(kept[:, 0] / kept[:, 1])) if len(kept) else empty


@dataclass(slots=True)
class Seen:
    """What the reference's values of one output were over all frames, gathered one frame at a time.

    `axis` is where its channels lie, None for an output without channels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axis: int | None
    low: NDArray[np.float64] = field(init=False)
    high: NDArray[np.float64] = field(init=False)
    total: NDArray[np.float64] = field(init=False)
    square: NDArray[np.float64] = field(init=False)
    winners: NDArray[np.int64] = field(init=False)
    above: NDArray[np.int64] = field(init=False)
    positive: int = 0
    elements: int = 0
    tail_gap: NDArray[np.float64] = field(init=False)
    labels: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        channels = 1 if self.axis is None else self.shape[self.axis]
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)
        self.total, self.square = np.zeros(channels), np.zeros(channels)
        self.tail_gap = np.zeros(channels)
        self.winners = np.zeros(channels, np.int64)
        self.above = np.zeros((len(THRESHOLDS), channels), np.int64)

    def add(self, array: Array) -> None:
        """Take in one frame's values."""
        if array.dtype.kind != "f":
            if len(self.labels) <= MOST_LABELS:
                self.labels |= set(np.unique(array).astype(np.int64).tolist()[: MOST_LABELS + 1])
            return
        rows = by_channel(array, self.axis)
        self.low, self.high = np.minimum(self.low, rows.min(axis=1)), np.maximum(self.high, rows.max(axis=1))
        self.total += rows.sum(axis=1, dtype=np.float64)
        self.square += np.square(rows, dtype=np.float64).sum(axis=1)
        self.winners += np.bincount(rows.argmax(axis=0), minlength=len(rows))
        self.above += np.array([(rows > threshold).sum(axis=1) for threshold in THRESHOLDS])
        self.positive += int((rows > 0).sum())
        self.elements += rows.shape[1]
        tails = np.cumsum(rows[::-1], axis=0, dtype=np.float64)[::-1]
        self.tail_gap = np.maximum(self.tail_gap, np.abs(tails - 1).max(axis=1))

    def softmax_from(self) -> int | None:
        """Return the channel from which on all channels sum to 1 everywhere, None if they do from none."""
        found = np.flatnonzero(self.tail_gap[:-1] < SUM_SLACK)
        return int(found[0]) if len(found) else None

    def spread(self) -> NDArray[np.float64]:
        """Return each channel's spread, in the output's own unit."""
        mean = self.total / max(self.elements, 1)
        return np.asarray(SPREAD_STD * np.sqrt(np.maximum(self.square / max(self.elements, 1) - mean**2, 0)))


def channel_axis(shape: tuple[int, ...], frame_size: tuple[int, int] | None) -> int | None:
    """Return which axis of an output [1, ...] holds its channels, None if it has none.

    Axes 2 and 3 of four are the picture's unless axes 1 and 2 are the network's input `frame_size` (height, width)
    divided by one whole number and 2 and 3 are not. Of a list of places, the channels are the shorter axis. Five axes
    are anchors, rows, columns, channels where rows equal columns.
    """
    if len(shape) < 2:
        return None
    if len(shape) == 2:
        return 1
    if len(shape) == 3:
        return 1 if shape[1] < shape[2] else 2
    if len(shape) == 4:
        last = _is_picture(shape[1:3], frame_size) and not _is_picture(shape[2:4], frame_size)
        return 3 if last else 1
    return len(shape) - 1 if shape[-3] == shape[-2] != shape[-1] else 1


def by_channel(array: Array, axis: int | None) -> Array:
    """Return `array` as [channels, places]; all in one channel where `axis` is None."""
    if axis is None:
        return array.reshape(1, -1)
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def relative(reference: Array, candidate: Array) -> tuple[float, float]:
    """Return the squared error and the squared reference, summed; their root ratio is the relative error."""
    wanted = reference.astype(np.float64)
    return float(np.square(candidate.astype(np.float64) - wanted).sum()), float(np.square(wanted).sum())


def _is_picture(size: tuple[int, ...], frame_size: tuple[int, int] | None) -> bool:
    if frame_size is None:
        return size[0] == size[1]
    ratios = [whole / max(part, 1) for whole, part in zip(frame_size, size, strict=True)]
    return ratios[0] == ratios[1] and (ratios[0] >= 1 and ratios[0].is_integer())


def beside(rules: Mapping[str, Rule], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return for each output that decides nothing, such as boxes, the one that says where its values mean something.

    That is the first output of as many places that tells objects from background: what a detector's boxes are where it
    sees none is left to chance.
    """
    places = {name: _places(shapes[name], rule.axis) for name, rule in rules.items()}
    found = {}
    for name, rule in rules.items():
        tellers = [other for other, its in rules.items() if its.objects is not None and places[other] == places[name]]
        if rule.text == REGRESSION and tellers:
            found[name] = tellers[0]
    return found


Teller: TypeAlias = tuple[Rule, Array] | None
"""The rule and the reference of the output that says where another one counts."""


def count_frame(rule: Rule, reference: Array, candidate: Array, teller: Teller = None) -> Counts:
    """Return the counts [K, 2] of one frame; a candidate with NaN or infinity in it agrees in nothing."""
    rows = _rows(rule, reference, candidate, teller)
    if rows is not None:
        return rule.count(*rows)
    counts = rule.count(*_taken(rule, reference, reference, teller))
    counts[:, 0] = 0
    return counts


def shift_frame(rule: Rule, reference: Array, candidate: Array, teller: Teller = None) -> Counts:
    """Return the shifts [K, 2] of one frame; where a candidate holds NaN or infinity, everything has moved."""
    rows = _rows(rule, reference, candidate, teller)
    if rows is not None:
        return rule.shift(*rows)
    counts = rule.shift(*_taken(rule, reference, reference, teller))
    counts[:, 0] = counts[:, 1]
    return counts


def _rows(rule: Rule, reference: Array, candidate: Array, teller: Teller) -> tuple[Array, Array] | None:
    """Return both as [channels, places that count]; None for a candidate that can't be compared."""
    if candidate.shape != reference.shape or not np.isfinite(candidate).all():
        return None
    return _taken(rule, reference, candidate, teller)


def _taken(rule: Rule, reference: Array, candidate: Array, teller: Teller) -> tuple[Array, Array]:
    wanted, found = by_channel(reference, rule.axis), by_channel(candidate, rule.axis)
    if teller is not None and teller[0].objects is not None:
        where = teller[0].objects(by_channel(teller[1], teller[0].axis))
        wanted, found = wanted[:, where], found[:, where]
    return wanted, found


def add_counts(frames: Iterable[Counts]) -> Counts:
    """Return the sum of several frames' counts."""
    return np.asarray(np.sum(np.stack(list(frames)), axis=0), np.float64)


def _places(shape: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    """Return the sizes of all axes but the channels' and those of length 1."""
    return tuple(size for place, size in enumerate(shape) if place != axis and size != 1)
