"""Frames that are all alike: ranges taken from them hold for one picture, and agreement on them says nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.data.spool import Spool


def told_alike(frames: Spool, source: str) -> tuple[str, ...]:
    """Return a line for the user if every frame of `frames`, read from `source`, is the same as the first; else none.

    Raises:
        DataError: they are, and hold one value in the whole of each input, as frames never written do.
    """
    first = frames[0]
    # Of different frames two differ at once as a rule, so that no more than two are read.
    if any(_differ(first, frames[place]) for place in range(len(frames) - 1, 0, -1)):
        return ()
    sized = [array for array in first.values() if array.size > 1]
    if sized and all((array == array.flat[0]).all() for array in sized):
        raise DataError(f"{source}: every frame holds one value only; give frames such as the model will see")
    if len(frames) == 1:
        return ()
    text = f"the {len(frames)} calibration frames are all the same: ranges and agreement hold for that one frame only"
    return (f"{text}; give frames that differ as those that the model will see",)


def _differ(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return any(not np.array_equal(array, other[name]) for name, array in one.items())
