"""ResNeXt's plan (Xie et al. 2017): bottlenecks whose 3x3 convolutions see their channels in groups."""

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


class Block(nn.Module):
    """Narrow, filter in groups, widen, add."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=GROUPS, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, outputs, 1, bias=False),
        )
        self.quiet_norm = nn.BatchNorm2d(outputs)
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.short = self.short if stride != 1 or inputs != outputs else nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(convolutions + short cut)."""
        return functional.relu(self.quiet_norm(self.layers(x)) + self.short(x))


class Grouped(nn.Module):
    """Six blocks of 64 to 256 channels and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels = 32
        for outputs, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
            layers.append(Block(channels, outputs, stride))
            channels = outputs
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
