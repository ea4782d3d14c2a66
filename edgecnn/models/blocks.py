"""Building blocks: convolution with batch norm, the basic residual block, backbones and the ResNet among them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return convolution (no bias, `same` padding for odd kernels) and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an identity (He et al., arXiv 1512.03385); the last batch norm starts at zero."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_bn(inputs, outputs, 3, stride)
        self.conv2 = conv_bn(outputs, outputs, 3)
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else conv_bn(inputs, outputs, 1, stride)
        nn.init.zeros_(self.conv2[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        return torch.relu(self.conv2(torch.relu(self.conv1(x))) + self.shortcut(x))


class Backbone(nn.Module):
    """A stem of stride 2 or 4 and stages after it, the first of which answers at stride 4, each further one at twice.

    `channels` are the stages' widths, `stride` is the last one's.
    """

    def __init__(self, stem: nn.Module, stages: Sequence[nn.Module], channels: Sequence[int]) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.Sequential(*stages)
        self.channels = tuple(channels)
        self.stride = 2 ** (1 + len(stages))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return every stage's answer to [N, 3, H, W], finest first: strides 4, 8, ... `stride` (sizes rounded up)."""
        x = self.stem(x)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return tuple(found)


class ResNet(Backbone):
    """A ResNet of basic blocks whose channels are `width` times (64, 128, 256, 512), rounded to a multiple of 8.

    `depths` gives the blocks of each stage: (2, 2, 2, 2) is ResNet-18 with stride 32, three stages end at stride 16.
    """

    def __init__(self, width: float, depths: tuple[int, ...]) -> None:
        channels = _channels(width, depths)
        stem = nn.Sequential(conv_bn(3, channels[0], 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        super().__init__(stem, _stages(channels, depths), channels)


class LeanResNet(Backbone):
    """A `ResNet` that begins with two 3x3 convolutions of stride 2 instead of a 7x7 one and a pool.

    Of a narrow network the 7x7 convolution is the costliest layer, and what a pool throws away is where things are.
    """

    def __init__(self, width: float, depths: tuple[int, ...]) -> None:
        channels = _channels(width, depths)
        half = max(8, channels[0] // 2)
        stem = nn.Sequential(conv_bn(3, half, 3, 2), nn.ReLU(), conv_bn(half, channels[0], 3, 2), nn.ReLU())
        super().__init__(stem, _stages(channels, depths), channels)


def _channels(width: float, depths: tuple[int, ...]) -> list[int]:
    return [max(8, round(base * width / 8) * 8) for base in (64, 128, 256, 512)[: len(depths)]]


def _stages(channels: list[int], depths: tuple[int, ...]) -> list[nn.Module]:
    stages: list[nn.Module] = []
    before = channels[0]
    for stage, (outputs, depth) in enumerate(zip(channels, depths, strict=True)):
        strides = [1 if stage == 0 else 2] + [1] * (depth - 1)
        blocks = [BasicBlock(before if i == 0 else outputs, outputs, s) for i, s in enumerate(strides)]
        stages.append(nn.Sequential(*blocks))
        before = outputs
    return stages
