"""Strips and dashes cover exactly the share of each pixel that they cover on the road."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.road.alignment import sample_alignment, straight
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import look, sight
from edgecnn.data.road.layout import Line
from edgecnn.data.road.noise import TILE, fractal, tile
from edgecnn.data.road.paint import dashes, paint_line, strip

CAMERA = Camera(320, 180, 260, 160, 90, 1.5, 0.05)


def ground_of(road):
    return look(CAMERA, road, sight(CAMERA, road))


STRAIGHT = ground_of(straight())


@given(st.floats(-1.5, 1.5), st.floats(0.02, 0.5))
def test_a_strip_covers_its_width_in_every_row(offset, width_m):
    pixels = strip(STRAIGHT, offset, width_m)
    wide = np.zeros(len(STRAIGHT.along))
    np.add.at(wide, pixels.rows, pixels.cover)
    inside = np.abs(STRAIGHT.column(offset) - 160) < 130
    assert np.allclose((wide * STRAIGHT.scale)[inside], width_m, rtol=1e-3, atol=1e-4)


@given(st.integers(0, 1000), st.floats(-1.5, 1.5))
def test_the_middle_of_a_strip_is_its_line(seed, offset):
    ground = ground_of(sample_alignment(np.random.default_rng(seed), curved=True, urban=False))
    pixels = strip(ground, offset, 0.3)
    total, moment = np.zeros(len(ground.along)), np.zeros(len(ground.along))
    np.add.at(total, pixels.rows, pixels.cover)
    np.add.at(moment, pixels.rows, pixels.cover * (pixels.columns + 0.5))
    middle = ground.column(offset)
    whole = (np.abs(middle - 160) < 120) & (np.abs(np.gradient(middle)) < 8) & (total > 4)
    # Partly covered pixels at both edges count at their own middle, which moves the sum by at most 1/8 pixel a width.
    assert np.abs(moment[whole] / total[whole] - middle[whole]).max(initial=0) < 0.05


@given(st.floats(0.5, 8), st.floats(0.5, 14), st.floats(0, 30))
def test_dashes_equal_a_fine_count(dash_m, gap_m, phase_m):
    share = dashes(STRAIGHT, dash_m, gap_m, phase_m)
    part = (np.arange(4000) + 0.5) / 4000 - 0.5
    places = STRAIGHT.along[:, None] + STRAIGHT.length[:, None] * part + phase_m
    counted = (places % (dash_m + gap_m) < dash_m).mean(axis=1)
    # Steps of the count weigh 1/4000 each, and a row may hold many dashes.
    assert np.allclose(share, counted, atol=0.02)


def test_every_style_paints_and_wear_takes_paint_away():
    def painted(style, wear):
        coat = Coat(np.full((*STRAIGHT.across.shape, 4), 60, np.uint8), np.ones(STRAIGHT.across.shape, np.float32))
        line = Line(0.5, style, "white", 0.15, wear=wear, reflectors=style == "dashed")
        paint_line(np.random.default_rng(0), line, STRAIGHT, coat)
        return coat.albedo[..., :3].astype(float).sum() - 60.0 * 3 * STRAIGHT.across.size

    fresh = {style: painted(style, 0.0) for style in ("solid", "dashed", "double", "solid_dashed", "dots")}
    assert all(amount > 0 for amount in fresh.values())
    assert fresh["dots"] < fresh["dashed"] < fresh["solid"] < fresh["solid_dashed"] < fresh["double"]
    assert painted("solid", 0.8) < 0.7 * fresh["solid"]


def test_textures_tile_and_have_the_statistics_they_promise():
    field = fractal(1, 1.2, 4.0)
    assert field.shape == (TILE, TILE)
    assert abs(field.mean()) < 1e-3
    assert abs(field.std() - 1) < 1e-3
    inner = np.abs(np.diff(field, axis=1)).mean()
    assert abs(np.abs(field[:, 0] - field[:, -1]).mean() / inner - 1) < 0.5


def test_texture_lookup_at_fewer_columns_is_close_to_the_full_one():
    field = tile(0, 1.5)
    full = STRAIGHT.texture(field, 0.5, 0.5, (7.0, 3.0))
    sparse = STRAIGHT.texture(field, 0.5, 0.5, (7.0, 3.0), every=4)
    assert full.shape == sparse.shape == STRAIGHT.across.shape
    assert np.abs(full - sparse)[-60:].mean() < 0.03
