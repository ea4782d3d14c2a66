"""Lane rows: a ResNet, a 1x1 convolution to few channels, and a low-rank fully connected head over the whole frame.

The row branch of UFLDv2 (arXiv 2206.07389), whose head of one wide layer is most of its parameters; here the layer has
rank `hidden`.
"""

import math

import msgspec
from torch import Tensor, nn

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.models.blocks import ResNet
from edgecnn.models.build import Normalise

# A whole number of grey levels as the mean: INT8 engines then take the pixels as they are, without rounding them.
NORMALISE = Normalise(mean=(128 / 255,) * 3, std=(0.25,) * 3, color="bgr")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`width` scales the backbone's channels, `depths` are its blocks a stage, `reduced` and `hidden` size the head.

    Four stages look at the frame in steps of 32 pixels, three in steps of 16, which suits small inputs better.
    """

    width: float = 1.0
    depths: tuple[int, ...] = (2, 2, 2, 2)
    reduced: int = 8
    hidden: int = 256
    dropout: float = 0.0

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
        self.backbone = ResNet(params.width, params.depths)
        self.reduce = nn.Conv2d(self.backbone.channels, params.reduced, 1)
        stride = self.backbone.stride
        features = math.ceil(frame.height / stride) * math.ceil(frame.width / stride) * params.reduced
        self.hidden = nn.Linear(features, params.hidden)
        self.drop = nn.Dropout(params.dropout)
        self.loc = nn.Linear(params.hidden, math.prod(self.shapes[0]))
        self.exist = nn.Linear(params.hidden, math.prod(self.shapes[1]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return (loc, exist)."""
        flat = self.reduce(self.backbone(image)).flatten(1)
        hidden = self.drop(self.hidden(flat).relu())
        loc, exist = self.shapes
        return self.loc(hidden).reshape(-1, *loc), self.exist(hidden).reshape(-1, *exist)


def build(frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> LaneRows:
    """Return a `LaneRows` network with fresh weights; `params` as in `Params`."""
    try:
        typed = msgspec.convert(params, Params)
    except msgspec.ValidationError as error:
        raise RecipeError(f"model.params of lane_rows: {error}") from error
    loc, exist = outputs
    return LaneRows(frame, typed, loc, exist)
