"""KITTI's average precision against a plain rewriting, threshold by threshold, and its traps by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Detections
from edgecnn.metrics.kitti import DIFFICULTIES, Kitti, thresholds

METRIC = Kitti()
NAMES = ("pedestrian", "car", "cyclist", "person_sitting", "van", "dontcare")
OVERLAP = {"car": 0.7, "pedestrian": 0.5, "cyclist": 0.5}
NEIGHBOUR = {"car": "van", "pedestrian": "person_sitting"}


def objects(rows, scores=()):
    """Rows are (name, box as in a label file, occluded, truncated); readers move boxes by half a pixel."""
    return Detections(
        (np.array([row[1] for row in rows], np.float64).reshape(-1, 4) + 0.5).astype(np.float32),
        np.array(scores, np.float32),
        np.array([NAMES.index(row[0]) for row in rows], np.int64),
        1242,
        375,
        NAMES,
        ignore=np.array([row[0] == "dontcare" for row in rows], bool),
        attributes=tuple({"occluded": row[2], "truncated": row[3]} for row in rows) if len(rows[0:1]) else (),
    )


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def plain_overlap(a, b, over_a):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (area(a) if over_a else area(a) + area(b) - w * h)


def plain_frame(kind, level, found, true, limit):
    """Return (right, wrong, scores of right ones); no limit: objects take the best scored box."""
    least, rule = OVERLAP[kind], DIFFICULTIES[level]
    gts = []
    for name, box, occluded, truncated in true:
        hard = occluded > rule.occluded or truncated > rule.truncated or box[3] - box[1] < rule.height
        if name == kind or name == NEIGHBOUR.get(kind):
            gts.append((box, name != kind or hard))
    dets = []
    for name, box, score in found:
        low = abs(box[3] - box[1]) < rule.height
        if (low or name == kind) and (limit is None or score >= limit):
            dets.append([box, score, low, False])
    right, scores = 0, []
    for box, ignored in gts:
        pick = plain_pick(box, dets, least, by_score=limit is None)
        if pick is None:
            continue
        pick[3] = True
        if not ignored and not pick[2]:
            right += 1
            scores.append(pick[1])
    regions = [box for name, box, _, _ in true if name == "dontcare"]
    loose = [det for det in dets if not det[3] and not det[2]]
    stuff = sum(any(plain_overlap(det[0], region, over_a=True) > least for region in regions) for det in loose)
    return right, len(loose) - stuff, scores, sum(not ignored for _, ignored in gts)


def plain_pick(box, dets, least, *, by_score):
    pick, top, stands_in = None, 0.0, False
    for det in dets:
        overlap = plain_overlap(det[0], box, over_a=False)
        if det[3] or overlap <= least:
            continue
        if by_score:
            if pick is None or det[1] > pick[1]:
                pick = det
        elif not det[2] and (overlap > top or stands_in):
            pick, top, stands_in = det, overlap, False
        elif det[2] and pick is None:
            pick, stands_in = det, True
    return pick


def plain(kind, level, frames):
    first = [plain_frame(kind, level, *frame, None) for frame in frames]
    wanted = sum(one[3] for one in first)
    if not wanted:
        return float("nan"), float("nan")
    limits = thresholds(np.array(sorted((s for one in first for s in one[2]), reverse=True)), wanted)
    precision = [0.0] * 41
    for place, limit in enumerate(limits):
        right, wrong = np.sum([plain_frame(kind, level, *frame, limit)[:2] for frame in frames], axis=0)
        precision[place] = right / (right + wrong) if right + wrong else 0.0
    precision = [max(precision[place:]) for place in range(41)]
    return sum(precision[1:]) / 40, sum(precision[::4]) / 11


def made(rng):
    true = []
    for _ in range(rng.integers(0, 7)):
        x, y = np.round(rng.uniform(0, 300, 2), 2)
        height = rng.choice([20, 25, 30, 39.99, 40, 60, 100])
        box = [x, y, round(x + height * rng.uniform(0.4, 1), 2), round(y + height, 2)]
        true.append(
            (NAMES[rng.integers(0, 6)], box, int(rng.integers(0, 4)), float(rng.choice([0, 0.15, 0.3, 0.5, 0.9])))
        )
    found = []
    for name, box, _, _ in true:
        for _ in range(rng.integers(0, 3)):
            shaken = np.round(np.array(box) + rng.normal(0, 2.5, 4), 2).tolist()
            found.append((name if rng.random() < 0.8 else "pedestrian", shaken, float(np.float32(rng.random()))))
    found = [row for row in found if row[0] in OVERLAP and row[1][2] > row[1][0] + 1 and row[1][3] > row[1][1] + 1]
    return found, true


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_plain_loops_say_the_same(seed):
    rng = np.random.default_rng(seed)
    frames = [made(rng) for _ in range(8)]
    scores = [
        METRIC.score(objects([(n, b, 0, 0) for n, b, _ in found], [s for _, _, s in found]), objects(true))
        for found, true in frames
    ]
    totals = METRIC.totals(scores)
    for kind in OVERLAP:
        for level in DIFFICULTIES:
            got = totals[f"{kind}_{level}_r40"], totals[f"{kind}_{level}_r11"]
            assert got == pytest.approx(plain(kind, level, frames), abs=1e-12, nan_ok=True)


def test_weights_are_repeated_frames():
    rng = np.random.default_rng(3)
    frames = [made(rng) for _ in range(10)]
    scores = [
        METRIC.score(objects([(n, b, 0, 0) for n, b, _ in found], [s for _, _, s in found]), objects(true))
        for found, true in frames
    ]
    picks = rng.integers(0, 10, 10)
    quick = METRIC.weighted(scores)(np.bincount(picks, minlength=10))
    assert quick == pytest.approx(METRIC.totals([scores[i] for i in picks]), nan_ok=True)


def person(x=0.0, height=50.0, top=100.0, name="pedestrian", occluded=0, truncated=0.0):
    return name, (x, top, x + 20, top + height), occluded, truncated


def totals(found, scores, true):
    return METRIC.totals([METRIC.score(objects(found, scores), objects(true))])


def test_the_overlap_must_be_exceeded():
    half = [("pedestrian", (0, 0, 20, 60), 0, 0)], [0.9], [("pedestrian", (0, 0, 20, 120), 0, 0)]
    assert totals(*half)["pedestrian_easy_r40"] == 0.0
    more = [("pedestrian", (0, 0, 20, 60.1), 0, 0)], [0.9], [("pedestrian", (0, 0, 20, 120), 0, 0)]
    assert totals(*more)["pedestrian_easy_r11"] > 0


@pytest.mark.parametrize(
    ("true", "levels"),
    [
        (person(height=40), "easy moderate hard"),
        (person(height=39.9), "moderate hard"),
        (person(height=25), "moderate hard"),
        (person(height=24.9), ""),
        (person(occluded=1), "moderate hard"),
        (person(occluded=2), "hard"),
        (person(occluded=3), ""),
        (person(truncated=0.15), "easy moderate hard"),
        (person(truncated=0.3), "moderate hard"),
        (person(truncated=0.5), "hard"),
        (person(truncated=0.51), ""),
        (person(name="person_sitting"), ""),
    ],
)
def test_which_objects_count(true, levels):
    score = METRIC.score(objects([]), objects([true]))
    assert [level for level in DIFFICULTIES if score["pedestrian", level].wanted] == levels.split()


def test_a_sitting_person_may_be_found_and_a_dontcare_region_hides_errors():
    sitting = METRIC.score(objects([person()], [0.9]), objects([person(name="person_sitting")]))["pedestrian", "easy"]
    assert not sitting.changes.any()
    region = ("dontcare", (0, 0, 300, 300), -1, -1)
    inside = METRIC.score(objects([person()], [0.9]), objects([region]))["pedestrian", "easy"]
    assert not inside.changes.any()
    outside = METRIC.score(objects([person(x=295)], [0.9]), objects([region]))["pedestrian", "easy"]
    assert outside.changes.tolist() == [[0, 1]]


def test_eleven_points_of_one_find_out_of_one():
    """One find of one object: only the first threshold exists, so that R40, which leaves recall 0 out, is 0."""
    one = totals([person()], [0.9], [person()])
    assert one["pedestrian_easy_r11"] == pytest.approx(1 / 11)
    assert one["pedestrian_easy_r40"] == 0.0
