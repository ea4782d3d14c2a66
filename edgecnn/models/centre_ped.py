"""Objects as centres on one fine map: a backbone, a top-down path, and three outputs from one convolution.

CSP (Liu et al., arXiv 1904.02948) and CenterNet (Zhou et al., arXiv 1904.07850) with plain convolutions; the coarser
stages join the finer ones as in a feature pyramid (Lin et al., arXiv 1612.03144), of which the finest map is used.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.models.blocks import conv_bn
from edgecnn.models.lane_rows import BACKBONES, NORMALISE

RARE = 0.1
"""What an untrained network says of every cell (RetinaNet, arXiv 1708.02002: a bias of -2.19): else empty cells, which
are nearly all, would drown what the few others teach."""
COMMON_SIZE = (40.0, 16.0)
"""Height and width in pixels of the network's input that an untrained network says of every object."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`width` scales the backbone's channels, `depths` are its blocks a stage.

    `neck` channels carry what the stages say down to the finest map, `head` the convolution before the outputs.
    """

    backbone: Literal["resnet", "lean_resnet", "mobilenet"] = "resnet"
    width: Annotated[float, msgspec.Meta(gt=0, le=8)] = 1.0
    depths: tuple[int, ...] = (2, 2, 2, 2)
    neck: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64
    head: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64

    def __post_init__(self) -> None:
        if len(self.depths) not in (3, 4) or min(self.depths) < 1:
            raise ValueError("depths needs three or four stages of at least one block")


class CentrePed(nn.Module):
    """Frame float32 [N, 3, H, W] to `heat` [N, classes, h, w] (probabilities), `size` and `offset` [N, 2, h, w]."""

    def __init__(self, params: Params, stride: int, classes: int) -> None:
        super().__init__()
        self.output_names = ("heat", "size", "offset")
        self.normalise = NORMALISE
        self.backbone = BACKBONES[params.backbone](params.width, params.depths)
        self.centres = Centres(self.backbone.channels, stride, classes, params.neck, params.head)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (heat, size, offset)."""
        found: tuple[Tensor, Tensor, Tensor] = self.centres(self.backbone(image))
        return found


class Centres(nn.Module):
    """From the maps of a backbone's stages, finest first at stride 4, to `heat`, `size` and `offset` at `stride`."""

    def __init__(self, channels: Sequence[int], stride: int, classes: int, neck: int, head: int) -> None:
        super().__init__()
        self.skipped = {4: 0, 8: 1}[stride]
        self.laterals = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in channels[self.skipped :])
        self.join = conv_bn(neck, head, 3)
        self.heat = nn.Conv2d(head, classes, 1)
        # Sizes and offsets at once: ONNX Runtime pays for reading the map, hardly for channels as few as these.
        self.boxes = nn.Conv2d(head, 4, 1)
        self._start(stride)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return (heat, size, offset)."""
        fine, *coarser = (lateral(each) for lateral, each in zip(self.laterals, maps[self.skipped :], strict=True))
        *finer, merged = (fine, *coarser)
        for each in reversed(finer):
            merged = each + _doubled(merged, each.shape[2], each.shape[3])
        x = torch.relu(self.join(torch.relu(merged)))
        size, offset = self.boxes(x).split(2, 1)
        # Half precision has no number between 0.998 and 1, and the loss asks for logarithms of both.
        return self.heat(x).float().sigmoid(), size, offset

    @torch.no_grad()
    def _start(self, stride: int) -> None:
        """Set the outputs' biases to what is common, so that training need not find it first."""
        for output in (self.heat, self.boxes):
            nn.init.normal_(output.weight, std=0.01)
        self.heat.bias.fill_(math.log(RARE / (1 - RARE)))  # type: ignore[union-attr]
        size = (torch.tensor(COMMON_SIZE) / stride).log()
        self.boxes.bias.copy_(torch.cat([size, torch.full((2,), 0.5)]))  # type: ignore[union-attr]


def _doubled(x: Tensor, height: int, width: int) -> Tensor:
    """Return `x` at twice its size, less the last row or column where the finer map has an odd one."""
    larger = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    return larger if larger.shape[2:] == (height, width) else larger[:, :, :height, :width]


def build(frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> CentrePed:
    """Return a `CentrePed` network with fresh weights; `params` as in `Params`."""
    try:
        typed = msgspec.convert(params, Params)
    except msgspec.ValidationError as error:
        raise RecipeError(f"model.params of centre_ped: {error}") from error
    heat = outputs[0].shape
    return CentrePed(typed, stride_of(frame, heat), heat[1])


def stride_of(frame: FrameSpec, heat: tuple[int, ...]) -> int:
    """Return how many pixels of `frame` a cell of the map [N, classes, h, w] has, 4 or 8."""
    return 4 if heat[2] == -(-frame.height // 4) and heat[3] == -(-frame.width // 4) else 8
