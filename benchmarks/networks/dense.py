"""Concatenation everywhere: dense blocks (Huang et al. 2017) and an inception block (Szegedy et al. 2015) in turn."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Grow(nn.Module):
    """A dense layer as its authors order it: batch norm and ReLU first; the result goes beside the input."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.narrow = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.narrow_norm = nn.BatchNorm2d(4 * growth)
        self.conv = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` and `growth` new channels."""
        y = self.narrow(functional.relu(self.norm(x)))
        return torch.cat([x, self.conv(functional.relu(self.narrow_norm(y)))], 1)


class Inception(nn.Module):
    """Four branches: 1x1, 3x3, two 3x3, pooling."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.one = unit(inputs, width, 1)
        self.three = nn.Sequential(unit(inputs, width // 2, 1), unit(width // 2, width, 3))
        self.five = nn.Sequential(unit(inputs, width // 2, 1), unit(width // 2, width, 3), unit(width, width, 3))
        self.pooled = unit(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return 4 `width` channels."""
        pooled = functional.avg_pool2d(x, 3, 1, 1)
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(pooled)], 1)


class Dense(nn.Module):
    """Three dense blocks with an inception block behind the first two, and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [unit(3, 32, 5, 2), nn.MaxPool2d(3, 2, 1)]
        channels = 32
        for number in range(3):
            for _ in range(4):
                layers.append(Grow(channels, 16))
                channels += 16
            if number < 2:
                layers += [Inception(channels, 16), nn.AvgPool2d(2)]
                channels = 64
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.head = nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
