"""RepVGG's plan as it is deployed (Ding et al. 2021): 3x3 convolutions and ReLU in a row, nothing else."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Plain(nn.Module):
    """Nine convolutions of 32 to 192 channels and 20 classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs, repeats in ((32, 1), (48, 2), (96, 3), (192, 3)):
            for i in range(repeats):
                conv = nn.Conv2d(channels, outputs, 3, 2 if i == 0 else 1, 1, bias=False)
                layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
                channels = outputs
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(channels, 20)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores [1, 20]."""
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))
