"""Layer shapes are those of the run, and predicted ones those of the network that a cut makes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.layer_shapes import at_widths, layer_shapes


class Mixed(nn.Module):
    """Grouped, depthwise, transposed and linear layers, a sum, and a head that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.part = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.head = nn.Conv2d(8, 4, 1)
        self.flat = nn.Linear(8, 12)
        self.last = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = functional.relu(self.norm(self.stem(x)))
        x = x + self.deep(x)
        y = torch.relu_(self.up(self.part(x)))
        return self.head(x), self.head(y), self.last(torch.tanh(self.flat(x.mean((2, 3)))))


EXAMPLE = (torch.zeros(1, 3, 16, 24),)


def test_shapes_are_those_of_the_run():
    shapes = layer_shapes(Mixed(), EXAMPLE)
    text = {name: [shape.text() for shape in calls] for name, calls in shapes.items()}
    assert text == {
        "stem": ["conv 3>8 3x3/2 @16x24"],
        "deep": ["depthwise conv 8>8 3x3 @8x12"],
        "part": ["conv/2 8>8 3x3 @8x12"],
        "up": ["conv_transpose 8>8 2x2/2 @8x12"],
        "head": ["conv 8>4 1x1 @8x12", "conv 8>4 1x1 @16x24"],
        "flat": ["linear 8>12"],
        "last": ["linear 12>5"],
    }
    assert {name for name, calls in shapes.items() if calls[0].activation} == {"stem", "up", "flat"}


def test_the_module_stays_as_it_was():
    module = Mixed().train()
    module.norm.eval()
    before = module.norm.running_mean.clone()
    layer_shapes(module, EXAMPLE)
    assert module.training
    assert not module.norm.training
    assert torch.equal(module.norm.running_mean, before)
    assert not any(part._forward_hooks for part in module.modules())


def test_predicted_shapes_are_those_of_the_cut_network():
    module = Mixed().eval()
    groups = find_groups(module, EXAMPLE)
    assert groups.groups
    shapes = layer_shapes(module, EXAMPLE)
    for group in groups.groups:
        width = group.channels // 2 // group.unit * group.unit
        if width:
            smaller = cut(module, EXAMPLE, {group.name: torch.arange(width)})
            assert at_widths(shapes, groups.groups, {group.name: width}) == layer_shapes(smaller, EXAMPLE), group.name


def test_a_group_that_is_not_named_stays_whole():
    module = Mixed().eval()
    shapes = layer_shapes(module, EXAMPLE)
    assert at_widths(shapes, find_groups(module, EXAMPLE).groups, {}) == shapes
