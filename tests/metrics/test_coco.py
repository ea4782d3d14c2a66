"""COCO's figures against pycocotools on random sets, and the rules that are easily missed by hand."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_detections import NAMES, made_frame

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import decimals, xywh
from edgecnn.metrics.coco import Coco

METRIC = Coco()


def published(frames, classes):
    """Return pycocotools' twelve figures."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    labels, finds = [], []
    for image, (found, true) in enumerate(frames):
        for box, label, crowd in zip(xywh(true).tolist(), true.labels.tolist(), true.ignored.tolist(), strict=True):
            about = {"category_id": label + 1, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)}
            labels.append({"id": len(labels) + 1, "image_id": image, **about})
        for box, label, score in zip(xywh(found).tolist(), found.labels.tolist(), found.scores.tolist(), strict=True):
            finds.append({"image_id": image, "category_id": label + 1, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": image} for image in range(len(frames))],
            "categories": [{"id": place + 1, "name": name} for place, name in enumerate(NAMES[:classes])],
            "annotations": labels,
        }
        truth.createIndex()
        judged = cocoeval.COCOeval(truth, truth.loadRes(finds), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.booleans())
def test_pycocotools_says_the_same(seed, classes, ties):
    rng = np.random.default_rng(seed)
    frames = [made_frame(rng, classes, ties=ties) for _ in range(8)]
    if not any(len(found) for found, _ in frames):
        return
    mine = METRIC.totals([METRIC.score(*frame) for frame in frames])
    assert list(mine) == list(METRIC.higher_is_better)
    got = np.array(list(mine.values()))
    np.testing.assert_allclose(np.where(np.isnan(got), -1, got), published(frames, classes), atol=1e-9)


def test_weights_are_repeated_frames():
    rng = np.random.default_rng(3)
    scores = [METRIC.score(*made_frame(rng, 2)) for _ in range(10)]
    picks = rng.integers(0, 10, 10)
    quick = METRIC.weighted(scores)(np.bincount(picks, minlength=10))
    assert quick == pytest.approx(METRIC.totals([scores[i] for i in picks]), nan_ok=True, abs=1e-12)


def one(boxes, scores=(), ignore=(), attributes=()):
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.zeros(len(boxes), np.int64),
        640,
        480,
        ("pedestrian",),
        ignore=np.array(ignore, bool),
        attributes=attributes,
    )


def totals(found, true):
    return METRIC.totals([METRIC.score(found, true)])


def test_a_crowd_swallows_any_number_and_a_real_object_goes_first():
    true = one([(0, 0, 200, 200), (10, 10, 50, 90)], ignore=[True, False])
    found = one([(60, 60, 90, 120), (100, 60, 130, 120), (10, 10, 50, 90)], [0.9, 0.8, 0.7])
    assert totals(found, true)["ap"] == pytest.approx(1.0)


def test_the_stated_area_decides_the_size_not_the_box():
    found, boxes = one([(0, 0, 40, 40)], [0.5]), [(0, 0, 40, 40)]
    assert totals(found, one(boxes))["ap_medium"] == pytest.approx(1.0)
    thin = totals(found, one(boxes, attributes=({"area": 700.0},)))
    assert thin["ap_small"] == pytest.approx(1.0)
    assert np.isnan(thin["ap_medium"])


def test_the_iou_threshold_itself_matches():
    found = one([(0, 0, 10, 10)], [0.9])
    assert totals(found, one([(0, 0, 10, 20)]))["ap50"] == pytest.approx(1.0)
    assert totals(found, one([(0, 0, 10, 20.1)]))["ap50"] == 0.0


def test_no_object_is_undefined_and_no_find_is_zero():
    assert all(np.isnan(value) for value in totals(one([(0, 0, 9, 9)], [0.9]), one([])).values())
    assert totals(one([]), one([(0, 0, 9, 9)]))["ap"] == 0.0


def test_regions_of_no_class_take_finds_of_every_class():
    true = Detections(
        np.array([(0, 0, 100, 100)], np.float32),
        np.zeros(0, np.float32),
        np.array([1]),
        640,
        480,
        ("pedestrian", "dontcare"),
        ignore=np.array([True]),
    )
    assert METRIC.score(one([(10, 10, 30, 60)], [0.9]), true)["pedestrian"].out.all()


def test_coordinates_are_read_as_the_decimals_they_stand_for():
    written = [0.0, 40.1, 1241.99, 0.3333, 639.5, 12.345]
    assert decimals(np.array(written, np.float32)).tolist() == written
