"""Steps in their order: each does what it says, is judged and kept, and a killed run goes on after the last one."""

from dataclasses import replace

import pytest
import torch
from small_subject import EXAMPLE, Counted, CountedTable, counted, network, subject

from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.predict import Trial
from edgecnn.compress.sparse_2_4 import is_2_4
from edgecnn.compress_model import predictor
from edgecnn.compress_model import run as running
from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.context import Context
from edgecnn.compress_model.progress import load_module, save_module
from edgecnn.compress_model.pruning import OutOfReachError, Pruning
from edgecnn.compress_model.run import compress
from edgecnn.compress_model.steps import low_rank, prune
from edgecnn.core.compression import FinetuneStep, LowRankStep, PruneStep, SparsifyStep
from edgecnn.core.errors import GateError, InputError
from edgecnn.core.measure import Measurement
from edgecnn.core.recipe import CompressStep
from edgecnn.train import loop

SHORT = FinetuneStep(epochs=1, learning_rate=0.01)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    found = subject(network()).recovery.finetune(
        network(), network(), FinetuneStep(epochs=6, learning_rate=0.01, distill=None), tmp_path_factory.mktemp("t")
    )
    assert found.figure > 0.9
    return found.module


class Verdict:
    def __init__(self, predict, asked, **_):
        least = {name: max(1, -(-channels // 10)) for name, channels in predict.full.items()}
        self.best = {name: -(-width // 4) * 4 for name, width in least.items()}
        self.best_speedup = predict.speedup(self.best)
        self.helps = asked is None or self.best_speedup >= asked
        self.text = f"pruning can{'' if self.helps else 'not'} reach {asked}"


@pytest.fixture
def it(trained, monkeypatch):
    found = subject(trained)
    monkeypatch.setattr(Clock, "time", counted(found))
    monkeypatch.setattr(prune, "predictor", lambda _module, groups, *_: Counted(groups))
    monkeypatch.setattr("edgecnn.compress_model.pruning.can_pruning_help", Verdict)
    return found


def go(it, folder, *steps, targets=("openvino",)):
    return compress(it, steps, targets, folder, threads=1, seconds=0.1)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_pruning_reaches_its_goal_in_rounds_and_the_evidence_tells_the_way(it, tmp_path):
    step = PruneStep(speedup=3.0, steps=2, batches=2, recover=SHORT)
    module, result = go(it, tmp_path, CompressStep(prune=step), CompressStep(finetune=SHORT))
    pruned, tuned = result.steps
    assert pruned.result.speedup["openvino"].value >= 3 * 0.98
    assert [round(one.goal, 2) for one in pruned.rounds] == [1.73, 3.0]
    assert all(one.speedup.value >= 0.98 * one.goal for one in pruned.rounds)
    assert pruned.result.parameters < result.original.parameters
    assert pruned.result.parameters == sum(p.numel() for p in module.parameters()) == tuned.result.parameters
    assert set(pruned.widths) == {"0", "3", "7"}
    assert all(after <= before for before, after in pruned.widths.values())
    assert pruned.widths["0"][1] == module[0].out_channels
    assert "9" in pruned.refused
    assert tuned.result.figure.value > 0.85
    assert tuned.result.drop.value == pytest.approx(100 * (result.original.figure.value - tuned.result.figure.value))
    assert (result.figure, result.frames, result.original.speedup) == ("right", 32, {})


def test_a_budget_in_ms_is_a_speedup_of_the_original(it, tmp_path):
    whole = go(it, tmp_path / "a")[1].original.latency["openvino"].value
    step = PruneStep(latency_ms=whole / 2, steps=1, batches=1, recover=None)
    found = go(it, tmp_path / "b", CompressStep(prune=step))[1].steps[0].result
    assert found.latency["openvino"].value <= whole / 2 / 0.98


def test_pruning_goes_on_until_the_floor_would_break_and_keeps_the_last_round_that_held(it, tmp_path, monkeypatch):
    figures = iter((0.99, 0.98, 0.5))
    monkeypatch.setattr(type(it.judge), "drop", lambda *_: Measurement(100 * (1 - next(figures)), "points", 32))
    step = PruneStep(max_drop=3.0, stride=1.3, batches=1, recover=None)
    found = prune.run(step, it.original, context(it, tmp_path))
    assert [one.kept for one in found.rounds] == [True, True, False]
    assert [round(one.goal, 2) for one in found.rounds] == [1.3, 1.69, 2.2]
    assert sum(p.numel() for p in found.module.parameters()) == found.rounds[1].parameters
    assert "round 3 was undone" in found.notes[-1]


def context(it, folder, **extra):
    return Context(it, Clock(it, 1, 0.1), it.judge.scores(it.original), "openvino", folder, **extra)


@pytest.mark.parametrize("way", ["stop", "skip", "try"])
def test_a_goal_out_of_reach_is_said_before_any_training(it, tmp_path, monkeypatch, way):
    step = PruneStep(speedup=900.0, steps=1, batches=1, unhelpful=way, recover=None)
    if way != "try":
        monkeypatch.setattr(type(it.recovery), "finetune", lambda *_: pytest.fail("trained"))
        monkeypatch.setattr(type(it.recovery), "losses", lambda *_: pytest.fail("asked for gradients"))
    if way == "stop":
        with pytest.raises(GateError, match="cannot reach 900"):
            prune.run(step, it.original, context(it, tmp_path))
        return
    found = prune.run(step, it.original, context(it, tmp_path))
    assert "cannot reach" in found.verdict
    assert (found.module is it.original) == (way == "skip")
    if way == "try":
        assert found.module[0].out_channels == 4
        assert "is what could be cut to" in found.notes[-1]


def test_what_is_fast_enough_or_kept_whole_is_left_alone(it, tmp_path):
    module, _ = go(it, tmp_path / "a", CompressStep(prune=PruneStep(speedup=2.0, steps=1, batches=1, recover=None)))
    already = context(it, tmp_path)
    found = prune.run(PruneStep(speedup=1.5), module, already)
    assert found.module is module
    assert found.verdict.startswith("nothing to prune")
    kept = prune.run(PruneStep(speedup=1.2, keep=("0",), batches=1, steps=1, recover=None), it.original, already)
    assert kept.module[0].out_channels == 32
    assert kept.module[3].out_channels < 64
    with pytest.raises(InputError, match=r"prune\.keep 'backbon\*' fits no layer"):
        prune.run(PruneStep(speedup=1.2, keep=("backbon*",)), it.original, already)


def test_sparse_weights_stay_sparse_through_later_training_even_when_resumed(it, tmp_path, monkeypatch):
    steps = (CompressStep(sparsify=SparsifyStep(recover=SHORT)), CompressStep(finetune=SHORT))
    module, result = go(it, tmp_path / "whole", *steps)
    assert is_2_4(module[3].weight)
    assert "permission" in result.steps[0].notes[0]

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(running.STEPS, "finetune", die)
        with pytest.raises(KeyboardInterrupt):
            go(it, tmp_path / "cut", *steps)
        patch.setitem(running.STEPS, "sparsify", die)
    resumed, again = go(it, tmp_path / "cut", *steps)
    assert is_2_4(resumed[3].weight)
    assert same(resumed, module)
    assert [step.name for step in again.steps] == ["sparsify", "finetune"]


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_run_cut_anywhere_ends_with_the_same_bytes(it, tmp_path, monkeypatch, dies_at):
    steps = (
        CompressStep(prune=PruneStep(speedup=2.5, steps=2, batches=2, recover=SHORT)),
        CompressStep(finetune=SHORT),
    )
    whole, _ = go(it, tmp_path / "whole", *steps)
    save, calls = loop.save_state, []

    def save_then_die(*arguments):
        save(*arguments)
        calls.append(1)
        if len(calls) == dies_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            go(it, tmp_path / "cut", *steps)
    resumed, result = go(it, tmp_path / "cut", *steps)
    assert same(whole, resumed)
    assert len(result.steps) == 2
    assert not list(tmp_path.glob("cut/*-work"))


def test_pruning_that_was_killed_goes_on_by_what_was_measured_before(it, tmp_path, monkeypatch):
    """Neither another time of the original, nor another verdict, undoes rounds that are finished."""
    goal = Clock.time(None, it.original, "openvino").original.value / 2.5
    step = PruneStep(latency_ms=goal, steps=2, batches=1, recover=SHORT)
    whole = prune.run(step, it.original, context(it, tmp_path / "whole"))
    save, calls = loop.save_state, []

    def die_in_the_second_round(*arguments):
        save(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", die_in_the_second_round)
        with pytest.raises(KeyboardInterrupt):
            prune.run(step, it.original, context(it, tmp_path / "cut"))
    assert not (tmp_path / "cut" / "recover0").exists()
    time = Clock.time

    def faster(clock, module, target):
        found = time(clock, module, target)
        return replace(found, original=Measurement(found.original.value / 10, "ms", 100))

    monkeypatch.setattr(Clock, "time", faster)
    monkeypatch.setattr("edgecnn.compress_model.pruning.can_pruning_help", lambda *_, **__: pytest.fail("asked again"))
    resumed = prune.run(step, it.original, context(it, tmp_path / "cut"))
    assert same(resumed.module, whole.module)
    assert (resumed.rounds, resumed.verdict, resumed.widths) == (whole.rounds, whole.verdict, whole.widths)


def test_who_tries_again_after_a_refusal_has_it_measured_again(it, tmp_path, monkeypatch):
    def out_of_reach(*_, **__):
        raise OutOfReachError("out of reach")

    step = PruneStep(speedup=3.0, steps=1, batches=1, recover=None)
    with monkeypatch.context() as patch:
        patch.setattr(Pruning, "cut_to", out_of_reach)
        with pytest.raises(GateError):
            prune.run(step, it.original, context(it, tmp_path))
    assert not list(tmp_path.glob("*.json"))
    assert len(prune.run(step, it.original, context(it, tmp_path)).rounds) == 1


def test_a_prediction_is_fitted_once(it, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "LayerTable", CountedTable)
    monkeypatch.setattr(predictor, "_trials", lambda *_: [Trial({"0": 16}, 0.3), Trial({"3": 32}, 0.2)])
    groups = find_groups(it.original, EXAMPLE)
    first = predictor.predictor(it.original, groups, context(it, tmp_path), "openvino", 0.1)
    monkeypatch.setattr(predictor, "_trials", lambda *_: pytest.fail("tried again"))
    time, calls = Clock.time, []
    monkeypatch.setattr(Clock, "time", lambda *given: calls.append(1) or time(*given))
    again = predictor.predictor(it.original, groups, context(it, tmp_path), "openvino", 0.1)
    assert not calls
    assert (again.error, again.trials, again.factors) == (first.error, first.trials, first.factors)
    for widths in ({}, {"0": 8}, {"0": 20, "3": 40, "7": 12}):
        assert again.milliseconds(widths) == first.milliseconds(widths)


def test_low_rank_then_prune_is_built_again_from_code_structure_and_weights(it, tmp_path):
    steps = (
        CompressStep(low_rank=LowRankStep(ranks={"7": 8}, batches=2)),
        CompressStep(prune=PruneStep(speedup=4.0, steps=1, batches=1, recover=None, unhelpful="try")),
    )
    module, result = go(it, tmp_path / "a", *steps)
    assert "7: svd of rank 8" in result.steps[0].notes[0]
    assert find_groups(module, EXAMPLE).groups
    save_module(tmp_path, module, it.original)
    again = load_module(tmp_path, network())
    assert same(module, again)
    assert torch.equal(module(EXAMPLE[0]), again(EXAMPLE[0]))


def test_nothing_is_trained_where_nothing_was_changed_even_when_resumed(it, tmp_path, monkeypatch):
    monkeypatch.setattr(type(it.recovery), "finetune", lambda *_: pytest.fail("trained"))
    skipped = CompressStep(prune=PruneStep(speedup=900.0, unhelpful="skip"))
    for steps in ((skipped,), (skipped, CompressStep(finetune=SHORT))):
        module, result = go(it, tmp_path, *steps)
    assert same(module, it.original)
    assert "changed nothing" in result.steps[1].notes[0]


@pytest.mark.parametrize(("worth", "said"), [(0.0, "worth 0"), (float("nan"), "not finite")])
def test_channels_that_cannot_be_told_apart_are_one_line(it, tmp_path, monkeypatch, worth, said):
    def blind(_module, groups, *_):
        return {group.name: torch.full((group.channels,), worth) for group in groups.groups}

    monkeypatch.setattr("edgecnn.compress_model.worth.resolve", lambda *_: blind)
    with pytest.raises(InputError, match=said):
        prune.run(PruneStep(speedup=1.5, batches=1, recover=None), it.original, context(it, tmp_path))


def test_a_group_that_a_cut_left_unfindable_keeps_its_width(it, tmp_path, monkeypatch):
    whole = find_groups(it.original, EXAMPLE)

    def later(module, example, keep=()):
        found = find_groups(module, example, keep)
        return replace(found, groups=tuple(group for group in found.groups if group.name != "3"))

    monkeypatch.setattr("edgecnn.compress_model.worth.find_groups", later)
    step = PruneStep(speedup=1.5, batches=1, recover=None)
    pruning = Pruning(step, context(it, tmp_path), "openvino", whole, Counted(whole), 1.0, ())
    module, made = pruning.cut_to(it.original, pruning.whole(), 1.5)
    assert made.speedup.value >= 1.5
    assert module[3].out_channels == 64
    assert module[0].out_channels < 32
    assert pruning.cut_to_the_fastest(module, made.kept)[0][3].out_channels == 64


def test_for_a_device_that_is_not_here_nothing_is_timed_and_all_is_called_predicted(it, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(Clock, "time", lambda *_: pytest.fail("timed"))
    step = PruneStep(speedup=1.5, times="jetson-orin-nx-16gb/tensorrt", steps=2, batches=1, recover=None)
    found = prune.run(step, it.original, context(it, tmp_path))
    assert "data-sheet layer times (NVIDIA" in found.verdict or "jetson-orin-nx-16gb, tensorrt, int8" in found.verdict
    assert "predicted" in found.verdict
    assert [one.speedup.how for one in found.rounds] == ["predicted", "predicted"]
    assert found.rounds[-1].speedup.value >= 1.5
    assert "predicted for jetson-orin-nx-16gb" in found.notes[-1]
    again = prune.run(step, found.module, context(it, tmp_path / "again"))
    assert again.verdict.startswith("nothing to prune")


@pytest.mark.parametrize(("exhausted", "why"), [(True, "time for timing layers was up"), (False, "could not time")])
def test_low_rank_says_why_layers_were_not_judged_by_the_clock(it, tmp_path, monkeypatch, exhausted, why):
    class Table:
        how, on = "measured", "nowhere"

        def __init__(self, _stopwatch):
            self.exhausted, self.prepared = exhausted, 0

        def prepare(self, _shapes):
            assert not self.prepared, "one race for all layers, so that their weights are as cold as in a network"
            self.prepared += 1

        def time_ms(self, _shape):
            return None

    monkeypatch.setattr(low_rank, "LayerTable", Table)
    found = low_rank.run(LowRankStep(energy=0.8, batches=1), it.original, context(it, tmp_path))
    assert "2 layers, 3 first, were judged by multiply-adds" in found.notes[0]
    assert why in found.notes[0]
