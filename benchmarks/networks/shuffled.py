"""ShuffleNetV2's plan (Ma et al. 2018): half the channels pass, the others are filtered, then both are shuffled."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def unit(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, relu: bool
) -> list[nn.Module]:
    """Return convolution, batch norm and, if told, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), *([nn.ReLU()] if relu else [])]


def shuffle(x: Tensor) -> Tensor:
    """Return the channels of `x` with those of its two halves in turn."""
    batch, channels, height, width = x.shape
    return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)


class Block(nn.Module):
    """One half of the channels filtered; with a stride both branches see all channels."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, half = stride, outputs // 2
        seen = inputs if stride > 1 else half
        self.work = nn.Sequential(
            *unit(seen, half, relu=True), *unit(half, half, 3, stride, half, relu=False), *unit(half, half, relu=True)
        )
        self.pass_by = nn.Sequential(
            *unit(inputs, inputs, 3, stride, inputs, relu=False), *unit(inputs, half, relu=True)
        )
        self.pass_by = self.pass_by if stride > 1 else nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        """Return both branches, shuffled."""
        first, second = (x, x) if self.stride > 1 else torch.chunk(x, 2, 1)
        return shuffle(torch.cat([self.pass_by(first), self.work(second)], 1))


class Shuffled(nn.Module):
    """Three stages of 48 to 192 channels and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers, channels = [*unit(3, 24, 3, 2, relu=True), nn.MaxPool2d(3, 2, 1)], 24
        for outputs, repeats in ((48, 2), (96, 3), (192, 2)):
            for i in range(repeats):
                layers.append(Block(channels, outputs, 2 if i == 0 else 1))
                channels = outputs
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
