"""People: the same from the same numbers, boxes that hold what was painted, any pose from any side."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.road.alignment import straight
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.light import sample_light
from edgecnn.data.road.people import ACTIONS, KINDS, draw_person, outline, sample_person
from edgecnn.data.road.people.carried import LOADS
from edgecnn.data.road.people.figure import build_parts
from edgecnn.data.road.people.loads import Load
from edgecnn.data.road.people.measures import sample_measures
from edgecnn.data.road.view import stand

AWAY_M = 12.0


def view_of(tall_px=60.0, time="day", weather="clear", size=None):
    """Return a view in which 1.7 m at AWAY_M are `tall_px` high, in the middle of the picture."""
    focal = tall_px * AWAY_M / 1.7
    width, height = size or (int(3 * tall_px), int(2 * tall_px))
    light = sample_light(np.random.default_rng(5), time, weather)
    return stand(
        Camera(width, height, focal, width / 2, 0.9 * height - 1.3 * focal / AWAY_M, 1.3, 0.0), straight(), light
    )


def canvas(view, level=110):
    return np.full((view.camera.height, view.camera.width, 3), level, np.uint8)


def extent(painted):
    """Return the box of the alpha in the picture: pixels that are at least a little covered."""
    rows, columns = np.nonzero(painted.alpha > 10)
    top, left = painted.window[0].start, painted.window[1].start
    return left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1


def bare(person):
    """Return the person without anything that could hide them."""
    return replace(person, loads=(), cycle=None)


def test_the_same_numbers_give_the_same_person_and_picture():
    pictures = []
    for _ in range(2):
        view = view_of()
        pictures.append(canvas(view))
        draw_person(view, sample_person(np.random.default_rng(4), AWAY_M, 0.0), pictures[-1])
        build_parts.cache_clear()
    assert np.array_equal(*pictures)
    other = canvas(view)
    draw_person(view, sample_person(np.random.default_rng(5), AWAY_M, 0.0), other)
    assert not np.array_equal(pictures[0], other)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("tall_px", [30, 120, 300])
def test_the_box_is_what_was_painted_to_a_pixel(action, tall_px):
    view = view_of(tall_px)
    for seed in range(3):
        person = bare(sample_person(np.random.default_rng([seed, tall_px]), AWAY_M, 0.0, action=action))
        assert np.abs(np.subtract(outline(view, person), extent(draw_person(view, person, canvas(view))))).max() <= 1.02


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_from_every_side(kind):
    view = view_of(80)
    for step in range(8):
        person = sample_person(np.random.default_rng(step), AWAY_M, 0.0, kind=kind, heading_rad=step * math.pi / 4)
        assert person.kind == kind
        assert (person.cycle is not None) == (kind == "rider")
        picture = canvas(view)
        painted = draw_person(view, person, picture)
        assert (painted.alpha <= painted.cover).all()
        assert (painted.alpha > 250).sum() > 150
        # Whatever changed lies where something was painted, or is their shadow, which is darker.
        outside = np.ones(picture.shape[:2], bool)
        outside[painted.window] = painted.cover == 0
        assert (picture[outside] <= 111).all()
        box = outline(view, bare(person)) if kind == "pedestrian" else outline(view, person)
        assert box[0] < box[2]
        assert box[1] < box[3]


@pytest.mark.parametrize("name", LOADS)
def test_what_is_carried_shows_and_is_not_in_the_box(name):
    view = view_of(120)
    action = "sitting" if name in ("bench", "chair", "wheelchair") else "walking"
    person = sample_person(np.random.default_rng(2), AWAY_M, 0.0, action=action, heading_rad=1.3)
    loaded = replace(person, loads=(Load(name, (20.0, 200.0, 40.0)),))
    painted = draw_person(view, loaded, canvas(view))
    assert (painted.cover.astype(int) - painted.alpha > 128).sum() > 4
    box, seen = outline(view, loaded), extent(painted)
    # Hidden parts may be missing from what is seen, but nothing of the person lies outside.
    assert box[0] - 1.05 <= seen[0]
    assert box[1] - 1.05 <= seen[1]
    assert seen[2] <= box[2] + 1.05
    assert seen[3] <= box[3] + 1.05


def test_upright_people_have_the_shape_and_place_of_people():
    view = view_of(100)
    for seed in range(40):
        person = bare(sample_person(np.random.default_rng(seed), AWAY_M, 0.0, action="standing"))
        left, top, right, bottom = outline(view, person)
        foot = view.project(np.array([AWAY_M]), 0.0, 0.0)[1][0]
        assert abs(bottom - foot) < 6
        assert 0.93 < (foot - top) / (100 * person.stature_m / 1.7) < 1.14
        assert 0.17 < (right - left) / (bottom - top) < 0.75


def test_children_are_small_with_large_heads():
    rng = np.random.default_rng(1)
    children = [sample_measures(rng, child=True, feminine=bool(i % 2)) for i in range(60)]
    adults = [sample_measures(rng, child=False, feminine=bool(i % 2)) for i in range(60)]
    assert np.mean([m.stature for m in children]) < 1.35
    assert np.mean([m.stature for m in adults]) > 1.6
    assert np.mean([m.head / m.stature for m in children]) > 1.1 * np.mean([m.head / m.stature for m in adults])


def test_people_differ():
    rng = np.random.default_rng(3)
    people = [sample_person(rng, AWAY_M, 0.0) for _ in range(300)]
    assert {p.pose.name for p in people} >= {"walking", "standing", "waiting", "phone", "running", "crouching"}
    assert len({p.outfit.top for p in people}) >= 6
    assert len({p.outfit.hat for p in people}) >= 5
    assert len({name for p in people for name in p.carried}) >= 6
    assert len({p.outfit.top_color for p in people}) > 280


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    along=st.floats(0.2, 200),
    offset=st.floats(-30, 30),
    heading=st.floats(-10, 10),
    kind=st.sampled_from(KINDS),
    size=st.sampled_from([(64, 48), (160, 90), (33, 120)]),
)
def test_anywhere_in_and_out_of_the_picture(seed, along, offset, heading, kind, size):
    view = view_of(40, size=size)
    person = sample_person(np.random.default_rng(seed), along, offset, kind=kind, heading_rad=heading)
    picture = canvas(view)
    painted = draw_person(view, person, picture)
    assert painted.alpha.shape == painted.cover.shape == picture[painted.window].shape[:2]
    box = outline(view, person)
    assert np.isfinite(box).all()
    if painted.alpha.size and (painted.alpha > 10).any():
        seen = extent(painted)
        assert box[0] - 1.5 <= seen[0]
        assert box[1] - 1.5 <= seen[1]
        assert seen[2] <= box[2] + 1.5
        assert seen[3] <= box[3] + 1.5


def test_whoever_is_too_near_is_not_drawn():
    view, near = view_of(), sample_person(np.random.default_rng(0), 0.3, 0.0)
    picture = canvas(view)
    assert draw_person(view, near, picture).alpha.size == 0
    assert (picture == 110).all()
    assert outline(view, near) == (0, 0, 0, 0)


def test_night_is_darker_and_fog_is_paler():
    person = bare(sample_person(np.random.default_rng(8), AWAY_M, 0.0, action="standing"))

    def look(time, weather, away=AWAY_M):
        view = view_of(100, time, weather)
        picture = canvas(view)
        painted = draw_person(view, replace(person, along=away), picture)
        return picture[painted.window][painted.alpha > 250].astype(float)

    assert look("night", "clear").mean() < look("day", "clear").mean()
    fog, clear = look("day", "fog", 60.0), look("day", "clear", 60.0)
    assert fog.std() < 0.9 * clear.std()
    assert fog.mean() > clear.mean() + 20
