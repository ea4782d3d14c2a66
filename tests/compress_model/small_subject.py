"""A small trained network to compress, judged by its own figure, and a clock that counts multiply-adds."""

import math

import torch
from torch import nn

from edgecnn.compress_model.clock import Timed
from edgecnn.compress_model.judge import ON
from edgecnn.compress_model.measure_network import macs_of
from edgecnn.compress_model.subject import Subject
from edgecnn.core.measure import Measurement
from edgecnn.core.recipe import TrainSection
from edgecnn.export.onnx_from_torch import export_plain
from edgecnn.train.recover import Recovery

EXAMPLE = (torch.zeros(1, 3, 16, 16),)


class CountedTable:
    """A layer table that times nothing: layers take their multiply-adds, networks their weights."""

    how, on = "measured", "counted"

    def __init__(self, _stopwatch):
        pass

    def prepare(self, _shapes):
        pass

    def time_ms(self, shape):
        return 1e-6 * shape.macs

    def networks(self, models, _seconds):
        weights = [sum(math.prod(one.dims) for one in model.graph.initializer) for model in models]
        return [Measurement(1e-6 * max(1, count), "ms", 100, on=self.on) for count in weights]


class Counted:
    """A prediction that counts the multiply-adds of the whole network, as the clock of these tests does."""

    error, trials, on, align = 0.05, 3, "counted", None

    def __init__(self, groups):
        self.full = {group.name: group.channels for group in groups.groups}

    def milliseconds(self, widths):
        first, second, hidden = ({"0": 32, "3": 64, "7": 64, **widths}[name] for name in ("0", "3", "7"))
        return 0.01 + 1e-6 * (64 * 27 * first + 16 * 9 * first * second + 16 * second * hidden + 2 * hidden)

    def speedup(self, widths):
        return self.milliseconds({}) / self.milliseconds(widths)


class Blobs:
    """Pictures whose brighter half says which of two kinds they are."""

    epoch = 0

    def __init__(self, first=0, count=48):
        self.first, self.count = first, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(1000 * self.epoch + self.first + index)
        picture = 0.5 * torch.randn(3, 16, 16, generator=rng)
        picture[:, :, 8 * (index % 2) : 8 * (index % 2) + 8] += 0.7
        return picture, {"kind": torch.tensor(index % 2)}

    def inputs(self, frames, _module, device):
        return (frames.to(device),)


class RightOnes:
    """The share of pictures told right."""

    name, frames = "right", 32

    def __init__(self):
        held = Blobs(500, self.frames)
        self.pictures = torch.stack([held[i][0] for i in range(self.frames)])
        self.kinds = torch.arange(self.frames) % 2

    def __call__(self, module):
        return sum(self.scores(module)) / self.frames

    def scores(self, module):
        with torch.no_grad():
            return (module.eval()(self.pictures).argmax(1) == self.kinds).float().tolist()

    def figure(self, scores):
        return Measurement(sum(scores) / len(scores), "", len(scores), on=ON)

    def drop(self, before, after):
        return Measurement(100 * (sum(before) - sum(after)) / len(before), "points", len(before), on=ON)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16, 64),
        nn.ReLU(),
        nn.Linear(64, 2),
    ).eval()


def kinds(outputs, targets):
    return {"kind": nn.functional.cross_entropy(outputs["scores"], targets["kind"])}


def subject(original):
    base = TrainSection(epochs=1, batch_size=8, workers=0, threads=1, mixed_precision=False)
    judge = RightOnes()
    recovery = Recovery(Blobs(), judge, base, 3, ("scores",), EXAMPLE, kinds, {"scores": 1})

    def to_onnx(module, opset):
        return export_plain(module, EXAMPLE, ("x",), ("scores",), opset)

    return Subject(original, EXAMPLE, recovery, judge, to_onnx, {"torch": torch.__version__})


def counted(subject):
    """Return a stand-in for `Clock.time`: a microsecond for a thousand multiply-adds, and ten for a call."""

    def ms(module):
        return 0.01 + 1e-6 * macs_of(module, subject)

    def time(_clock, module, target):
        mine, first = ms(module), ms(subject.original)
        latency, original = (Measurement(value, "ms", 100, value, value, on=target) for value in (mine, first))
        return Timed(latency, Measurement(first / mine, "x", 100, first / mine, first / mine, on=target), original)

    return time
