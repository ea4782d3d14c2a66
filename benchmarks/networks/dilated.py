"""DeepLab's plan (Chen et al. 2017): dilated convolutions side by side, the whole picture's mean, linear upsampling."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and ReLU."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Dilated(nn.Module):
    """A body of 24 to 64 channels at an eighth of the size, four views of it, and scores of 6 classes a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(unit(3, 24, stride=2), unit(24, 48, stride=2), unit(48, 64, stride=2), unit(64, 64))
        self.views = nn.ModuleList([unit(64, 32, 1), *(unit(64, 32, dilation=size) for size in (2, 4, 6))])
        self.whole = nn.Conv2d(64, 32, 1)
        self.join, self.head = unit(160, 64, 1), nn.Conv2d(64, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores [1, 6, H, W]."""
        y = self.body(x)
        mean = functional.relu(self.whole(functional.adaptive_avg_pool2d(y, 1)))
        parts = [view(y) for view in self.views] + [mean.expand(-1, -1, y.shape[2], y.shape[3])]
        scores = self.head(self.join(torch.cat(parts, 1)))
        return functional.interpolate(scores, scale_factor=8, mode="bilinear", align_corners=False)
