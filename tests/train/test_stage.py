"""Training: a run cut off after any epoch ends with the same bytes as one that was not."""

import shutil

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from edgecnn.core import evidence
from edgecnn.core.errors import DataError
from edgecnn.core.evidence import TrainResult
from edgecnn.core.stage import Job
from edgecnn.models.build import build_model
from edgecnn.train import loop, stage
from edgecnn.train.checkpoint import load_weights, save_weights
from edgecnn.train.schedule import learning_rate
from edgecnn.train.stage import TrainStage


def job(recipe, data, folder):
    out, partial = folder / "out", folder / "partial"
    out.mkdir(parents=True, exist_ok=True)
    partial.mkdir(exist_ok=True)
    return Job(recipe, {"data": data}, out, partial)


class CutError(Exception):
    pass


@pytest.mark.parametrize(("optimizer", "cut_after"), [("adamw", 1), ("adamw", 2), ("muon", 1)])
def test_a_resumed_training_ends_with_the_same_bytes(
    tiny_recipe, tiny_data, tmp_path, monkeypatch, optimizer, cut_after
):
    section = msgspec.structs.replace(tiny_recipe.train, optimizer=optimizer)
    tiny_recipe = msgspec.structs.replace(tiny_recipe, train=section)
    whole = job(tiny_recipe, tiny_data, tmp_path / "whole")
    TrainStage().run(whole)

    cut = job(tiny_recipe, tiny_data, tmp_path / "cut")
    save, calls = loop.save_state, []

    def save_then_die(*arguments):
        save(*arguments)
        calls.append(1)
        if len(calls) == cut_after:
            raise CutError

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", save_then_die)
        with pytest.raises(CutError):
            TrainStage().run(cut)
    TrainStage().run(cut)
    TrainStage().ensures(cut.out)
    assert (cut.out / "model.safetensors").read_bytes() == (whole.out / "model.safetensors").read_bytes()
    curves = [evidence.read(j.out / "train.json", TrainResult).curve for j in (whole, cut)]
    assert [(e.epoch, e.loss, e.figure) for e in curves[0]] == [(e.epoch, e.loss, e.figure) for e in curves[1]]
    assert len(curves[0]) == 3


def test_weights_of_another_network_are_refused(tiny_recipe, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, torch.nn.Linear(3, 2))
    with pytest.raises(DataError, match="another network"):
        load_weights(path, build_model(tiny_recipe))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04\x95pickle"])
def test_a_file_that_is_no_safetensors_is_refused(tiny_recipe, tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a safetensors file"):
        load_weights(path, build_model(tiny_recipe))


def test_too_few_frames_are_named(tiny_recipe, tiny_data, tmp_path):
    greedy = msgspec.structs.replace(tiny_recipe, train=msgspec.structs.replace(tiny_recipe.train, batch_size=64))
    with pytest.raises(DataError, match="too few"):
        TrainStage().run(job(greedy, tiny_data, tmp_path))


def test_saved_weights_are_the_averaged_ones_and_load_into_a_fresh_module(tiny_recipe, tiny_data, tmp_path):
    done = job(tiny_recipe, tiny_data, tmp_path)
    TrainStage().run(done)
    module = build_model(tiny_recipe)
    load_weights(done.out / "model.safetensors", module)
    stored = load_file(done.out / "model.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in module.state_dict().items())
    last = {
        k.removeprefix("average/"): v
        for k, v in load_file(done.partial / "checkpoint.safetensors").items()
        if k.startswith("average/")
    }
    best = evidence.read(done.out / "train.json", TrainResult).best_epoch
    assert best < 3 or all(torch.equal(stored[k], last[k]) for k in last)


def test_the_rate_rises_then_falls_to_a_hundredth():
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(101)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)


def test_leftovers_of_a_kill_before_the_first_checkpoint_do_no_harm(tiny_recipe, tiny_data, tmp_path):
    cut = job(tiny_recipe, tiny_data, tmp_path / "cut")
    (cut.partial / ".checkpoint.safetensors.1234.tmp").write_bytes(b"half")
    TrainStage().run(cut)
    shutil.rmtree(cut.partial)


def test_training_stops_when_nothing_gets_better(tiny_recipe, tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(stage.FigureMonitor, "__call__", lambda self, module: 0.5)
    patient = msgspec.structs.replace(
        tiny_recipe, train=msgspec.structs.replace(tiny_recipe.train, epochs=20, patience=2)
    )
    done = job(patient, tiny_data, tmp_path)
    TrainStage().run(done)
    found = evidence.read(done.out / "train.json", TrainResult)
    assert (len(found.curve), found.best_epoch) == (3, 1)


def test_no_augmentation_at_all_trains_too(tiny_recipe, tiny_data, tmp_path):
    plain = msgspec.structs.replace(tiny_recipe.train, epochs=1, augment=None)
    done = job(msgspec.structs.replace(tiny_recipe, train=plain), tiny_data, tmp_path)
    TrainStage().run(done)
    TrainStage().ensures(done.out)


@pytest.mark.parametrize("gains", [True, False])
def test_statistics_of_whole_frames_are_kept_if_the_figure_gains(tmp_path, gains):
    frames = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 5 + 2
    net, path = torch.nn.Sequential(torch.nn.BatchNorm2d(3)), tmp_path / "w.safetensors"
    save_weights(path, net)
    before = path.read_bytes()
    after = 0.6 if gains else 0.4
    stage.see_whole_frames(net, path, ((part,) for part in frames.split(8)), lambda _: after, 0.5)
    assert (path.read_bytes() != before) is gains
    if gains:
        load_weights(path, net)
        torch.testing.assert_close(net[0].running_mean, frames.mean((0, 2, 3)))
