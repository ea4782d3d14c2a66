"""Assignments against trying all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.metrics.assignment import assign


def best(gain):
    rows, columns = gain.shape
    if rows > columns:
        return best(gain.T)
    return max(sum(gain[i, j] for i, j in enumerate(pick)) for pick in itertools.permutations(range(columns), rows))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1e-9, 1e-2]))
def test_no_other_assignment_is_better(seed, rows, columns, tolerance):
    gain = np.random.default_rng(seed).choice([0, 0.2, 0.5, 0.9, 1.0], (rows, columns))
    found = assign(gain, tolerance)
    pairs = [(i, j) for i, j in enumerate(found) if j >= 0]
    assert len(pairs) == min(rows, columns)
    assert len({j for _, j in pairs}) == len(pairs)
    assert sum(gain[i, j] for i, j in pairs) == pytest.approx(best(gain), abs=1e-6)


def test_the_tolerance_keeps_the_first_pairs_that_are_nearly_best():
    gain = np.array([[0.600, 0.605], [0.600, 0.600]])
    assert assign(gain) == [1, 0]
    assert assign(gain, 1e-2) == [1, 0]
    assert assign(np.array([[0.605, 0.600], [0.600, 0.590]]), 1e-2) in ([1, 0], [0, 1])
