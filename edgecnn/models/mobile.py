"""A backbone of depthwise convolutions: inverted residual blocks (MobileNetV2, Sandler et al., arXiv 1801.04381)."""

import torch
from torch import Tensor, nn

from edgecnn.models.blocks import Backbone, conv_bn

EXPANSION = 4


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 depthwise, 1x1 back without activation; the identity is added where shapes agree.

    The last batch norm of a block with an identity starts at zero, so that a deep network starts as a shallow one.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = EXPANSION * inputs
        self.expand = conv_bn(inputs, inner, 1)
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner)
        )
        self.project = conv_bn(inner, outputs, 1)
        self.adds = stride == 1 and inputs == outputs
        if self.adds:
            nn.init.zeros_(self.project[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        y: Tensor = self.project(torch.relu(self.depthwise(torch.relu(self.expand(x)))))
        return x + y if self.adds else y


class MobileNet(Backbone):
    """Stages of inverted residuals whose channels are `width` times (64, 96, 160, 320), rounded to a multiple of 8.

    `depths` gives the blocks of each stage; the first stage has stride 4, each further one doubles it.
    """

    def __init__(self, width: float, depths: tuple[int, ...]) -> None:
        channels = [max(8, round(base * width / 8) * 8) for base in (64, 96, 160, 320)[: len(depths)]]
        stem = nn.Sequential(conv_bn(3, channels[0], 3, 2), nn.ReLU())
        stages = []
        before = channels[0]
        for outputs, depth in zip(channels, depths, strict=True):
            blocks = [
                InvertedResidual(before if i == 0 else outputs, outputs, 2 if i == 0 else 1) for i in range(depth)
            ]
            stages.append(nn.Sequential(*blocks))
            before = outputs
        super().__init__(stem, stages, channels)
