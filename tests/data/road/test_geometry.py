"""Camera, course and ground: three ways to the same pixel must agree."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.road.alignment import flipped, sample_alignment, straight
from edgecnn.data.road.camera import Camera, sample_camera
from edgecnn.data.road.ground import look, sight

CAMERAS = st.builds(
    Camera,
    width=st.just(640),
    height=st.just(360),
    focal_px=st.floats(350, 700),
    centre_x_px=st.floats(300, 340),
    centre_y_px=st.floats(170, 190),
    height_m=st.floats(1.2, 1.8),
    pitch_rad=st.floats(-0.1, 0.2),
    roll_rad=st.floats(-0.03, 0.03),
)
SEEDS = st.integers(0, 10_000)


def by_matrix(camera, point):
    """Project one point with textbook rotation matrices: x right, y down, z ahead."""
    pitch, roll = camera.pitch_rad, camera.roll_rad
    turn_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]],
    )
    turn_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    intrinsics = np.array(
        [[camera.focal_px, 0, camera.centre_x_px], [0, camera.focal_px, camera.centre_y_px], [0, 0, 1]]
    )
    x, y, z = point
    image = intrinsics @ turn_z @ turn_x @ np.array([x, camera.height_m - y, z])
    return image[:2] / image[2]


@given(CAMERAS, st.floats(-20, 20), st.floats(-1, 8), st.floats(4, 300))
def test_projection_equals_rotation_matrices(camera, x, y, z):
    u, v, depth = camera.project(np.array(x), np.array(y), np.array(z))
    assert depth > 0
    assert np.allclose([u, v], by_matrix(camera, (x, y, z)), atol=1e-6)


@given(CAMERAS)
def test_a_flat_plane_ends_at_the_horizon(camera):
    level = camera.canvas(0)
    _, v, _ = level.project(np.array(0.0), np.array(0.0), np.array(1e7))
    assert abs(float(v) - camera.horizon_px) < 0.01


@given(CAMERAS, st.integers(0, 30), st.floats(-10, 10), st.floats(5, 200))
def test_the_canvas_turns_into_the_frame(camera, margin, x, z):
    point = np.array(x), np.array(0.0), np.array(z)
    u, v, _ = camera.project(*point)
    canvas_u, canvas_v, _ = camera.canvas(margin).project(*point)
    index = camera.unrolled(margin) @ np.array([float(u) - 0.5, float(v) - 0.5, 1.0])
    assert np.allclose(index, [float(canvas_u) - 0.5, float(canvas_v) - 0.5], atol=1e-6)


@given(SEEDS)
def test_sampled_cameras_stay_in_their_range(seed):
    camera = sample_camera(np.random.default_rng(seed), 640, 360)
    assert 0.28 <= camera.horizon_px / 360 <= 0.65
    assert 0.55 <= camera.focal_px / 640 <= 1.1
    assert 1.2 <= camera.height_m <= 1.8


@given(SEEDS, st.booleans())
def test_the_road_is_one_smooth_curve_from_under_the_car(seed, curved):
    road = sample_alignment(np.random.default_rng(seed), curved=curved, urban=False)
    x, y, z = road.point(np.array(0.0), 0.0)
    assert np.allclose([x, y, z], 0, atol=1e-9)
    steps = np.hypot(np.diff(road.x), np.diff(road.z))
    assert np.allclose(steps, 0.5, atol=1e-3)
    # A clothoid's curvature has no jumps: the heading changes by little from step to step, and that change too.
    assert np.abs(np.diff(road.heading)).max() < 0.5 / 80
    # (Courses that turn by more than 69 degrees go straight on from there, far outside the picture.)
    turning = np.abs(road.heading[1:-1]) < 1.15
    assert np.abs(np.diff(road.heading, n=2))[turning].max() < 5e-4
    assert np.abs(np.diff(road.y) / 0.5).max() <= 0.07 + 1e-9


def test_a_curve_is_a_curve_and_a_straight_road_is_straight():
    bent = [sample_alignment(np.random.default_rng(i), curved=True, urban=False).turn_m for i in range(50)]
    plain = [sample_alignment(np.random.default_rng(i), curved=False, urban=False).turn_m for i in range(50)]
    assert min(bent) > 1.0
    assert np.median(plain) < 0.5
    assert straight(0.1).turn_m < 1e-6


def test_upside_down_twice_is_the_same_road():
    road = sample_alignment(np.random.default_rng(3), curved=True, urban=False)
    assert np.array_equal(flipped(flipped(road)).table, road.table)


def astride_a_crest(line, middles):
    """Which rows have their middle between a crest and the road that comes into sight again behind it."""
    seen = np.flatnonzero(line.seen)
    jumps = [(line.row[behind], line.row[crest]) for crest, behind in itertools.pairwise(seen) if behind > crest + 1]
    return np.array([any(far <= v <= near for far, near in jumps) for v in middles])


@given(SEEDS, st.booleans())
def test_every_pixel_of_the_ground_projects_back_onto_itself(seed, curved):
    rng = np.random.default_rng(seed)
    camera = sample_camera(rng, 320, 180).canvas(0)
    road = sample_alignment(rng, curved=curved, urban=False)
    line = sight(camera, road)
    ground = look(camera, road, line)
    rows = np.arange(len(ground.along))[2:]
    rows = rows[~astride_a_crest(line, ground.top + rows + 0.5)]
    columns = rng.integers(0, camera.width, len(rows))
    offset = ground.across[rows, columns].astype(np.float64)
    x, y, z = road.point(ground.along[rows], offset)
    u, v, _ = camera.project(x, y, z)
    assert np.allclose(u, columns + 0.5, atol=0.05)
    assert np.allclose(v, ground.top + rows + 0.5, atol=0.05)


@given(SEEDS)
def test_rows_of_the_ground_share_out_the_road_without_gaps(seed):
    rng = np.random.default_rng(seed)
    camera = sample_camera(rng, 320, 180).canvas(0)
    road = straight()
    ground = look(camera, road, sight(camera, road))
    bounds = ground.along - ground.length / 2
    assert (np.diff(ground.along) < 0).all()
    # Perspective makes the middle of a row lie off the middle of its stretch of road, far away only.
    near = ground.along[:-1] < 30
    assert np.allclose((bounds[:-1] - (bounds + ground.length)[1:])[near], 0, atol=0.35)


def test_a_crest_hides_the_road_behind_it():
    along = straight().along
    road = straight()
    hill = np.where(along > 40, -((along - 40) ** 2) / 600, 0.0)
    table = road.table.copy()
    table[:, 1] = hill
    crest = type(road)(road.along, road.x, hill, road.z, road.heading, table)
    camera = Camera(640, 360, 500, 320, 180, 1.5, 0.02)
    line = sight(camera, crest)
    assert not line.seen[-1]
    # The tangent from the camera, 1.5 m up, to a parabola of 600 m that begins at 40 m.
    assert line.along[line.seen].max() == pytest.approx(math.sqrt(40**2 + 1.5 * 600), abs=1)
    assert (np.diff(line.row[line.seen]) < 0).all()
