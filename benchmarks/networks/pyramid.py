"""A detector's plan (YOLO with a pyramid, Lin et al. 2017): SiLU, pooling of three sizes, nearest upsampling."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and SiLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.SiLU())


class Pyramid(nn.Module):
    """Three levels of 32 to 128 channels, joined from the coarsest up; 8 values a cell at an eighth of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(unit(3, 16, stride=2), unit(16, 32, stride=2), unit(32, 32, stride=2))
        self.middle, self.coarse = unit(32, 64, stride=2), unit(64, 128, stride=2)
        self.narrow, self.join = unit(128, 32, 1), unit(128, 128, 1)
        self.from_coarse, self.from_middle = unit(128, 64, 1), unit(128, 32, 1)
        self.mix, self.head = unit(64, 64), nn.Conv2d(64, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return values [1, 8, H/8, W/8]."""
        fine = self.fine(x)
        middle = self.middle(fine)
        parts = [self.narrow(self.coarse(middle))]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, 1, 2))
        coarse = self.from_coarse(self.join(torch.cat(parts, 1)))
        middle = torch.cat([middle, functional.interpolate(coarse, scale_factor=2.0)], 1)
        below = functional.interpolate(self.from_middle(middle), scale_factor=2.0)
        return self.head(self.mix(torch.cat([fine, below], 1)))
