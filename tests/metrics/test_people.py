"""The task's figures are those of COCO and CityPersons, and counts at the score a robot acts on."""

import numpy as np
import pytest
from made_detections import made_frame

from edgecnn.core.measure import bootstrap
from edgecnn.metrics.coco import Coco
from edgecnn.metrics.miss_rate import MissRate
from edgecnn.metrics.people import People, shares


@pytest.mark.parametrize("classes", [1, 2])
def test_its_figures_are_the_published_ones(classes):
    rng = np.random.default_rng(1)
    frames = [made_frame(rng, classes) for _ in range(20)]
    people, coco, miss = (
        metric.totals([metric.score(*frame) for frame in frames]) for metric in (People(), Coco(), MissRate())
    )
    assert people["ap"] == pytest.approx(coco["ap"])
    assert people["ap50"] == pytest.approx(coco["ap50"])
    assert {name: people[name] for name in miss} == pytest.approx(miss)


def test_only_sure_finds_count_for_recall_and_precision():
    rng = np.random.default_rng(2)
    frames = [made_frame(rng) for _ in range(30)]
    sure = [(found.take(found.scores >= 0.5), true) for found, true in frames]
    metric, every = People(0.5), People(0.0)
    got = metric.totals([metric.score(*frame) for frame in frames])
    wanted = every.totals([every.score(*frame) for frame in sure])
    for name in ("recall", "precision", "f1"):
        assert got[name] == pytest.approx(wanted[name])
    assert got["recall"] < every.totals([every.score(*frame) for frame in frames])["recall"]


def test_shares():
    assert shares(6, 2, 4) == {"recall": 0.6, "precision": 0.75, "f1": 12 / 18}
    assert all(np.isnan(value) for value in shares(0, 0, 0).values())


def test_a_quick_resample_is_the_slow_one():
    rng = np.random.default_rng(5)
    metric = People()
    scores = [metric.score(*made_frame(rng)) for _ in range(30)]
    totals = metric.weighted(scores)
    slow = bootstrap(list(range(30)), lambda picks: metric.totals([scores[i] for i in picks]), resamples=20)
    quick = bootstrap(list(range(30)), lambda picks: totals(np.bincount(picks, minlength=30)), resamples=20)
    for name in slow:
        assert quick[name] == pytest.approx(slow[name], nan_ok=True)
