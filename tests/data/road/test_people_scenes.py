"""Scenes with people: the same anywhere, labelled as painted, spread as aimed at; those without stay as they were."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from edgecnn.core.errors import InputError
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.canvas import Canvas, changed
from edgecnn.data.road.conditions import PEOPLE_KINDS
from edgecnn.data.road.street.crowd import wanted_height_px
from edgecnn.data.road.street.found import LEAST_PX, LEAST_VISIBLE, NAMES, Found, label_objects

PEOPLE = NAMES.index("sitting person")
DIGEST = """
import hashlib
from edgecnn.data.road import RoadScenes
scenes = RoadScenes(3, 160, 96, people=True)
told = [(s.image.tobytes(), s.masks.tobytes(), s.objects.boxes.tobytes()) for s in map(scenes.scene, (4, 1))]
print(hashlib.sha256(b"".join(part for parts in told for part in parts)).hexdigest())
"""
# What these scenes looked like before there were scenes with people: the mean of each ninth of the picture.
BEFORE = {
    (0, 0): [[25.16, 18.88, 21.13], [54.43, 102.91, 74.0], [62.03, 75.97, 63.7]],
    (0, 7): [[187.96, 188.74, 188.93], [151.76, 190.97, 187.46], [98.25, 111.97, 119.34]],
    (5, 3): [[70.31, 42.19, 26.85], [114.67, 195.38, 87.81], [110.35, 136.01, 114.59]],
}


@pytest.fixture(scope="module")
def scenes():
    return [RoadScenes(11, 320, 180, people=True).scene(index) for index in range(24)]


@pytest.mark.parametrize("scene", BEFORE, ids=str)
def test_scenes_without_people_stay_what_they_were(scene):
    seed, index = scene
    drawn = RoadScenes(seed, 192, 108).scene(index)
    assert drawn.objects is None
    assert drawn.masks is None
    means = drawn.image.reshape(3, 36, 3, 64, 3).mean(axis=(1, 3, 4))
    # A generator that draws one random number more gives another picture; another processor's rounding does not.
    assert np.abs(means - BEFORE[scene]).max() < 0.6


def test_the_same_seed_and_index_give_the_same_bytes_in_another_process():
    scenes = RoadScenes(3, 160, 96, people=True)
    one = scenes.scene(1)
    scenes.scene(2)
    drawn = [scenes.scene(4), one]
    told = b"".join(s.image.tobytes() + s.masks.tobytes() + s.objects.boxes.tobytes() for s in drawn)
    there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(told).hexdigest() == there


def test_masks_and_visible_boxes_are_one_thing_told_twice(scenes):
    for scene in scenes:
        objects = scene.objects
        assert scene.masks.dtype == np.uint16
        assert scene.masks.shape == scene.image.shape[:2]
        assert scene.masks.max(initial=0) == len(objects)
        for number in range(1, len(objects) + 1):
            rows, columns = np.nonzero(scene.masks == number)
            extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert objects.visible[number - 1].tolist() == extent


def test_whole_boxes_hold_the_visible_ones_and_reach_beyond_the_frame(scenes):
    beyond = 0
    for scene in scenes:
        objects = scene.objects
        assert np.all(objects.boxes[:, :2] <= objects.visible[:, :2])
        assert np.all(objects.boxes[:, 2:] >= objects.visible[:, 2:])
        beyond += int(np.count_nonzero(objects.boxes[:, 3] > scene.image.shape[0] + 5))
    assert beyond


def test_an_unhidden_person_fills_the_box(scenes):
    shares = [
        objects.visible[place] - objects.boxes[place]
        for objects in (scene.objects for scene in scenes)
        for place in np.flatnonzero((objects.labels == 0) & (objects.visibility > 0.93))
    ]
    assert len(shares) > 10
    assert np.percentile(np.abs(shares), 90) < 3.5


def test_small_hidden_and_crowded_are_to_be_ignored(scenes):
    for objects in (scene.objects for scene in scenes):
        tall = objects.boxes[:, 3] - objects.boxes[:, 1]
        expected = (tall < LEAST_PX) | (objects.visibility < LEAST_VISIBLE) | (objects.labels == NAMES.index("people"))
        assert np.array_equal(objects.ignored, expected)
        assert [told["id"] for told in objects.attributes] == list(range(1, len(objects) + 1))


def test_each_kind_shows_up_with_people_and_the_open_road_mostly_without():
    assert len(PEOPLE_KINDS) == 5
    plans = [RoadScenes(4, 320, 180, people=True).plan(index) for index in range(120)]
    kinds = [plan.conditions.kind for plan in plans]
    assert set(kinds) == set(PEOPLE_KINDS)
    settled = [plan for plan in plans if plan.conditions.kind in {"street", "square", "plain"}]
    roads = [plan for plan in plans if plan.conditions.kind not in {"street", "square", "plain"}]
    assert 0.7 < len(settled) / len(plans) < 0.95
    assert np.mean([bool(plan.street.people) for plan in settled]) > 0.75
    assert np.mean([bool(plan.street.people) for plan in roads]) < 0.5
    # Streets keep their lanes.
    assert sum(len(plan.lanes.lines) for plan in settled) > 20


def test_whoever_stands_in_front_is_wanted_somewhat_taller_than_city_persons_are():
    rng = np.random.default_rng(0)
    heights = [wanted_height_px(rng) for _ in range(4000)]
    aim = np.array([30, 57, 91, 151, 298])
    ratio = np.percentile(heights, [5, 25, 50, 75, 95]) / aim
    assert ratio.min() > 1.0
    assert ratio.max() < 1.6


def test_heights_and_visibility_of_what_is_drawn_lie_in_the_aims_range(scenes):
    drawn = [scene.objects for scene in scenes]
    people = [np.flatnonzero(objects.labels <= PEOPLE) for objects in drawn]
    tall = np.concatenate([(o.boxes[p, 3] - o.boxes[p, 1]) * 2 for o, p in zip(drawn, people, strict=True)])
    share = np.concatenate([o.visibility[p] for o, p in zip(drawn, people, strict=True)])
    assert len(tall) > 50
    assert 65 < np.median(tall) < 125
    assert 40 < np.percentile(tall, 25) < 75
    assert 115 < np.percentile(tall, 75) < 200
    assert 0.45 < np.mean(share >= 0.65) < 0.85
    assert 0.1 < np.mean((share >= 0.2) & (share < 0.65)) < 0.45


@pytest.mark.parametrize(
    "condition", ["street", "square", "plain", "freeway", "night", "rain", "tunnel", "curve", "fog"]
)
def test_what_was_asked_for_is_shown(condition):
    scenes = RoadScenes(21, 160, 96, (condition,), people=True)
    for index in range(3):
        assert condition in scenes.plan(index).conditions.tags
    assert condition in scenes.scene(0).tags


@pytest.mark.parametrize(
    ("conditions", "words"),
    [(("urban",), "conditions are"), (("tunnel", "street"), "can't be"), (("strete",), "street")],
)
def test_what_cannot_be_drawn_is_refused_at_once(conditions, words):
    with pytest.raises(InputError, match=words):
        RoadScenes(0, 640, 360, conditions, people=True)
    with pytest.raises(InputError, match="conditions are"):
        RoadScenes(0, 640, 360, ("square",))


def test_the_one_in_front_takes_the_pixels():
    canvas = Canvas(np.zeros((20, 20, 3), np.uint8), labelled=True)
    everywhere = canvas.whole
    with canvas.painting(everywhere, 1):
        canvas.picture[2:12, 2:12] = 90
    with canvas.painting(everywhere, 2):
        canvas.picture[8:16, 8:16] = 10
    with canvas.painting(everywhere):
        canvas.picture[:4] = 200
    counts = np.bincount(canvas.owners.ravel(), minlength=3)
    assert counts[2] == 64
    assert counts[1] == 10 * 10 - 4 * 4 - 2 * 10
    canvas.give((slice(8, 16), slice(8, 16)), np.full((8, 8), 127, np.uint8), 3)
    assert (canvas.owners != 3).all()


def test_only_the_outline_of_a_change_counts_but_no_holes_in_it():
    before, after = np.zeros((2, 12, 12, 3), np.uint8)
    after[3:9, 3:9] = (0, 0, 1)
    after[5, 5] = 0
    assert changed(before, after).sum() == 36


def test_boxes_follow_the_cameras_roll():
    turn = 0.02
    unrolled = np.array([[np.cos(turn), np.sin(turn), 3.0], [-np.sin(turn), np.cos(turn), 4.0]])
    owners = np.zeros((50, 60), np.uint16)
    owners[10:20, 5:9] = 2
    # The outline, on the canvas, of what the frame shows at (5, 10) to (9, 20).
    corners = np.array([(5.0, 10.0), (9.0, 10.0), (9.0, 20.0), (5.0, 20.0)])
    outline = (corners - 0.5) @ unrolled[:, :2].T + unrolled[:, 2] + 0.5
    unseen = Found("car", outline, {})
    objects, masks = label_objects([unseen, Found("pedestrian", outline, {"a": 1})], owners, unrolled)
    assert np.allclose(objects.boxes, [[5, 10, 9, 20]], atol=1e-4)
    assert objects.visible.tolist() == [[5, 10, 9, 20]]
    assert objects.names[objects.labels[0]] == "pedestrian"
    assert objects.attributes == ({"id": 1, "occlusion": 0.0, "a": 1},)
    assert sorted(np.unique(masks)) == [0, 1]


def test_neighbouring_scenes_differ():
    pictures = [RoadScenes(seed, 160, 96, people=True).scene(index).image for seed, index in ((0, 0), (0, 1), (1, 0))]
    assert all(np.abs(a.astype(int) - b).mean() > 3 for a, b in pairwise(pictures))
