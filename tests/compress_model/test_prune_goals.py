"""A goal of pruning: nothing that was trained is thrown away, and only the last round has to reach it."""

import msgspec
import pytest
from small_subject import Counted, counted, network, subject

from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.context import Context
from edgecnn.compress_model.pruning import OutOfReachError, Pruning
from edgecnn.compress_model.steps import prune
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import GateError
from edgecnn.core.measure import Measurement


class Verdict:
    def __init__(self, predict, asked, **_):
        self.best = {"0": 4, "3": 7, "7": 7}
        self.best_speedup = predict.speedup(self.best)
        self.helps = asked is None or self.best_speedup >= 0.98 * asked
        self.text = f"pruning can reach {self.best_speedup}"


@pytest.fixture
def it(monkeypatch):
    found = subject(network())
    monkeypatch.setattr(Clock, "time", counted(found))
    monkeypatch.setattr(prune, "predictor", lambda _module, groups, *_: Counted(groups))
    monkeypatch.setattr("edgecnn.compress_model.pruning.can_pruning_help", Verdict)
    return found


def run(it, folder, **settings):
    context = Context(it, Clock(it, 1, 0.1), it.judge.scores(it.original), "openvino", folder)
    return prune.run(PruneStep(batches=1, recover=None, criterion="l1", **settings), it.original, context)


def fastest(it):
    return Verdict(Counted(prune.find_groups(it.original, it.example)), None).best_speedup


def test_a_goal_within_the_verdicts_tolerance_is_met_by_the_fastest_widths(it, tmp_path):
    found = run(it, tmp_path, speedup=fastest(it) * 1.01, steps=2)
    assert len(found.rounds) == 2
    assert found.rounds[-1].speedup.value == pytest.approx(fastest(it), rel=1e-3)
    assert not found.notes


def test_after_a_round_that_holds_a_goal_out_of_reach_is_a_note(it, tmp_path, monkeypatch):
    real = Pruning.cut_to

    def cut_to(pruning, module, kept, goal, **how):
        if goal > limit:
            raise OutOfReachError(f"{goal:.2f}x is out of reach")
        return real(pruning, module, kept, goal, **how)

    monkeypatch.setattr(Pruning, "cut_to", cut_to)
    limit = 2.5
    found = run(it, tmp_path / "a", speedup=3.0, steps=2)
    assert [one.kept for one in found.rounds] == [True]
    assert "3.00x is out of reach" in found.notes[-1]
    assert found.module[0].out_channels < 32
    limit = 1.0
    with pytest.raises(GateError, match="out of reach"):
        run(it, tmp_path / "b", speedup=3.0, steps=2)


def test_only_the_last_round_has_to_reach_its_goal(it, tmp_path, monkeypatch):
    real, lasts = Pruning.cut_to, []

    def cut_to(pruning, module, kept, goal, *, last):
        lasts.append(last)
        return real(pruning, module, kept, goal, last=last)

    truth = Counted.milliseconds
    monkeypatch.setattr(Counted, "milliseconds", lambda self, widths: truth(self, widths) * (0.95 if widths else 1))
    monkeypatch.setattr(Pruning, "cut_to", cut_to)
    found = run(it, tmp_path, speedup=3.0, steps=2)
    assert lasts == [False, True]
    assert 0.9 * found.rounds[0].goal <= found.rounds[0].speedup.value < found.rounds[0].goal
    assert found.rounds[1].speedup.value >= 3.0 * 0.98


@pytest.mark.parametrize("off", [0.8, 1.25])
def test_a_prediction_that_is_off_is_corrected_by_what_was_measured(it, tmp_path, monkeypatch, off):
    # The prediction says every cut network is `off` times as fast as it is: the first cut misses, later ones know.
    truth, cuts = Counted.milliseconds, []
    monkeypatch.setattr(Counted, "milliseconds", lambda self, widths: truth(self, widths) / (off if widths else 1))
    real = Pruning._cut
    monkeypatch.setattr(Pruning, "_cut", lambda *given: cuts.append(1) or real(*given))
    found = run(it, tmp_path, speedup=2.5, steps=1)
    assert 2.5 <= found.rounds[0].speedup.value <= 2.5 * 1.1
    assert 1 < len(cuts) <= 4


def test_of_networks_that_are_fast_enough_the_slowest_is_taken(it, tmp_path, monkeypatch):
    real, measured = Pruning._cut, iter([1.5, 2.9, 2.3, 1.7])

    def cut(*given):
        module, made = real(*given)
        return module, msgspec.structs.replace(made, speedup=Measurement(next(measured), "x", 9))

    monkeypatch.setattr(Pruning, "_cut", cut)
    assert run(it, tmp_path, speedup=2.0, steps=1).rounds[0].speedup.value == 2.3


def test_networks_are_timed_in_the_precision_that_is_asked_for(it, tmp_path, monkeypatch):
    time, precisions = Clock.time, set()
    monkeypatch.setattr(Clock, "time", lambda clock, *given: precisions.add(clock.precision) or time(clock, *given))
    run(it, tmp_path / "a", speedup=2.0, steps=1, precision="int8")
    assert precisions == {"int8"}
    precisions.clear()
    run(it, tmp_path / "b", speedup=2.0, steps=1)
    assert precisions == {"fp32"}
    assert Clock(it, 1, 0.1).at("int8").stopwatch("openvino").place.precision == "int8"
