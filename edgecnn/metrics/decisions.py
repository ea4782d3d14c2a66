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
AROUND = (0.6, 0.8, 1.0, 1.2, 1.4)
"""Thresholds that are averaged over, as parts of the one chosen: one alone is at the mercy of single values near it,
and a search that tries many candidates finds those that are lucky there."""
ENOUGH = 20
"""Decisions over all frames below which a class, or a threshold's positives, would be judged by chance."""
REGRESSION_SHARE = 0.05
BESIDE_SHARE = 0.2
"""Share of its spread that a value may move where it only goes with a decision, as the box of an object does."""
SPREAD_STD = 4.0
"""A channel's spread in standard deviations: what holds 95 % of a normal distribution."""
SUM_SLACK = 1e-2
MOST_LABELS = 1024
BOX = 4
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
        apart: how many of the last kinds are an agreement of their own; the lesser of the two counts.
        ranked: whether only the order or the sign of values counts, so that their size could be anything.
        objects: at which places a reference [channels, places] decides for more than background; None where the output
            tells nothing of the kind.
    """

    text: str
    axis: int | None
    kinds: NDArray[np.bool_]
    count: Callable[[Array, Array], Counts]
    objects: Callable[[Array], NDArray[np.bool_]] | None = None
    apart: int = 0
    ranked: bool = False

    def percent(self, counts: Counts) -> float:
        """Return the agreement in percent that summed counts [K, 2] stand for; a kind nobody decided says nothing."""
        first = len(counts) - self.apart
        parts = [(counts[:first], self.kinds[:first]), (counts[first:], self.kinds[first:])]
        shares = [rows[kinds & (rows[:, 1] > 0)] for rows, kinds in parts]
        return min(float(100 * np.mean(kept[:, 0] / kept[:, 1])) if len(kept) else 100.0 for kept in shares)


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


def rule_of(seen: Seen) -> Rule:
    """Return how to judge an output whose reference values were `seen`.

    Whole numbers are compared as labels. Values that stay within [0, 1] are probabilities: what exceeds a threshold is
    decided, and the mean is taken over thresholds around 0.5 (0.25 or 0.1 where hardly anything does), in a tensor that
    mixes them with others too; classes that share a sum of 1 beside an objectness count where that is decided, for
    elsewhere they mean nothing. One vector a frame decides for
    its greatest value, channels that compete at each place (by a softmax or as logits) for the greatest there, a single
    channel for its sign. What decides nothing, such as boxes, agrees within 5 % of its channel's spread.
    """
    if seen.dtype.kind != "f":
        return _labels(seen)
    probability = (seen.low >= -1e-6) & (seen.high <= 1 + 1e-6) & (seen.high - seen.low > 1e-6)
    vector = len(seen.shape) <= 2
    if vector and len(seen.low) > 1 and (seen.softmax_from() == 0 or not probability.any()):
        return _top_1(seen)
    competing = not probability.any() or seen.softmax_from() == 0
    boxes = len(seen.shape) == 3 and len(seen.low) == BOX and not probability.any()
    if competing and len(seen.low) > 1 and not boxes and (seen.winners >= ENOUGH).sum() > 1:
        return _argmax(seen)
    if probability.any() and (rule := _thresholded(seen, probability)) is not None:
        return rule
    if not probability.any() and len(seen.low) == 1 and ENOUGH <= seen.positive <= seen.elements - ENOUGH:
        return _sign(seen)
    return _regression(seen)


def relative(reference: Array, candidate: Array) -> tuple[float, float]:
    """Return the squared error and the squared reference, summed; their root ratio is the relative error."""
    wanted = reference.astype(np.float64)
    return float(np.square(candidate.astype(np.float64) - wanted).sum()), float(np.square(wanted).sum())


def _is_picture(size: tuple[int, ...], frame_size: tuple[int, int] | None) -> bool:
    if frame_size is None:
        return size[0] == size[1]
    ratios = [whole / max(part, 1) for whole, part in zip(frame_size, size, strict=True)]
    return ratios[0] == ratios[1] and (ratios[0] >= 1 and ratios[0].is_integer())


def _dice(reference: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> tuple[float, float]:
    return 2.0 * float((reference & candidate).sum()), float(reference.sum() + candidate.sum())


def _dice_of_classes(reference: Array, candidate: Array, classes: int) -> Counts:
    both = np.bincount(reference[reference == candidate], minlength=classes)
    each = np.bincount(reference, minlength=classes) + np.bincount(candidate, minlength=classes)
    return np.stack([2.0 * both, each.astype(np.float64)], axis=1)


def _labels(seen: Seen) -> Rule:
    labels = np.array(sorted(seen.labels), np.int64)
    if len(labels) > MOST_LABELS or int(np.prod(seen.shape)) < ENOUGH:

        def equal(reference: Array, candidate: Array) -> Counts:
            return np.array([[float((reference == candidate).sum()), float(reference.size)]])

        return Rule("share of equal whole numbers", None, np.ones(1, bool), equal)

    def dice(reference: Array, candidate: Array) -> Counts:
        both = [_dice(reference == label, candidate == label) for label in labels]
        return np.array(both, np.float64)

    return Rule(f"mean Dice of {len(labels)} labels", None, np.ones(len(labels), bool), dice)


def _top_1(seen: Seen) -> Rule:
    def count(reference: Array, candidate: Array) -> Counts:
        same = reference.argmax(axis=0) == candidate.argmax(axis=0)
        return np.array([[float(same.sum()), float(same.size)]])

    return Rule("same greatest value", seen.axis, np.ones(1, bool), count, ranked=True)


def _thresholded(seen: Seen, probability: NDArray[np.bool_]) -> Rule | None:
    positives = seen.above[:, probability].sum(axis=1)
    enough = [i for i, n in enumerate(positives) if n >= ENOUGH] or [i for i, n in enumerate(positives) if n > 0]
    if not enough:
        return None
    middle = THRESHOLDS[enough[0]]
    thresholds = [middle * around for around in AROUND]
    classes = seen.softmax_from()
    gated = bool(classes) and bool(probability[:classes].any())

    def decided(rows: Array, threshold: float) -> NDArray[np.bool_]:
        above = (rows > threshold) & probability[:, None]
        if gated:
            above[classes:] &= above[:classes].any(axis=0)
        return np.asarray(above, np.bool_)

    def objects(rows: Array) -> NDArray[np.bool_]:
        return np.asarray(decided(rows, middle).any(axis=0), np.bool_)

    others, reach = ~probability, _reach(seen, BESIDE_SHARE)

    def count(reference: Array, candidate: Array) -> Counts:
        counts = [_dice(decided(reference, t), decided(candidate, t)) for t in thresholds]
        if others.any():
            where = objects(reference)
            off = np.abs(candidate[others][:, where].astype(np.float64) - reference[others][:, where])
            near = off <= reach[others]
            counts.append((float(near.sum()), float(near.size)))
        return np.array(counts)

    span = f"{thresholds[0]:g} to {thresholds[-1]:g}"
    text = f"mean F1 of probabilities above {span}" + (", classes where an object is" if gated else "")
    if not others.any():
        return Rule(text, seen.axis, np.ones(len(thresholds), bool), count, objects)
    text += f"; or the share of the rest within {100 * BESIDE_SHARE:g} % of the spread there"
    return Rule(text, seen.axis, np.ones(len(thresholds) + 1, bool), count, objects, apart=1)


def _argmax(seen: Seen) -> Rule:
    kinds, background = seen.winners >= ENOUGH, int(seen.winners.argmax())

    def count(reference: Array, candidate: Array) -> Counts:
        return _dice_of_classes(reference.argmax(axis=0), candidate.argmax(axis=0), len(kinds))

    def objects(rows: Array) -> NDArray[np.bool_]:
        return np.asarray(rows.argmax(axis=0) != background, np.bool_)

    return Rule(f"mean Dice of {int(kinds.sum())} classes", seen.axis, kinds, count, objects, ranked=True)


def _sign(seen: Seen) -> Rule:
    def count(reference: Array, candidate: Array) -> Counts:
        wanted, found = reference > 0, candidate > 0
        return np.array([_dice(wanted, found), _dice(~wanted, ~found)])

    return Rule("mean Dice of both signs", seen.axis, np.ones(2, bool), count, ranked=True)


def _regression(seen: Seen) -> Rule:
    reach = _reach(seen, REGRESSION_SHARE)

    def count(reference: Array, candidate: Array) -> Counts:
        near = np.abs(candidate.astype(np.float64) - reference) <= reach
        return np.array([[float(near.sum()), float(near.size)]])

    return Rule(REGRESSION, seen.axis, np.ones(1, bool), count)


def _reach(seen: Seen, share: float) -> NDArray[np.float64]:
    """Return how far each channel's values may move, [channels, 1]."""
    # A channel that never changes has no spread; rounding must not count as disagreement there.
    least = 1e-3 * np.maximum(np.abs(seen.low), np.abs(seen.high)) + 1e-7
    return np.asarray(np.maximum(share * seen.spread(), least)[:, None], np.float64)


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


def count_frame(rule: Rule, reference: Array, candidate: Array, teller: tuple[Rule, Array] | None = None) -> Counts:
    """Return the counts [K, 2] of one frame; a candidate with NaN or infinity in it agrees in nothing.

    `teller` is the rule and the reference of the output that says where this one counts.
    """
    bad = candidate.shape != reference.shape or not np.isfinite(candidate).all()
    wanted = by_channel(reference, rule.axis)
    found = wanted if bad else by_channel(candidate, rule.axis)
    if teller is not None and teller[0].objects is not None:
        where = teller[0].objects(by_channel(teller[1], teller[0].axis))
        wanted, found = wanted[:, where], found[:, where]
    counts = rule.count(wanted, found)
    if bad:
        counts[:, 0] = 0
    return counts


def add_counts(frames: Iterable[Counts]) -> Counts:
    """Return the sum of several frames' counts."""
    return np.asarray(np.sum(np.stack(list(frames)), axis=0), np.float64)


def _places(shape: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    """Return the sizes of all axes but the channels' and those of length 1."""
    return tuple(size for place, size in enumerate(shape) if place != axis and size != 1)
