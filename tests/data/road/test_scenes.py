"""Scenes: the same from (seed, index) anywhere, true to the conditions asked for, of every size."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from edgecnn.core.errors import InputError
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.conditions import ALL, FEATURES, KINDS
from edgecnn.data.road.light import TIMES, WEATHERS

DIGEST = """
import hashlib
from edgecnn.data.road import RoadScenes
scenes = RoadScenes(3, 160, 96)
print(hashlib.sha256(b"".join(scenes.scene(i).image.tobytes() for i in (4, 1))).hexdigest())
"""


def test_the_same_seed_and_index_give_the_same_bytes_in_another_process():
    scenes = RoadScenes(3, 160, 96)
    # In another order, with other scenes drawn in between: nothing may leak from one to the next.
    one = scenes.scene(1).image
    scenes.scene(2)
    here = hashlib.sha256(scenes.scene(4).image.tobytes() + one.tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True).stdout.strip()
    assert here == there


def test_other_seeds_and_indices_give_other_pictures():
    pictures = [RoadScenes(seed, 160, 96).scene(index).image for seed, index in ((0, 0), (0, 1), (1, 0))]
    assert all(np.abs(a.astype(int) - b).mean() > 3 for a, b in pairwise(pictures))


@pytest.mark.parametrize("condition", ALL)
def test_every_condition_renders_and_is_tagged(condition):
    scenes = RoadScenes(21, 320, 180, (condition,))
    for index in range(4):
        scene = scenes.scene(index)
        assert condition in scene.tags
        assert scene.image.shape == (180, 320, 3)
        assert scene.image.dtype == np.uint8
        # Neither a flat nor a blown-out picture.
        assert scene.image.std() > 4
        assert np.mean(scene.image > 250) < 0.6


def test_tags_name_one_time_one_weather_one_kind_and_known_features():
    tags = [RoadScenes(9, 64, 48).scene(i).tags for i in range(60)]
    for tag in tags:
        assert tag[0] in TIMES
        assert tag[1] in WEATHERS
        assert tag[2] in KINDS
        assert set(tag[3:]) <= set(FEATURES)
    seen = {name for tag in tags for name in tag}
    assert len(seen) > 12


def test_of_two_times_one_is_drawn():
    times = {RoadScenes(2, 64, 48, ("day", "night", "rain")).plan(i).conditions.tags[:2] for i in range(30)}
    assert times == {("day", "rain"), ("night", "rain")}


def test_day_is_bright_and_night_is_dark():
    def mean(*conditions):
        return np.mean([RoadScenes(4, 160, 96, conditions).scene(i).image.mean() for i in range(6)])

    assert mean("day", "clear") > mean("dusk", "clear") > mean("night", "clear")
    assert mean("night", "clear") < 60


def test_fog_takes_contrast_from_the_distance():
    def contrast(weather):
        scenes = [RoadScenes(8, 320, 180, ("day", weather)).scene(i).image for i in range(8)]
        return np.mean([image[60:110].std() for image in scenes])

    assert contrast("fog") < 0.75 * contrast("clear")


def test_occluded_scenes_have_a_vehicle_close_ahead():
    for index in range(10):
        plan = RoadScenes(6, conditions=("occluded",)).plan(index)
        assert any(vehicle.along < 45 for vehicle in plan.traffic)


@pytest.mark.parametrize("size", [(64, 48), (97, 61), (1280, 720), (200, 300)])
def test_any_size_renders(size):
    scene = RoadScenes(1, *size).scene(0)
    assert scene.image.shape == (size[1], size[0], 3)
    assert (scene.lanes.width, scene.lanes.height) == size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 640, 360, ("nigt",)), "did you mean 'night'"),
        ((0, 640, 360, ("qqq",)), "conditions are day,"),
        ((0, 640, 360, ("night", "shadow")), "needs the sun"),
        ((0, 640, 360, ("rain", "glare")), "needs the sun"),
        ((0, 640, 360, ("tunnel", "shadow")), "can't be in one scene"),
        ((0, 640, 360, ("tunnel", "urban")), "can't be in one scene"),
        ((0, 32, 360), "too small"),
        ((-1,), "seed must be >= 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(arguments, words):
    with pytest.raises(InputError, match=words):
        RoadScenes(*arguments)
