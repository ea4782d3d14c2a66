"""A goal of pruning: nothing that was trained is thrown away, and only the last round has to reach it."""

import pytest
from small_subject import counted, network, subject

from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.context import Context
from edgecnn.compress_model.pruning import OutOfReachError, Pruning
from edgecnn.compress_model.steps import prune
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import GateError


class Predicted:
    """A prediction that counts the multiply-adds of the whole network, as the clock of these tests does."""

    error, trials, on, align = 0.05, 3, "counted", None

    def __init__(self, groups):
        self.full = {group.name: group.channels for group in groups.groups}

    def milliseconds(self, widths):
        first, second, hidden = ({"0": 32, "3": 64, "7": 64, **widths}[name] for name in ("0", "3", "7"))
        return 0.01 + 1e-6 * (64 * 27 * first + 16 * 9 * first * second + 16 * second * hidden + 2 * hidden)

    def speedup(self, widths):
        return self.milliseconds({}) / self.milliseconds(widths)


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
    monkeypatch.setattr(prune, "predictor", lambda _module, groups, *_: Predicted(groups))
    monkeypatch.setattr("edgecnn.compress_model.pruning.can_pruning_help", Verdict)
    return found


def run(it, folder, **settings):
    context = Context(it, Clock(it, 1, 0.1), it.judge.scores(it.original), "openvino", folder)
    return prune.run(PruneStep(batches=1, recover=None, criterion="l1", **settings), it.original, context)


def fastest(it):
    return Verdict(Predicted(prune.find_groups(it.original, it.example)), None).best_speedup


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

    truth = Predicted.milliseconds
    monkeypatch.setattr(Predicted, "milliseconds", lambda self, widths: truth(self, widths) * (0.95 if widths else 1))
    monkeypatch.setattr(Pruning, "cut_to", cut_to)
    found = run(it, tmp_path, speedup=3.0, steps=2)
    assert lasts == [False, True]
    assert 0.9 * found.rounds[0].goal <= found.rounds[0].speedup.value < found.rounds[0].goal
    assert found.rounds[1].speedup.value >= 3.0 * 0.98
