"""MobileNetV2's plan (Sandler et al. 2018): inverted residuals, depthwise convolutions, ReLU6."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PLAN = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 3, 2), (6, 96, 2, 1), (6, 160, 2, 2))
"""Expansion, channels, repeats, stride."""


def unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return convolution, batch norm and ReLU6."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU6()]


class Block(nn.Module):
    """Expand, filter each channel by itself, project without activation."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = unit(inputs, hidden) if expansion > 1 else []
        layers += unit(hidden, hidden, 3, stride, hidden)
        self.layers = nn.Sequential(*layers, nn.Conv2d(hidden, outputs, 1, bias=False))
        self.quiet_norm, self.adds = nn.BatchNorm2d(outputs), stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the projection, plus `x` where the shape allows."""
        y = self.quiet_norm(self.layers(x))
        return y + x if self.adds else y


class Depthwise(nn.Module):
    """Thirteen blocks and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers, channels = unit(3, 32, 3, 2), 32
        for expansion, outputs, repeats, stride in PLAN:
            for i in range(repeats):
                layers.append(Block(channels, outputs, stride if i == 0 else 1, expansion))
                channels = outputs
        self.layers = nn.Sequential(*layers, *unit(channels, 640))
        self.head = nn.Linear(640, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
