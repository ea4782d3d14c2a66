"""How each kind of output is judged: what it decides, and how far a small disturbance moves that."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.decisions import (
    ENOUGH,
    MOST_LABELS,
    REGRESSION,
    REGRESSION_SHARE,
    THRESHOLDS,
    Array,
    Counts,
    Rule,
    Seen,
)

AROUND = (0.6, 0.8, 1.0, 1.2, 1.4)
"""Thresholds that are averaged over, as parts of the one chosen: one alone is at the mercy of single values near it,
and a search that tries many candidates finds those that are lucky there."""
BESIDE_SHARE = 0.2
"""Share of its spread that a value may move where it only goes with a decision, as the box of an object does."""
BOX = 4


def rule_of(seen: Seen) -> Rule:
    """Return how to judge an output whose reference values were `seen`.

    Whole numbers are compared as labels. Values that stay within [0, 1] are probabilities: what exceeds a threshold is
    decided, and the mean is taken over thresholds around 0.5 (0.25 or 0.1 where hardly anything does). What stands
    beside them in the same tensor belongs to the decision: an object of another class, of those that share a sum of 1,
    or with another box is another object. One vector a frame decides for
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

        return Rule("share of equal whole numbers", None, np.ones(1, bool), equal, _complement(equal))

    def dice(reference: Array, candidate: Array) -> Counts:
        both = [_dice(reference == label, candidate == label) for label in labels]
        return np.array(both, np.float64)

    return Rule(f"mean Dice of {len(labels)} labels", None, np.ones(len(labels), bool), dice, _complement(dice))


def _complement(count: Callable[[Array, Array], Counts]) -> Callable[[Array, Array], Counts]:
    """Return what does not agree, where values are whole and nothing lies between."""

    def shift(reference: Array, candidate: Array) -> Counts:
        counts = count(reference, candidate)
        return np.stack([counts[:, 1] - counts[:, 0], counts[:, 1]], axis=1)

    return shift


def _shift_of_ranks(reference: Array, candidate: Array) -> tuple[Array, Array]:
    """Return by place which channel is greatest in the reference, and how far the candidate took its lead, 0 to 1."""
    top = reference.argmax(axis=0)
    places = np.arange(reference.shape[1])
    lead = reference[top, places].astype(np.float64) - reference
    left = candidate[top, places].astype(np.float64) - candidate
    taken = np.clip((lead - left) / np.maximum(lead, 1e-12), 0, 1)
    taken[top, places] = 0
    return top, taken.max(axis=0)


def _clipped(off: Array, reach: Array) -> Array:
    return np.asarray(np.minimum(np.abs(off) / reach, 1))


def _top_1(seen: Seen) -> Rule:
    def count(reference: Array, candidate: Array) -> Counts:
        same = reference.argmax(axis=0) == candidate.argmax(axis=0)
        return np.array([[float(same.sum()), float(same.size)]])

    def shift(reference: Array, candidate: Array) -> Counts:
        taken = _shift_of_ranks(reference, candidate)[1]
        return np.array([[float(taken.sum()), float(taken.size)]])

    return Rule("same greatest value", seen.axis, np.ones(1, bool), count, shift, ranked=True)


def _thresholded(seen: Seen, probability: NDArray[np.bool_]) -> Rule | None:
    positives = seen.above[:, probability].sum(axis=1)
    enough = [i for i, n in enumerate(positives) if n >= ENOUGH] or [i for i, n in enumerate(positives) if n > 0]
    if not enough:
        return None
    middle = THRESHOLDS[enough[0]]
    thresholds = [middle * around for around in AROUND]
    classes = seen.softmax_from()
    gated = bool(classes) and bool(probability[:classes].any())
    deciding = probability.copy()
    deciding[classes if gated else len(deciding) :] = False
    place = _Place(classes if gated else None, ~probability, _reach(seen, BESIDE_SHARE))

    def objects(rows: Array) -> NDArray[np.bool_]:
        return np.asarray((rows[deciding] > middle).any(axis=0), np.bool_)

    def count(reference: Array, candidate: Array) -> Counts:
        wanted, found, same = reference[deciding], candidate[deciding], place.moved(reference, candidate) < 1
        return np.array([_dice_where(wanted > t, found > t, same) for t in thresholds])

    def shift(reference: Array, candidate: Array) -> Counts:
        low, high = thresholds[0], thresholds[-1]
        # Summed over all thresholds between, flips add up to how far values move between the two.
        wanted, found = (np.clip(rows[deciding].astype(np.float64), low, high) - low for rows in (reference, candidate))
        moved = np.abs(wanted - found) + 2 * np.minimum(wanted, found) * place.moved(reference, candidate)
        return np.array([[float(moved.sum()), float(wanted.sum() + found.sum())]] * len(thresholds))

    text = f"mean F1 of probabilities above {thresholds[0]:g} to {thresholds[-1]:g}"
    text += ", with the same greatest class" if gated else ""
    if place.beside.any():
        text += f"{',' if not gated else ' and'} the rest within {100 * BESIDE_SHARE:g} % of its spread"
    return Rule(text, seen.axis, np.ones(len(thresholds), bool), count, shift, objects)


@dataclass(frozen=True, slots=True)
class _Place:
    """What has to hold beside a decision at a place for it to be the same decision.

    Attributes:
        classes: the channel from which on classes compete there; None where none do.
        beside: channels that go with it, such as an object's box, [channels].
        reach: how far each channel may move, [channels, 1].
    """

    classes: int | None
    beside: NDArray[np.bool_]
    reach: Array

    def moved(self, reference: Array, candidate: Array) -> NDArray[np.float64]:
        """Return by place how far that moved, 0 to 1; at 1 it is another decision."""
        found = np.zeros(reference.shape[1])
        if self.classes is not None:
            found = _shift_of_ranks(reference[self.classes :], candidate[self.classes :])[1]
        if self.beside.any():
            off = candidate[self.beside].astype(np.float64) - reference[self.beside]
            found = np.maximum(found, _clipped(off, self.reach[self.beside]).max(axis=0) ** 2)
        return found


def _dice_where(reference: NDArray[np.bool_], candidate: NDArray[np.bool_], same: NDArray[np.bool_]) -> list[float]:
    return [2.0 * float((reference & candidate & same).sum()), float(reference.sum() + candidate.sum())]


def _argmax(seen: Seen) -> Rule:
    kinds, background = seen.winners >= ENOUGH, int(seen.winners.argmax())

    def count(reference: Array, candidate: Array) -> Counts:
        return _dice_of_classes(reference.argmax(axis=0), candidate.argmax(axis=0), len(kinds))

    def objects(rows: Array) -> NDArray[np.bool_]:
        return np.asarray(rows.argmax(axis=0) != background, np.bool_)

    def shift(reference: Array, candidate: Array) -> Counts:
        top, taken = _shift_of_ranks(reference, candidate)
        return np.stack([np.bincount(top, part, len(kinds)) for part in (taken, np.ones(len(top)))], axis=1)

    return Rule(f"mean Dice of {int(kinds.sum())} classes", seen.axis, kinds, count, shift, objects, ranked=True)


def _sign(seen: Seen) -> Rule:
    def count(reference: Array, candidate: Array) -> Counts:
        wanted, found = reference > 0, candidate > 0
        return np.array([_dice(wanted, found), _dice(~wanted, ~found)])

    def shift(reference: Array, candidate: Array) -> Counts:
        wanted = reference.astype(np.float64)
        taken = _clipped(candidate - wanted, np.maximum(np.abs(wanted), 1e-12))
        return np.array([[float(taken[side].sum()), float(side.sum())] for side in (wanted > 0, wanted <= 0)])

    return Rule("mean Dice of both signs", seen.axis, np.ones(2, bool), count, shift, ranked=True)


def _regression(seen: Seen) -> Rule:
    reach = _reach(seen, REGRESSION_SHARE)

    def count(reference: Array, candidate: Array) -> Counts:
        near = np.abs(candidate.astype(np.float64) - reference) <= reach
        return np.array([[float(near.sum()), float(near.size)]])

    def shift(reference: Array, candidate: Array) -> Counts:
        off = candidate.astype(np.float64) - reference
        return np.array([[float(_clipped(off, reach).sum()), float(off.size)]])

    return Rule(REGRESSION, seen.axis, np.ones(1, bool), count, shift)


def _reach(seen: Seen, share: float) -> NDArray[np.float64]:
    """Return how far each channel's values may move, [channels, 1]."""
    # A channel that never changes has no spread; rounding must not count as disagreement there.
    least = 1e-3 * np.maximum(np.abs(seen.low), np.abs(seen.high)) + 1e-7
    return np.asarray(np.maximum(share * seen.spread(), least)[:, None], np.float64)
