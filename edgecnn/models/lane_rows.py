"""Lane rows: a backbone, a low-rank fully connected head over the whole frame, and local evidence from finer stages.

The row branch of UFLDv2 (arXiv 2206.07389), whose fully connected head is most of its parameters. Here it has rank
`hidden`: it knows which lines there are and roughly where, behind a lorry too, and `LocalRows` says exactly where the
paint is.
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.models.blocks import Backbone, LeanResNet, ResNet
from edgecnn.models.build import Normalise
from edgecnn.models.mobile import MobileNet

# A whole number of grey levels as the mean: INT8 engines then take the pixels as they are, without rounding them.
NORMALISE = Normalise(mean=(128 / 255,) * 3, std=(0.25,) * 3, color="bgr")

BACKBONES: dict[str, Callable[[float, tuple[int, ...]], Backbone]] = {
    "resnet": ResNet,
    "lean_resnet": LeanResNet,
    "mobilenet": MobileNet,
}
FINE_STRIDES = (8, 16)  # of the backbone's second and third stage, which local evidence comes from


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`width` scales the backbone's channels, `depths` are its blocks a stage, `reduced` and `hidden` size the head.

    A ResNet suits engines that are good at dense convolutions, a MobileNet (depthwise ones) those short of arithmetic;
    a lean ResNet begins more cheaply, which tells in a narrow one.

    Four stages look at the frame in steps of 32 pixels, three in steps of 16, which suits small inputs better.
    """

    backbone: Literal["resnet", "lean_resnet", "mobilenet"] = "resnet"
    width: Annotated[float, msgspec.Meta(gt=0, le=8)] = 1.0
    depths: tuple[int, ...] = (2, 2, 2, 2)
    reduced: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 8
    hidden: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 256
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if len(self.depths) not in (3, 4) or min(self.depths) < 1:
            raise ValueError("depths needs three or four stages of at least one block")


class LaneRows(nn.Module):
    """Frame float32 [N, 3, H, W] to `loc` [N, cells, rows, lanes] and `exist` [N, 2, rows, lanes], both logits."""

    def __init__(self, frame: FrameSpec, params: Params, loc: TensorSpec, exist: TensorSpec) -> None:
        super().__init__()
        self.output_names = ("loc", "exist")
        self.normalise = NORMALISE
        self.shapes = (loc.shape[1:], exist.shape[1:])
        self.backbone = BACKBONES[params.backbone](params.width, params.depths)
        self.reduce = nn.Conv2d(self.backbone.channels[-1], params.reduced, 1)
        stride = self.backbone.stride
        features = math.ceil(frame.height / stride) * math.ceil(frame.width / stride) * params.reduced
        self.hidden = nn.Linear(features, params.hidden)
        self.drop = nn.Dropout(params.dropout)
        self.loc = nn.Linear(params.hidden, math.prod(self.shapes[0]))
        self.exist = nn.Linear(params.hidden, math.prod(self.shapes[1]))
        self.local = nn.ModuleList()
        for channels, step in zip(self.backbone.channels[1:], FINE_STRIDES, strict=False):
            size = (math.ceil(frame.height / step), math.ceil(frame.width / step))
            self.local.append(LocalRows(channels, size, self.shapes[0]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return (loc, exist)."""
        return self.lines(self.backbone(image))

    def lines(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return (loc, exist) from what the backbone's stages gave, finest first."""
        _, *stages = maps
        hidden = self.drop(self.hidden(self.reduce(stages[-1]).flatten(1)).relu())
        loc, exist = self.shapes
        logits = self.loc(hidden).reshape(-1, *loc)
        presence = self.exist(hidden).reshape(-1, *exist)
        for local, stage in zip(self.local, stages, strict=False):
            where, whether = local(stage)
            logits, presence = logits + where, presence + whether
        return logits, presence


class LocalRows(nn.Module):
    """What each place of a finer feature map says of each lane slot, brought from the map's grid to rows and cells.

    Two 1x1 convolutions, one channel a slot for where its line is and two for whether it is there at all, and a linear
    map along either axis, which start as interpolation. For whether, the strongest say of any place in a row counts.
    """

    def __init__(self, channels: int, size: tuple[int, int], loc: tuple[int, ...]) -> None:
        super().__init__()
        cells, rows, self.lanes = loc
        self.where = nn.Conv2d(channels, self.lanes, 1)
        self.whether = nn.Conv2d(channels, 2 * self.lanes, 1)
        self.down = nn.Parameter(_interpolation(rows, size[0]))
        self.across = nn.Parameter(_interpolation(cells, size[1]))

    def forward(self, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Map [N, channels, h, w] to logits [N, cells, rows, lanes] and [N, 2, rows, lanes]."""
        # Columns first: turned while they are few, the map comes out of both products in the order that is asked for.
        columns = self.across @ self.where(fine).permute(0, 3, 2, 1).flatten(2)
        logits: Tensor = self.down @ columns.unflatten(2, (-1, self.lanes))
        presence: Tensor = self.down @ self.whether(fine).amax(3, keepdim=True)
        presence = presence.reshape(-1, 2, self.lanes, self.down.shape[0])
        return logits, presence.transpose(2, 3)


def _interpolation(to: int, of: int) -> Tensor:
    """Return the matrix [to, of] of linear interpolation from `of` evenly spaced samples to `to`."""
    place = (torch.arange(to) + 0.5) * of / to - 0.5
    return (1 - (place[:, None] - torch.arange(of)).abs()).clamp(min=0)


def build(frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> LaneRows:
    """Return a `LaneRows` network with fresh weights; `params` as in `Params`."""
    try:
        typed = msgspec.convert(params, Params)
    except msgspec.ValidationError as error:
        raise RecipeError(f"model.params of lane_rows: {error}") from error
    loc, exist = outputs
    return LaneRows(frame, typed, loc, exist)
