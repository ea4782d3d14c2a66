"""Streets: what stands where, what every kind of thing looks like, who stands where nobody else does."""

import math

import numpy as np
import pytest

from edgecnn.data.road import RoadScenes
from edgecnn.data.road.alignment import straight
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.light import sample_light
from edgecnn.data.road.street import backdrop, facades, sides
from edgecnn.data.road.street.draw_furniture import draw_item, item_area
from edgecnn.data.road.street.furniture import KINDS, Item
from edgecnn.data.road.street.place import Place
from edgecnn.data.road.street.section import Section, sample_plain, sample_street
from edgecnn.data.road.view import stand

CAMERA = Camera(320, 180, 300.0, 160.0, 90.0, 1.5, 0.02)


@pytest.fixture(scope="module")
def view():
    return stand(CAMERA, straight(), sample_light(np.random.default_rng(0), "day", "clear"))


@pytest.fixture(scope="module")
def plans():
    return [RoadScenes(5, 320, 180, ("street",), people=True).plan(index) for index in range(40)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [(6.0, -1.5), (3.5, 0.6), (30.0, 4.0)])
def test_every_thing_is_painted_and_only_within_its_area(view, kind, place):
    item = Item(kind, *place, 1.0, (40.0, 60.0, 160.0), (200.0, 200.0, 200.0), 7)
    ground = np.full((180, 320, 3), 120, np.uint8)
    picture = ground.copy()
    area = item_area(view, item, picture)
    draw_item(view, item, picture)
    inside = np.zeros((180, 320), bool)
    inside[area] = True
    touched = (picture != ground).any(axis=2)
    assert touched[inside].any()
    assert not touched[~inside].any()


def test_what_is_behind_the_camera_or_beside_the_frame_has_no_area(view):
    picture = np.zeros((180, 320, 3), np.uint8)
    for along, offset in ((0.8, 0.0), (5.0, 40.0)):
        rows, columns = item_area(view, Item("bin", along, offset, 1.0, (0, 0, 0), (0, 0, 0), 0), picture)
        assert (rows.stop - rows.start) * (columns.stop - columns.start) == 0


def test_fronts_have_windows_that_shine_only_where_there_is_a_house():
    for variant in range(4):
        made = facades.facades(variant, right=False)
        assert made.front.shape == made.glow.shape
        assert set(np.unique(made.front[..., 3])) <= {0, 255}
        assert (made.front[..., 3][made.glow[..., 3] > 0] == 255).all()
        assert 0.001 < (made.glow[..., 3] > 0).mean() < 0.5
        # What can be read from the left reads the same from the right.
        assert np.array_equal(facades.facades(variant, right=True).front, made.front[:, ::-1])


@pytest.mark.parametrize("variant", range(10))
def test_every_backdrop_hides_sky_and_ground_behind_it_and_nothing_before_it(view, variant):
    picture = np.zeros((180, 320, 3), np.uint8)
    wall = backdrop.Backdrop(variant, 8.0, 60.0, 3.0, (1.0, 1.0, 1.0))
    backdrop.paint_backdrop(view, wall, picture)
    _, foot, _ = view.project(np.array([8.0]), 0.0, 0.0)
    assert (picture[: int(foot[0])].sum(axis=2) > 0).mean() > 0.95
    assert (picture[int(foot[0]) + 1 :] == 0).all()


def test_borders_are_see_through_only_where_they_are_fences():
    shares = [(sides.border(variant)[..., 3] > 127).mean() for variant in range(8)]
    assert all(0.2 < share <= 1 for share in shares)
    assert min(shares) < 0.6


def test_a_street_lies_between_its_kerbs_and_its_pavements_beside_them(plans):
    for plan in plans:
        left, right = plan.street.section.sides
        lanes = plan.layout.lanes
        assert left.wall_m < left.kerb_m < lanes[0] < 0 < lanes[-1] < right.kerb_m < right.wall_m
        assert plan.layout.left_m == left.kerb_m
        assert all(1.5 < high - low < 6 for low, high in (left.walk, right.walk))


def test_parked_cars_leave_crossings_free_and_stand_in_their_strip(plans):
    assert sum(len(plan.street.parked) for plan in plans) > 100
    for plan in plans:
        for car in plan.street.parked:
            side = plan.street.section.sides[int(car.offset > 0)]
            assert side.parking_m
            assert 0 < (side.kerb_m - car.offset) * side.sign < 2.4
            assert not car.lit
            for crossing in plan.street.section.crossings:
                ends = crossing.along, crossing.along + crossing.deep_m
                assert car.along > ends[1] or car.along + car.body.length_m < ends[0]


def test_nobody_stands_in_a_car_in_a_wall_or_in_another(plans):
    everyone = [plan for plan in plans if plan.street.people]
    assert len(everyone) > 25
    for plan in everyone:
        left, right = plan.street.section.sides
        spots = [(someone.along, someone.offset) for someone in plan.street.people]
        for along, offset in spots:
            assert left.wall_m < offset < right.wall_m
            for car in plan.traffic:
                beside = abs(offset - car.offset) > car.body.width_m / 2
                assert beside or not car.along < along < car.along + car.body.length_m
        apart = [math.dist(a, b) for i, a in enumerate(spots) for b in spots[:i]]
        assert min(apart, default=1.0) > 0.15


def test_what_the_frame_shows_is_what_the_camera_projects(view):
    section = Section("plain", sample_plain(np.random.default_rng(0)).layout, (), ())
    place = Place(CAMERA, straight(), section, (), (), 50.0)
    low, high = place.seen(12.0)
    u, _, _ = view.project(np.array([12.0, 12.0]), np.array([low, high]), 0.0)
    assert np.allclose(u, [0, 320], atol=1.5)
    assert place.free(12.0, 0.0)
    place.taken.append((12.0, 0.2))
    assert not place.free(12.0, 0.0)
    assert not place.free(49.9, 5.0)


def test_only_parts_in_sight_are_offered():
    section = sample_street(np.random.default_rng(3), worn=False)
    place = Place(CAMERA, straight(), section, (), (), math.inf)
    # Right before the camera only the carriageway is in the frame.
    assert place.span("left", 1.6) is None
    assert place.part(np.random.default_rng(0), 1.6) == "road"
    low, high = place.span("right", 30.0)
    assert section.sides[1].kerb_m < low < high < section.sides[1].wall_m
