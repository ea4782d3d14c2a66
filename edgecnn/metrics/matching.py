"""Which found object is which true one: greedily, best score first, as COCO's and Caltech's evaluators match."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import Float

Bool = NDArray[np.bool_]
Int = NDArray[np.int64]

ANY_CLASS = frozenset({"ignore", "ignore region", "dontcare", "don't care", "region"})
"""Labels of regions where nothing is judged, whatever its class."""


class Matched(NamedTuple):
    """Found objects of one class in one frame, best score first, under S settings of a metric.

    Attributes:
        scores: float64 [D].
        hit: bool [S, D], found objects that are a true one.
        out: bool [S, D], those that count neither as right nor as wrong.
        wanted: int64 [S], true objects that count.
    """

    scores: Float
    hit: Bool
    out: Bool
    wanted: Int


def by_class(found: Detections, true: Detections) -> Iterator[tuple[str, Int, Int]]:
    """Yield each class's name, its found objects (best score first, ties in their order) and its true ones.

    Regions to be ignored of no class of their own (`ANY_CLASS`, or label -1) are among the true ones of every class.
    """
    order = np.argsort(-found.scores.astype(np.float64), kind="stable")
    found_names, true_names = _names(found), _names(true)
    regions = [i for i, name in enumerate(true_names) if true.ignored[i] and name in ANY_CLASS]
    own = set(true_names) - {true_names[i] for i in regions}
    for name in dict.fromkeys([*sorted(own), *found_names]):
        places = [i for i, one in enumerate(true_names) if one == name or i in regions]
        yield name, order[[found_names[i] == name for i in order]], np.array(places, np.int64)


def greedy(overlap: Float, ignored: Bool, many: Bool, thresholds: Sequence[float], active: Bool) -> Int:
    """Return int64 [A, T, D]: the true object each found one takes, or -1.

    One that counts is preferred to an ignored one; among several the greatest overlap wins, the last of equals.

    Args:
        overlap: [A, D, G], found objects best score first, in each of A settings.
        ignored: [A, G], true objects that need not be found.
        many: [A, G], those that any number of found objects may take.
        thresholds: T least overlaps.
        active: [A, D], found objects that take part.
    """
    settings, count, true = overlap.shape
    taken = np.full((settings, len(thresholds), count), -1, np.int64)
    if not true or not count:
        return taken
    least = np.minimum(np.asarray(thresholds), 1 - 1e-10)[None, :, None]
    free = np.ones((settings, len(thresholds), true), bool)
    for d in np.flatnonzero(((overlap.max(axis=2) >= least.min()) & active).any(axis=0)):
        one = overlap[:, None, d, :]
        open_ = (one >= least) & free & active[:, None, d, None]
        real = open_ & ~ignored[:, None, :]
        eligible = np.where(real.any(axis=2, keepdims=True), real, open_)
        best = true - 1 - np.argmax(np.where(eligible, one, -1.0)[:, :, ::-1], axis=2)
        some = eligible.any(axis=2)
        taken[:, :, d] = np.where(some, best, -1)
        a, t = np.nonzero(some)
        g = best[a, t]
        free[a, t, g] = many[a, g]
    return taken


def _names(objects: Detections) -> list[str]:
    named = objects.names
    return [named[i] if 0 <= i < len(named) else ("ignore" if i < 0 else str(i)) for i in objects.labels.tolist()]
