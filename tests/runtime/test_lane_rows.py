"""The lane_rows codec: encode and decode agree to a fraction of a cell, and decode is UFLDv2's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.errors import InputError
from edgecnn.core.results import Lanes
from edgecnn.runtime.codecs.lane_rows import ABSENT, LaneRowsCodec

grids = st.fixed_dictionaries(
    {
        "cells": st.integers(8, 200),
        "rows": st.integers(4, 72),
        "lanes": st.sampled_from([2, 4, 6]),
        "min_valid": st.just(0.1),
    }
)


def ideal_outputs(codec, column):
    """Return the logits of a network that has learnt `column` perfectly: its two nearest cells share the mass."""
    grid = codec.grid
    loc = np.full((1, grid.cells, grid.rows, grid.lanes), -40.0, np.float32)
    exist = np.zeros((1, 2, grid.rows, grid.lanes), np.float32)
    for r, lane in np.ndindex(grid.rows, grid.lanes):
        place = column[r, lane]
        exist[0, int(place > ABSENT), r, lane] = 9
        if place > ABSENT:
            left = int(np.clip(np.floor(place), 0, grid.cells - 2))
            share = np.clip(place - left, 1e-12, 1 - 1e-12)
            loc[0, left, r, lane], loc[0, left + 1, r, lane] = np.log(1 - share), np.log(share)
    return {"loc": loc, "exist": exist}


@given(grids, st.integers(64, 2000), st.integers(48, 1200), st.data())
def test_round_trip_is_exact_away_from_the_border(params, width, height, data):
    codec = LaneRowsCodec(params)
    position = data.draw(st.sampled_from(codec.positions))
    top, bottom = data.draw(st.floats(0.1, 0.9)), data.draw(st.floats(0.1, 0.9))
    line = np.array([[top * width, 0], [bottom * width, height]], np.float32)
    encoded = codec.encode(Lanes((line,), width, height, (position,)))
    found = codec.decode(ideal_outputs(codec, encoded["column"]), width, height)
    assert found.positions == (position,)
    cell = width / (codec.grid.cells - 1)
    expected = np.interp(found.lines[0][:, 1], line[:, 1], line[:, 0])
    assert np.abs(found.lines[0][:, 0] - expected).max() < 0.02 * cell


@given(grids, st.floats(0.0, 0.999))
def test_one_hot_cell_is_never_more_than_half_a_cell_off_and_unbiased(params, x):
    codec = LaneRowsCodec(params)
    cells = codec.grid.cells
    cell = int(x * (cells - 1))
    assert cell == round(float(x * (cells - 1) - 0.5 + 1e-9)) or abs(x * (cells - 1) % 1) < 1e-6
    assert abs((cell + 0.5) / (cells - 1) - x) <= 0.5 / (cells - 1) + 1e-9


def naive_decode(codec, outputs, width, height):
    """Return UFLDv2's demo decode written as plain loops, one list of points a lane slot."""
    grid, loc, exist = codec.grid, outputs["loc"][0], outputs["exist"][0]
    lanes = []
    for lane in range(grid.lanes):
        points = []
        for row in range(grid.rows):
            if exist[:, row, lane].argmax() == 1:
                k = int(loc[:, row, lane].argmax())
                window = list(range(max(0, k - 1), min(grid.cells - 1, k + 1) + 1))
                p = np.exp(loc[window, row, lane] - loc[window, row, lane].max())
                x = ((p / p.sum() * window).sum() + 0.5) / (grid.cells - 1) * width
                points.append((x, codec.anchors[row] * height))
        if len(points) > grid.min_valid * grid.rows and len(points) >= 2:
            lanes.append((codec.positions[lane], points))
    return lanes


@given(grids, st.integers(0, 2**32 - 1))
def test_decode_matches_plain_loops(params, seed):
    codec = LaneRowsCodec(params)
    rng = np.random.default_rng(seed)
    outputs = {spec.name: rng.normal(0, 3, spec.shape).astype(np.float32) for spec in codec.outputs}
    found = codec.decode(outputs, 1280, 720)
    expected = naive_decode(codec, outputs, 1280, 720)
    assert found.positions == tuple(position for position, _ in expected)
    for line, (_, points) in zip(found.lines, expected, strict=True):
        np.testing.assert_allclose(line, np.array(points), rtol=1e-4, atol=0.02)
    assert ((found.scores > 0.5) & (found.scores <= 1)).all()


def test_slots_number_lines_outward_from_the_car():
    assert LaneRowsCodec({"lanes": 4}).positions == (-2, -1, 1, 2)
    assert LaneRowsCodec({"lanes": 2}).positions == (-1, 1)


def test_a_line_outside_the_slots_and_points_outside_the_frame_are_absent():
    codec = LaneRowsCodec({"lanes": 2, "cells": 11, "rows": 5, "top": 0, "bottom": 1})
    line = np.array([[-50, 0], [150, 100]], np.float32)
    far = codec.encode(Lanes((line,), 100, 100, (3,)))["column"]
    near = codec.encode(Lanes((line,), 100, 100, (1,)))["column"]
    assert (far == ABSENT).all()
    assert (near[:, 0] == ABSENT).all()
    assert (near[:, 1] > ABSENT).tolist() == [False, True, True, False, False]


def test_a_truth_that_names_no_rows_is_judged_at_the_codec_s():
    codec = LaneRowsCodec({"rows": 3, "top": 0.5, "bottom": 1.0})
    assert codec.truth(Lanes((), 640, 360)).rows.tolist() == [180, 270, 360]
    named = Lanes((), 640, 360, rows=np.array([7], np.float32))
    assert codec.truth(named) is named


@pytest.mark.parametrize("params", [{"cels": 100}, {"lanes": 3}, {"cells": "many"}, {"top": 0.9, "bottom": 0.2}])
def test_bad_parameters_are_one_clear_line(params):
    with pytest.raises(InputError, match="lane_rows") as caught:
        LaneRowsCodec(params)
    assert "\n" not in str(caught.value)
