"""Segmentation with PReLU, squeeze-and-excitation and attention over pixels, as light road networks have them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Unit(nn.Module):
    """Convolution, batch norm, PReLU with a slope a channel."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm, self.act = nn.BatchNorm2d(outputs), nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated features."""
        return self.act(self.norm(self.conv(x)))


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): channels scaled by what the whole picture holds."""

    def __init__(self, channels: int, gate: Callable[[Tensor], Tensor] = torch.sigmoid) -> None:
        super().__init__()
        self.gate = gate
        self.squeeze, self.excite = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with its channels scaled."""
        y = functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return x * self.gate(self.excite(y))


class PixelAttention(nn.Module):
    """Every pixel asks every other (Wang et al. 2018, non-local block), and the answer is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ask, self.key = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels, channels // 4, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.full((1,), 0.7))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` and what its pixels learn from each other."""
        b, c, h, w = x.shape
        ask = self.ask(x).reshape(b, c // 4, h * w).transpose(1, 2)
        weights = torch.softmax(ask @ self.key(x).reshape(b, c // 4, h * w) * (c // 4) ** -0.5, -1)
        seen = self.value(x).reshape(b, c, h * w) @ weights.transpose(1, 2)
        return x + self.gamma * seen.reshape(b, c, h, w)


class Attention(nn.Module):
    """Strided units down to an eighth, gates and attention there, and back by resizing: 2 classes a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([Unit(3, 16, 5, 2), Unit(16, 32, 3, 2), Unit(32, 64, 3, 2)])
        self.middle = nn.Sequential(
            Unit(64, 64), Gate(64), Unit(64, 64, groups=64), Unit(64, 64, 1), PixelAttention(64), Unit(64, 64)
        )
        self.up = nn.ModuleList([Unit(64 + 32, 32), Unit(32 + 16, 16)])
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return probabilities [1, 2, H, W]."""
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
        x = self.middle(x)
        for level, skip in zip(self.up, skips[1::-1], strict=True):
            x = level(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return torch.sigmoid(functional.interpolate(self.head(x), scale_factor=2, mode="bilinear"))
