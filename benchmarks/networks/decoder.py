"""U-Net's plan (Ronneberger et al. 2015): an encoder, transposed convolutions, skips joined by concatenation."""

import torch
from torch import Tensor, nn


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Return two 3x3 convolutions with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Up(nn.Module):
    """Double the size by a transposed convolution, join the skip, convolve."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, 2)
        self.conv = double(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return features as large as `skip`."""
        return self.conv(torch.cat([skip, self.up(x)], 1))


class Decoder(nn.Module):
    """Four levels of 16 to 128 channels; scores of 6 classes a pixel."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 64, 128)
        self.down = nn.ModuleList(double(a, b) for a, b in zip((3, *widths), widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(Up(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True))
        self.head = nn.Conv2d(widths[0], 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores [1, 6, H, W]."""
        skips = []
        for number, level in enumerate(self.down):
            x = level(self.pool(x) if number else x)
            skips.append(x)
        for level, skip in zip(self.up, skips[-2::-1], strict=True):
            x = level(x, skip)
        return self.head(x)
