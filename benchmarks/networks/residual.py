"""ResNet-18's plan (He et al. 2016): basic blocks, sums before ReLU, a linear classifier."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions and a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.quiet_norm = nn.BatchNorm2d(outputs)
        projected = stride != 1 or inputs != outputs
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.short = self.short if projected else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(convolutions + short cut)."""
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.quiet_norm(self.second(y)) + self.short(x))


class Residual(nn.Module):
    """Eight blocks of 32 to 256 channels and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 7, 2, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        blocks, channels = [], 32
        for outputs, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
            blocks.append(Block(channels, outputs, stride))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        y = self.blocks(self.pool(self.stem(x)))
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(y, 1), 1))
