"""Slices: which frames and objects a gate speaks of, and what it says when there are none."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn.core.gate_rule import parse
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.sample import Sample
from edgecnn.metrics.people import People
from edgecnn.metrics.tusimple import TuSimple
from edgecnn.verify.slice_gates import slice_gate
from edgecnn.verify.slices import cut

NAMES = ("pedestrian", "rider")
METRICS = {"people": People()}


def people(*heights, scores=(), labels=None, seen=None, attributes=()):
    """People 100 px apart, so tall; found ones stand on the true ones."""
    boxes = [(100 * i, 0, 100 * i + 40, height) for i, height in enumerate(heights)]
    visible = (
        [] if seen is None else [(x, 0, x2, height * s) for (x, _, x2, height), s in zip(boxes, seen, strict=True)]
    )
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels or [0] * len(heights), np.int64),
        640,
        480,
        NAMES,
        np.array(visible, np.float32).reshape(-1, 4),
        attributes=attributes,
    )


def sample(truth, *tags):
    return Sample(Path("x.png"), truth, tags)


def judged(text, pairs, metrics=METRICS):
    return slice_gate(parse(text), "a", [found for found, _ in pairs], [one for _, one in pairs], metrics)


DAY = people(100, scores=[0.9]), sample(people(100, 60), "day")
NIGHT = people(100, 60, scores=[0.9, 0.1]), sample(people(100, 60), "night", "rain")


def test_only_frames_with_the_tag_count():
    gate = judged("recall[night] >= 0.6", [DAY, NIGHT, NIGHT])
    assert not gate.passed
    assert gate.value == 0.5
    assert (
        "recall[night] 0.5000 [0.5000, 0.5000] over 4 objects in 2 frames (bound >= 0.6, missed by 0.1000)" in gate.text
    )
    assert judged("recall[not night] <= 0.5", [DAY, NIGHT]).passed
    assert judged("recall[night, rain] >= 0.5", [DAY, NIGHT]).passed


def test_objects_outside_need_not_be_found():
    assert judged("recall[height<80] <= 0", [DAY, DAY]).passed
    assert judged("recall[height>=80] >= 1", [DAY, DAY]).passed
    seen = people(), sample(people(100, 100, seen=[1.0, 0.3]))
    found = people(100, scores=[0.9]), sample(people(100, 100, seen=[1.0, 0.3]))
    assert judged("recall[visibility>=0.65] >= 1", [found]).passed
    assert judged("recall[visibility<0.65] >= 0.1", [seen, found]).value == 0.0


def test_finding_them_is_no_error_and_sizes_reach_a_quarter_beyond():
    true = sample(people(100))
    at = judged("precision[height<80] >= 0", [(people(100, 99, scores=[0.9, 0.9]), sample(people(40, 40)))])
    assert at.value == 0.0  # one of 99 px is below 80 * 1.25, one of 100 is not
    beyond = judged("precision[height<80] >= 0", [(people(100, 101, scores=[0.9, 0.9]), true)])
    assert "can't be judged" in beyond.text


def test_labels_and_attributes():
    true = sample(people(100, 100, labels=[0, 1], attributes=({"occluded": 0}, {"occluded": 2, "side": "left"})))
    found = people(100, 100, scores=[0.9, 0.8], labels=[0, 0])
    assert judged("recall[label=pedestrian] >= 1", [(found, true)]).passed
    assert judged("recall[class=rider] <= 0", [(found, true)]).passed
    assert judged("recall[occluded<=1] >= 1", [(found, true)]).passed
    assert judged("recall[side=left] <= 0", [(found, true)]).passed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("recall[nigth] >= 0.1", "no frame is tagged 'nigth' (did you mean 'night'?"),
        ("recall[day, night] >= 0.1", "no frame is day and night"),
        ("recall[height<20] >= 0.1", "no object meets height<20"),
        ("recall[heigth<80] >= 0.1", "no object says anything of 'heigth' (did you mean 'height'?"),
    ],
)
def test_a_slice_that_holds_nothing_fails_and_says_so(text, why):
    gate = judged(text, [DAY, NIGHT])
    assert not gate.passed
    assert why in gate.text


def test_without_any_tag_and_without_objects():
    gate = judged("recall[night] >= 0.1", [(people(), sample(people(100)))])
    assert "the labels tag no frame with anything" in gate.text
    lanes = Lanes((), 640, 480)
    assert (
        "the labels hold none" in judged("accuracy[height<80] >= 0", [(lanes, sample(lanes))], {"t": TuSimple()}).text
    )


def test_scenes_slice_their_objects():
    lanes = Lanes((), 640, 480)
    found = cut(parse("ap50[height<80] > 0").conditions, [Scene(lanes, DAY[0])], [sample(Scene(lanes, DAY[1].truth))])
    assert found.objects == 1
    assert found.pairs[0][1].objects.ignored.tolist() == [True, False]


def test_a_figure_can_be_of_a_named_metric():
    assert judged("people.recall[day] >= 0.5", [DAY]).passed
