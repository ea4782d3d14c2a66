"""Ultra-Fast Lane Detection: a ResNet and a full fully connected head over the whole frame (arXiv 2004.11757).

Backbone, a 1x1 convolution to few channels, two linear layers. The second one holds a column of weights for every cell
of every row and lane, and so most of the network's parameters: at batch 1 it is as fast as memory brings them. Whether
a line is there at all is an output of its own, as in UFLDv2 (arXiv 2206.07389), rather than one class more.
"""

import math
from typing import Annotated

import msgspec
from torch import Tensor, nn

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.models.blocks import ResNet
from edgecnn.models.build import Normalise

# A whole number of grey levels as the mean: INT8 engines then take the pixels as they are, without rounding them.
NORMALISE = Normalise(mean=(128 / 255,) * 3, std=(0.25,) * 3, color="bgr")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults are UFLD's: ResNet-18 (`width` 1, `depths` 2, 2, 2, 2), 8 channels before a layer of 2048."""

    width: Annotated[float, msgspec.Meta(gt=0, le=8)] = 1.0
    depths: tuple[int, ...] = (2, 2, 2, 2)
    reduced: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 8
    hidden: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 2048

    def __post_init__(self) -> None:
        if len(self.depths) not in (3, 4) or min(self.depths) < 1:
            raise ValueError("depths needs three or four stages of at least one block")


class Ufld(nn.Module):
    """Frame float32 [N, 3, H, W] to `loc` [N, cells, rows, lanes] and `exist` [N, 2, rows, lanes], both logits."""

    def __init__(self, frame: FrameSpec, params: Params, loc: TensorSpec, exist: TensorSpec) -> None:
        super().__init__()
        self.output_names = ("loc", "exist")
        self.normalise = NORMALISE
        self.shapes = (loc.shape[1:], exist.shape[1:])
        self.backbone = ResNet(params.width, params.depths)
        stride = self.backbone.stride
        places = math.ceil(frame.height / stride) * math.ceil(frame.width / stride)
        self.reduce = nn.Conv2d(self.backbone.channels[-1], params.reduced, 1)
        self.hidden = nn.Linear(places * params.reduced, params.hidden)
        self.loc = nn.Linear(params.hidden, math.prod(self.shapes[0]))
        self.exist = nn.Linear(params.hidden, math.prod(self.shapes[1]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return (loc, exist)."""
        hidden = self.hidden(self.reduce(self.backbone(image)[-1]).flatten(1)).relu()
        loc, exist = self.shapes
        return self.loc(hidden).reshape(-1, *loc), self.exist(hidden).reshape(-1, *exist)


def build(frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> Ufld:
    """Return a `Ufld` network with fresh weights; `params` as in `Params`.

    Raises:
        RecipeError: a parameter is unknown, of a wrong type or out of bounds.
    """
    try:
        typed = msgspec.convert(params, Params)
    except msgspec.ValidationError as error:
        raise RecipeError(f"model.params of ufld: {error}") from error
    loc, exist = outputs
    return Ufld(frame, typed, loc, exist)
