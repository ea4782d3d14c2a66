"""A line's x at a height: through its points, half a step beyond its ends, and nowhere else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.results import x_at


@given(st.floats(-2, 2), st.floats(0, 1000), st.floats(1, 20), st.integers(3, 40))
def test_a_straight_line_is_carried_on_straight_for_half_a_step(slope, start, step, count):
    y = start + step * np.arange(count)
    line = np.stack([300 + slope * (y - start), y], 1).astype(np.float32)
    asked = np.array([y[0] - 0.45 * step, y[0], y[1] + 0.3 * step, y[-1], y[-1] + 0.45 * step])
    np.testing.assert_allclose(x_at(line, asked), 300 + slope * (asked - start), atol=0.05)
    assert np.isnan(x_at(line, np.array([y[0] - 0.6 * step, y[-1] + 0.6 * step]))).all()


def test_a_line_of_two_points_ends_at_them():
    line = np.array([[0, 10], [100, 110]], np.float32)
    found = x_at(line, np.array([9, 10, 60, 110, 111]))
    assert np.isnan(found).tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(found[1:4], [0, 50, 100])
