"""Recovery: from labels and from the original, resumable, never worse than what it was given."""

import copy

import pytest
import torch
from torch import nn

from edgecnn.core.compression import Distill, FinetuneStep
from edgecnn.core.errors import InputError
from edgecnn.core.recipe import TrainSection
from edgecnn.train import loop
from edgecnn.train.batch_norm import reestimate
from edgecnn.train.recover import Recovery


class Blobs:
    """Pictures whose mean says which of two kinds they are."""

    epoch = 0

    def __len__(self):
        return 32

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(1000 * self.epoch + index)
        return torch.randn(3, 8, 8, generator=rng) + index % 2, {"kind": torch.tensor(index % 2)}

    def inputs(self, frames, _module, device):
        return (frames.to(device),)


def net(width):
    body = (nn.Conv2d(3, width, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2))


def right(module):
    frames = torch.stack([Blobs()[i][0] for i in range(32)])
    with torch.no_grad():
        return float((module.eval()(frames).argmax(1) == torch.arange(32) % 2).float().mean())


def kinds(outputs, targets):
    return {"kind": nn.functional.cross_entropy(outputs["scores"], targets["kind"])}


@pytest.fixture
def recovery():
    base = TrainSection(epochs=1, batch_size=8, workers=0, threads=1, mixed_precision=False)
    return Recovery(Blobs(), right, base, 3, ("scores",), (torch.zeros(1, 3, 8, 8),), kinds, {"scores": 1})


@pytest.fixture
def teacher(recovery, tmp_path):
    torch.manual_seed(0)
    return recovery.finetune(net(8), net(8), FinetuneStep(epochs=8, learning_rate=0.02, distill=None), tmp_path).module


def test_labels_alone_teach(recovery, teacher):
    assert right(teacher) > 0.9


@pytest.mark.parametrize("weights", [Distill(), Distill(labels=0, outputs=1, features=1), Distill(features=0)])
def test_the_original_teaches_with_or_without_labels(recovery, teacher, tmp_path, weights):
    torch.manual_seed(1)
    small = net(4)
    before = copy.deepcopy(small.state_dict())
    found = recovery.finetune(
        small, teacher, FinetuneStep(epochs=8, learning_rate=0.02, distill=weights), tmp_path / "f"
    )
    assert found.figure > 0.8
    assert found.figure == right(found.module)
    assert all(torch.equal(before[name], tensor) for name, tensor in small.state_dict().items())
    assert bool(found.teaching) == bool(weights.features)


def test_without_labels_there_must_be_a_teacher(recovery, teacher, tmp_path):
    unlabelled = Recovery(**{**vars(recovery), "loss": None})
    found = unlabelled.finetune(net(4), teacher, FinetuneStep(epochs=6, learning_rate=0.02), tmp_path / "f")
    assert found.figure > 0.8
    for weights in (None, Distill(outputs=0, features=0)):
        with pytest.raises(InputError, match="no labels"):
            unlabelled.finetune(net(4), teacher, FinetuneStep(distill=weights), tmp_path / "f")


def test_where_no_epoch_is_better_the_start_is_kept(recovery, teacher, tmp_path):
    found = recovery.finetune(teacher, teacher, FinetuneStep(epochs=1, learning_rate=50.0), tmp_path / "f")
    assert found.best_epoch == 0 or found.figure > found.start
    frozen = Recovery(**{**vars(recovery), "monitor": lambda module: 0.5})
    found = frozen.finetune(teacher, teacher, FinetuneStep(epochs=1), tmp_path / "g")
    assert found.best_epoch == 0
    assert all(torch.equal(a, b) for a, b in zip(found.module.parameters(), teacher.parameters(), strict=True))


def test_a_recovery_cut_short_ends_as_one_that_was_not(recovery, teacher, tmp_path, monkeypatch):
    torch.manual_seed(2)
    small, settings = net(4), FinetuneStep(epochs=3, learning_rate=0.02)
    whole = recovery.finetune(small, teacher, settings, tmp_path / "whole")
    save = loop.save_state

    def save_then_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            recovery.finetune(small, teacher, settings, tmp_path / "cut")
        # What is recorded of a training comes later still, and a kill before that costs no epoch.
        finished = recovery.finetune(small, teacher, settings, tmp_path / "whole")
    resumed = recovery.finetune(small, teacher, settings, tmp_path / "cut")
    assert finished.curve == whole.curve
    assert resumed.figure == whole.figure
    same = zip(whole.module.state_dict().values(), resumed.module.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_what_must_stay_zero_stays_zero(recovery, teacher, tmp_path):
    def mask(module):
        with torch.no_grad():
            module[0].weight[0] = 0

    masked = copy.deepcopy(teacher)
    mask(masked)
    found = recovery.finetune(masked, teacher, FinetuneStep(epochs=2, learning_rate=0.02), tmp_path / "f", mask)
    assert not found.module[0].weight[0].any()


def test_losses_are_those_of_batches_and_reach_the_weights(recovery, teacher):
    pupil = net(4)
    values = []
    for loss in recovery.losses(pupil, teacher, 3):
        value = loss(pupil)
        value.backward()
        values.append(float(value.detach()))
    assert len(values) == 3
    assert all(value > 0 for value in values)
    assert pupil[0].weight.grad.abs().sum() > 0


def test_without_labels_a_network_that_is_its_own_teacher_has_gradients_too(recovery, teacher):
    recovery = Recovery(**{**vars(recovery), "loss": None})
    losses = list(recovery.losses(teacher, teacher, 3))
    assert len(losses) == 3 * 8, "one a frame"
    for loss in losses:
        loss(teacher).backward()
    assert float(losses[0](teacher)) == float(losses[0](teacher)) != 0
    assert teacher[0].weight.grad.abs().sum() > 0


def test_statistics_are_the_plain_mean_over_batches_and_weights_stay():
    module = net(4).eval()
    batches = [(torch.randn(8, 3, 8, 8),) for _ in range(4)]
    weights = copy.deepcopy(dict(module.named_parameters()))
    reestimate(module, batches)
    with torch.no_grad():
        means = torch.stack([module[0](inputs).mean((0, 2, 3)) for (inputs,) in batches]).mean(0)
    assert torch.allclose(module[1].running_mean, means, atol=1e-5)
    assert module[1].momentum == 0.1
    assert not module.training
    assert all(torch.equal(weights[name], p) for name, p in module.named_parameters())
