"""MobileNetV3's plan (Howard et al. 2019): inverted residuals with hard swish and squeeze-and-excitation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.attention import Gate

PLAN = ((16, 16, False, 1), (64, 24, False, 2), (72, 40, True, 2), (120, 40, True, 1), (240, 80, True, 2))
"""Hidden channels, channels, squeeze and excitation, stride."""


class Block(nn.Module):
    """Expand, filter each channel by itself, gate, project without activation."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int, *, gated: bool) -> None:
        super().__init__()
        self.wide = nn.Sequential(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish())
        self.deep = nn.Sequential(
            nn.Conv2d(hidden, hidden, 5, stride, 2, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish()
        )
        self.gate = Gate(hidden, functional.hardsigmoid) if gated else nn.Identity()
        self.project, self.quiet_norm = nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the projection, plus `x` where the shape allows."""
        y = self.quiet_norm(self.project(self.gate(self.deep(self.wide(x)))))
        return y + x if self.adds else y


class Gated(nn.Module):
    """Five blocks and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()]
        channels = 16
        for hidden, outputs, gated, stride in PLAN:
            layers.append(Block(channels, hidden, outputs, stride, gated=gated))
            channels = outputs
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
