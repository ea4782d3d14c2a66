"""Lane lines that tests write and read back, in frames of 160x90."""

import numpy as np
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.data.sample import Sample


def points(*pairs):
    return np.array(pairs, np.float32)


def same_lines(one, two, within=0.0):
    """Whether two lists of lines hold the same ones, in any order, each coordinate `within` so many pixels."""
    one, two = (sorted(lines, key=lambda line: line.tolist()) for lines in (one, two))
    return len(one) == len(two) and all(
        a.shape == b.shape and np.abs(a - b).max() <= within for a, b in zip(one, two, strict=True)
    )


@st.composite
def lane_samples(draw, image, width=160, height=90):
    """A labelled picture of up to four lines, some of whose points are outside the frame."""
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        rows = sorted(draw(st.sets(st.integers(0, 10 * height), min_size=2, max_size=6)))
        columns = draw(st.lists(st.floats(-width, 2 * width, width=32), min_size=len(rows), max_size=len(rows)))
        lines.append(np.stack([np.array(columns, np.float32), np.array(rows, np.float32) / 10], axis=1))
    return Sample(image, Lanes(tuple(lines), width, height), where="made:1")
