"""Candidates: multiples of what they must be, above the floor, the whole group among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.widths import candidates


@given(st.integers(1, 4096), st.sampled_from([1, 1, 2, 4, 6]), st.floats(0, 1), st.sampled_from([None, 1, 8, 16, 32]))
def test_candidates_keep_every_promise(blocks, unit, floor, align):
    group = Group("g", blocks * unit, unit, {"g": 1}, {})
    found = candidates(group, floor, align)
    assert found == sorted(set(found))
    assert found[-1] == group.channels
    assert all(width % unit == 0 and width >= floor * group.channels for width in found)
    assert all(width % (align or 1) == 0 for width in found[:-1])


@pytest.mark.parametrize(
    ("channels", "align", "widths"),
    [
        (16, None, [4, 8, 12, 16]),
        (64, None, [8, 16, 24, 32, 40, 48, 56, 64]),
        (96, None, [16, 32, 48, 64, 80, 96]),
        (96, 32, [32, 64, 96]),
        (3, None, [3]),
        (30, 8, [8, 16, 24, 30]),
    ],
)
def test_examples(channels, align, widths):
    assert candidates(Group("g", channels, 1, {}, {}), 0.05, align) == widths


def test_wide_groups_have_no_more_candidates_than_narrow_ones():
    assert len(candidates(Group("g", 8192, 1, {}, {}), 0)) <= 17


@pytest.mark.parametrize("bad", [{"floor": -0.1}, {"floor": 1.1}, {"align": 0}])
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError):
        candidates(Group("g", 16, 1, {}, {}), **bad)
