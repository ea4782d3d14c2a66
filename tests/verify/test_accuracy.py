"""Accuracy with intervals: paired drops, conditions, and the frames chosen for the eye."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.data.sample import Sample
from edgecnn.metrics.tusimple import FrameScore, TuSimple
from edgecnn.verify.accuracy import Scores, by_tag, drop, figures
from edgecnn.verify.gallery import gallery

scores = st.lists(st.floats(0, 1), min_size=3, max_size=40).map(lambda xs: [FrameScore(x, 1 - x, 1 - x) for x in xs])


@given(scores)
def test_an_artefact_loses_nothing_against_itself(found):
    lost = drop(TuSimple(), found, found, "accuracy", "x")
    assert (lost.value, lost.low, lost.high) == (0, 0, 0)


@given(scores)
def test_the_interval_holds_the_value_and_knows_n(found):
    measured = figures(TuSimple(), found, "x")["accuracy"]
    assert measured.n == len(found)
    assert measured.low <= measured.value + 1e-9
    assert measured.high >= measured.value - 1e-9


def test_a_drop_is_positive_when_worse_whichever_way_the_figure_points():
    good, bad = [FrameScore(0.9, 0.1, 0.1)] * 5, [FrameScore(0.8, 0.2, 0.2)] * 5
    assert round(drop(TuSimple(), good, bad, "accuracy", "x").value, 6) == 10
    assert round(drop(TuSimple(), good, bad, "fp", "x").value, 6) == 10


def test_pairing_makes_the_interval_of_a_drop_tighter_than_that_of_the_figures():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1, 200)
    before, after = ([FrameScore(x, 0, 0) for x in xs] for xs in (base, base - 0.01))
    lost = drop(TuSimple(), before, after, "accuracy", "x")
    alone = figures(TuSimple(), before, "x")["accuracy"]
    assert lost.high - lost.low < 0.1 * 100 * (alone.high - alone.low)


def test_conditions_are_judged_by_their_own_frames():
    samples = [Sample(Path("a"), Lanes((), 1, 1), tags) for tags in (("day",), ("night",), ("night", "rain"))]
    found = [FrameScore(0.9, 0, 0), FrameScore(0.5, 0, 0), FrameScore(0.7, 0, 0)]
    table = by_tag(TuSimple(), found, samples, "accuracy", "x")
    assert {tag: (round(m.value, 6), m.n) for tag, m in table.items()} == {
        "day": (0.9, 1),
        "night": (0.6, 2),
        "rain": (0.7, 1),
    }


def test_the_gallery_holds_the_hardest_and_the_most_lost_frames(tmp_path):
    samples = []
    for i in range(12):
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(b"x")
        samples.append(Sample(path, Lanes((), 4, 4), ()))
    base = [FrameScore(0.9, 0, 0) for _ in range(12)]
    base[5] = FrameScore(0.1, 0, 0)
    int8 = list(base)
    int8[7] = FrameScore(0.2, 0, 0)
    empty = [Lanes((), 4, 4)] * 12
    found = {"fp32": Scores(empty, base), "int8": Scores(empty, int8)}
    out = tmp_path / "out"
    out.mkdir()
    frames = {Path(f.image).stem: f.why for f in gallery(out, samples, found, "fp32", TuSimple(), "accuracy")}
    assert frames["000005"] == "hardest"
    assert frames["000007"] == "most lost by compression"
    assert all((out / f"gallery/{name}.jpg").exists() for name in frames)
