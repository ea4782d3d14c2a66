"""Surfaces: exact where times factorise, right at the corner, whole groups together, and few points."""

import pytest
from fake_times import FakeTimes, by_work, in_blocks
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.prune.surface import MOST_LEVELS, Surface
from edgecnn.core.layers import LayerShape

CONV = LayerShape(op="conv", in_channels=64, out_channels=96, kernel=(3, 3), in_size=(8, 8), out_size=(8, 8))
EIGHTS = range(8, 96, 8)


def filled(rule, shape=CONV, inputs=range(8, 64, 8), outputs=EIGHTS, *, blocks=False) -> Surface:
    surface = Surface(shape, inputs, outputs, blocks=blocks)
    assert surface.fill(FakeTimes(rule))
    return surface


@given(st.integers(1, 64), st.integers(1, 96))
def test_time_by_work_is_exact_everywhere(inputs, outputs):
    # Below the least level the time goes on along the line, which by work passes through 0.
    assert filled(by_work).time_ms(inputs, outputs) == pytest.approx(by_work(CONV.with_channels(inputs, outputs)))


@given(st.sampled_from(range(16, 97, 16)), st.sampled_from(range(8, 65, 8)))
def test_steps_between_blocks_are_kept(outputs, inputs):
    surface = filled(in_blocks, outputs=range(16, 96, 16))
    assert surface.time_ms(inputs, outputs) == pytest.approx(in_blocks(CONV.with_channels(inputs, outputs)))


@given(st.sampled_from(range(8, 65, 8)), st.sampled_from(range(8, 97, 8)))
def test_time_by_memory_is_near(inputs, outputs):
    shape = LayerShape(op="conv", in_channels=64, out_channels=96, in_size=(8, 8), out_size=(8, 8))
    surface = filled(lambda one: float(one.read + one.written), shape)
    wanted = 64 * inputs + 64 * outputs
    assert surface.time_ms(inputs, outputs) == pytest.approx(wanted, rel=0.1)
    assert surface.time_ms(8, 8) == pytest.approx(64 * 16)


def test_depthwise_layers_lose_groups():
    shape = LayerShape(op="conv", in_channels=32, out_channels=32, groups=32, in_size=(4, 4), out_size=(4, 4))
    surface = filled(by_work, shape, range(8, 32, 8), range(8, 32, 8), blocks=True)
    assert {(p.in_channels, p.out_channels, p.groups) for p in surface.points} == {(n, n, n) for n in (8, 16, 24, 32)}
    assert surface.time_ms(16, 16) == pytest.approx(by_work(shape.with_groups(16)))


def test_grouped_layers_are_asked_for_at_widths_that_groups_divide():
    shape = LayerShape(op="conv", in_channels=24, out_channels=24, groups=3, in_size=(4, 4), out_size=(4, 4))
    points = list(Surface(shape, range(4, 24, 4), range(4, 24, 4), blocks=False).points)
    assert all(point.in_channels % 3 == 0 and point.out_channels % 3 == 0 for point in points)


def test_points_are_few_and_the_most_telling_come_first():
    points = list(Surface(CONV, range(1, 64), range(1, 96), blocks=False).points)
    assert (points[0].in_channels, points[0].out_channels) == (64, 96)
    assert (points[1].in_channels, points[1].out_channels) == (1, 1)
    assert len(set(points)) <= 2 * MOST_LEVELS + 1


def test_an_activation_is_no_other_layer():
    surface = Surface(CONV, [], [], blocks=False)
    assert surface.full.activation


@pytest.mark.parametrize("known", [{(64, 96)}, {(64, 96), (8, 96)}, {(64, 96), (8, 8), (64, 48)}])
def test_points_that_are_missing_are_bridged(known):
    surface = filled(lambda s: by_work(s) if (s.in_channels, s.out_channels) in known else None)
    assert 0 < surface.time_ms(32, 48) <= surface.time_ms(64, 96)


def test_a_layer_of_unknown_time_is_told():
    assert not Surface(CONV, [], [], blocks=False).fill(FakeTimes(lambda _: None))
