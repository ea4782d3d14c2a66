"""MR^-2 against a plain rewriting of the published rules, and each of its traps by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_detections import made_frame

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import xywh
from edgecnn.metrics.miss_rate import FPPI, RANGES, MissRate

METRIC = MissRate()


def objects(boxes, scores=(), visible=(), ignore=()):
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.zeros(len(boxes), np.int64),
        2048,
        1024,
        ("pedestrian",),
        np.array(visible, np.float32).reshape(-1, 4),
        np.array(ignore, bool),
    )


def tall(x, height, width=20.0, top=0.0):
    return (x, top, x + width, top + height)


def rates(*frames):
    return METRIC.totals([METRIC.score(*frame) for frame in frames])


def plain(frames, height, seen):
    """Return MR^-2 of one range by plain loops, with the Matlab rule."""
    events, wanted = [], 0
    for found, true in frames:
        gts = []
        for box, share, ignore in zip(
            xywh(true).tolist(), true.visibility.tolist(), true.ignored.tolist(), strict=True
        ):
            inside = height[0] <= box[3] <= height[1] and seen[0] <= share <= seen[1]
            gts.append((bool(ignore) or not inside, box))
        gts.sort(key=lambda gt: gt[0])
        wanted += sum(not ignore for ignore, _ in gts)
        taken = set()
        for d in sorted(range(len(found)), key=lambda d: -found.scores[d]):
            box = xywh(found)[d].tolist()
            if height[0] / 1.25 <= box[3] < height[1] * 1.25:
                match = plain_match(box, gts, taken)
                if match is None or not gts[match][0]:
                    taken.add(match)
                    events.append((-float(found.scores[d]), 0 if match is None else 1))
    return plain_average(sorted(events, key=lambda event: event[0]), wanted, len(frames))


def plain_match(box, gts, taken):
    x, y, w, h = box
    best, match = 0.5, None
    for g, (ignore, (gx, gy, gw, gh)) in enumerate(gts):
        if g in taken:
            continue
        if match is not None and not gts[match][0] and ignore:
            break
        inter = max(min(x + w, gx + gw) - max(x, gx), 0) * max(min(y + h, gy + gh) - max(y, gy), 0)
        overlap = inter / (w * h if ignore else w * h + gw * gh - inter)
        if overlap >= best:
            best, match = overlap, g
    return match


def plain_average(events, wanted, images):
    if not wanted:
        return float("nan")
    misses = []
    for limit in FPPI:
        tp = fp = reached = 0
        for _, right in events:
            tp, fp = tp + right, fp + (1 - right)
            if fp / images <= limit:
                reached = tp
        misses.append(1 - reached / wanted)
    return 0.0 if min(misses) <= 0 else float(np.exp(np.mean(np.log(misses))))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_plain_loops_say_the_same(seed, ties):
    rng = np.random.default_rng(seed)
    frames = [made_frame(rng, ties=ties) for _ in range(10)]
    got = rates(*frames)
    for name, (height, seen) in RANGES.items():
        assert got[f"mr_{name}"] == pytest.approx(plain(frames, height, seen), abs=1e-12, nan_ok=True)


def test_weights_are_repeated_frames():
    rng = np.random.default_rng(3)
    scores = [METRIC.score(*made_frame(rng, 1)) for _ in range(10)]
    picks = rng.integers(0, 10, 10)
    quick = METRIC.weighted(scores)(np.bincount(picks, minlength=10))
    assert quick == pytest.approx(METRIC.totals([scores[i] for i in picks]), nan_ok=True)


def test_a_false_find_on_top_leaves_nothing_found_below_it():
    """The Python port reads recall[-1] = 1 for FPPI below 1; Matlab finds nothing there."""
    true = objects([tall(0, 100)])
    found = objects([tall(500, 100), tall(0, 100)], [0.9, 0.8])
    # One image: a first false find is FPPI 1, so eight misses are 1 and the last is 0: unclamped, the average is 0.
    assert rates((found, true))["mr_reasonable"] == 0.0
    worse = objects([tall(500, 100), tall(700, 100), tall(0, 100)], [0.9, 0.85, 0.8])
    assert rates((worse, true))["mr_reasonable"] == 1.0


def test_half_found_without_false_finds():
    true = objects([tall(0, 100), tall(100, 100)])
    assert rates((objects([tall(0, 100)], [0.9]), true))["mr_reasonable"] == pytest.approx(0.5)


@pytest.mark.parametrize(("height", "counts"), [(49.9, False), (50.0, True), (75.0, True), (75.1, False)])
def test_the_limits_of_a_range_belong_to_it(height, counts):
    value = rates((objects([tall(0, height)], [0.9]), objects([tall(0, height)])))["mr_small"]
    assert np.isnan(value) != counts


@pytest.mark.parametrize(
    ("seen", "range_"), [(65, "reasonable"), (64, "heavy"), (65, "heavy"), (20, "heavy"), (20, "all")]
)
def test_visible_shares_at_their_limits(seen, range_):
    true = objects([tall(0, 100)], visible=[tall(0, seen)])
    assert rates((objects([]), true))[f"mr_{range_}"] == 1.0
    if seen < 65:
        assert np.isnan(rates((objects([]), true))["mr_reasonable"])


@pytest.mark.parametrize(("height", "counts"), [(40.0, True), (39.9, False)])
def test_finds_count_from_a_quarter_below_the_range(height, counts):
    """A false find of 40 px counts in Reasonable (50 / 1.25), one of 39.9 px does not."""
    lone = objects([tall(500, height)], [0.9]), objects([tall(0, 100)])
    score = METRIC.score(*lone)
    assert (not score.out[0, 0]) == counts


def test_an_upper_limit_is_open():
    score = METRIC.score(objects([tall(0, 93.7), tall(100, 93.75)], [0.9, 0.8]), objects([]))
    assert score.out[1].tolist() == [False, True]


def test_ignored_ones_take_many_finds_but_a_real_one_goes_first():
    crowd = tall(0, 200, width=200)
    true = objects([crowd, tall(10, 100)], ignore=[True, False])
    found = objects([tall(60, 100), tall(120, 100), tall(10, 100)], [0.9, 0.8, 0.7])
    score = METRIC.score(found, true)
    assert score.out[0].tolist() == [True, True, False]
    assert score.hit[0].all()


def test_an_object_out_of_range_is_overlapped_by_the_finds_area():
    """A small find inside a person who is hidden too much: IoU far below 0.5, its own area all inside."""
    true = objects([tall(0, 200, width=80)], visible=[tall(0, 20, width=80)])
    score = METRIC.score(objects([tall(10, 60, top=20)], [0.9]), true)
    assert score.out[0, 0]
    assert score.hit[0, 0]


def test_visibility_is_read_where_a_label_states_it():
    stated = Detections(
        np.array([tall(0, 100)], np.float32),
        np.zeros(0, np.float32),
        np.array([0]),
        2048,
        1024,
        ("pedestrian",),
        attributes=({"vis_ratio": 0.3},),
    )
    assert METRIC.score(objects([]), stated).wanted.tolist() == [0, 0, 1, 1]
