"""Networks that answer otherwise in training mode, or whose batch norms have too little to see, learn all the same."""

import copy

import pytest
import torch
from torch import nn

from edgecnn.core.compression import Distill, FinetuneStep
from edgecnn.core.errors import InputError
from edgecnn.core.recipe import TrainSection
from edgecnn.train.batch_norm import reestimate
from edgecnn.train.modes import TrainingMode, mode_of
from edgecnn.train.recover import Recovery
from edgecnn.train.unlabelled import UnlabelledFrames

INPUTS = (torch.randn(8, 3, 8, 8),)


class Net(nn.Module):
    """Answers in training mode what `training` says, else the map decoded by a convolution."""

    def __init__(self, training="same"):
        super().__init__()
        self.kind = training
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.more, self.decode = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.body(x)
        if not self.training or self.kind == "same":
            answer = self.decode(y)
            return answer.detach() if self.kind == "closed" else answer
        if self.kind == "count":
            return self.decode(y), self.more(y)
        return {"shape": y.mean((2, 3)), "parts": self.more(y), "closed": y, "meaning": self.decode(y).exp()}[self.kind]


class Pooled(nn.Module):
    """Has a batch norm behind a global pooling."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Sigmoid())

    def forward(self, x):
        y = self.body(x)
        return y * self.gate(y)


class Frames:
    def __len__(self):
        return 16

    def __getitem__(self, place):
        rng = torch.Generator().manual_seed(place)
        return {"x": torch.randn(1, 3, 8, 8, generator=rng).numpy()}


def recovery(teacher, batch):
    base = TrainSection(epochs=1, batch_size=batch, workers=0, threads=1, mixed_precision=False, device="cpu")
    data = UnlabelledFrames(Frames(), ("x",))

    def closeness(module):
        with torch.no_grad():
            return -float((module.eval()(*INPUTS) - teacher(*INPUTS)).square().mean())

    return Recovery(data, closeness, base, 0, ("y",), (INPUTS[0][:1],))


def test_dropout_and_batch_norm_alone_are_trained_as_ever():
    module = Net().eval()
    before = copy.deepcopy(module.state_dict())
    assert mode_of(module, INPUTS) == TrainingMode()
    assert not module.training
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())


@pytest.mark.parametrize("training", ["count", "shape", "parts", "meaning"])
def test_what_answers_otherwise_in_training_mode_learns_as_it_is_used(tmp_path, training):
    torch.manual_seed(0)
    teacher = Net(training).eval()
    pupil = copy.deepcopy(teacher)
    with torch.no_grad():
        pupil.body[0].weight += 0.2 * torch.randn_like(pupil.body[0].weight)
    mode = mode_of(pupil, INPUTS)
    assert mode.steady
    mode.set(pupil)
    assert [name for name, part in pupil.named_modules() if part.training] == ["body.1"]
    settings = FinetuneStep(epochs=6, learning_rate=0.01, distill=Distill(features=1))
    found = recovery(teacher, 8).finetune(pupil, teacher, settings, tmp_path)
    assert found.teaching
    assert found.figure > found.start
    assert "in training mode it answers otherwise" in found.notes[0]


def test_what_can_be_learnt_from_in_no_mode_is_one_line():
    with pytest.raises(InputError, match="no gradient"):
        mode_of(Net("closed").eval(), INPUTS)


@pytest.mark.parametrize(("batch", "frozen"), [(1, ("gate.2",)), (8, ())])
def test_a_batch_norm_that_sees_one_number_a_channel_keeps_its_statistics(tmp_path, batch, frozen):
    torch.manual_seed(0)
    teacher = Pooled().eval()
    pupil = copy.deepcopy(teacher)
    with torch.no_grad():
        pupil.gate[2].running_mean += 0.5
        pupil.body[0].weight += 0.2 * torch.randn_like(pupil.body[0].weight)
    it = recovery(teacher, batch)
    it.settle(pupil)
    assert torch.equal(pupil.gate[2].running_mean, torch.full((4,), 0.5)) == bool(frozen)
    assert pupil.body[1].running_mean.abs().sum() > 0
    found = it.finetune(pupil, teacher, FinetuneStep(epochs=4, learning_rate=0.01), tmp_path)
    assert mode_of(pupil, (INPUTS[0][:batch],)) == TrainingMode(frozen=frozen)
    assert found.figure > found.start
    assert [("gate.2" in note) for note in found.notes] == [True] * bool(frozen)
    assert torch.equal(found.module.gate[2].running_mean, pupil.gate[2].running_mean) == bool(frozen)


def test_statistics_of_batch_norms_that_are_not_called_stay():
    module = nn.Module()
    module.used, module.unused = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    module.unused.running_mean += 3
    module.forward = module.used.__call__
    reestimate(module, [INPUTS])
    assert module.unused.running_mean.eq(3).all()
    assert module.used.num_batches_tracked == 1
    assert module.used.momentum == module.unused.momentum == 0.1
    assert not module.used._forward_pre_hooks
