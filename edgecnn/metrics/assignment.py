"""Assignment of rows to columns for the greatest sum (Kuhn 1955, Munkres 1957)."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def assign(gain: Float, tolerance: float = 1e-9) -> list[int]:
    """Return by row of `gain` [R, C] the column it is assigned, -1 for rows that are left over.

    Edges within `tolerance` of being tight are taken for tight, so that the sum may be that much short an edge.
    """
    if gain.shape[0] > gain.shape[1]:
        return _inverse(assign(gain.T, tolerance), gain.shape[0])
    rows, columns = gain.shape
    slack = gain.max(axis=1, keepdims=True) - gain
    holder = [-1] * columns
    for row in range(rows):
        while True:
            seen: tuple[set[int], set[int]] = (set(), set())
            if _augment(row, np.abs(slack) < tolerance, holder, *seen):
                break
            reached, open_ = sorted(seen[0]), [column for column in range(columns) if column not in seen[1]]
            step = slack[np.ix_(reached, open_)].min()
            slack[reached] -= step
            slack[:, sorted(seen[1])] += step
    return _inverse(holder, rows)


def _augment(row: int, tight: NDArray[np.bool_], holder: list[int], rows: set[int], columns: set[int]) -> bool:
    """Give `row` a column along tight edges, moving other rows on where need be; note what was reached."""
    rows.add(row)
    for column in np.flatnonzero(tight[row]).tolist():
        if column in columns:
            continue
        columns.add(column)
        if holder[column] < 0 or _augment(holder[column], tight, holder, rows, columns):
            holder[column] = row
            return True
    return False


def _inverse(places: list[int], count: int) -> list[int]:
    found = [-1] * count
    for place, one in enumerate(places):
        if one >= 0:
            found[one] = place
    return found
