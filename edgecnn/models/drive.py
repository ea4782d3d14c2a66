"""One backbone, two tasks: the heads of `lane_rows` and of `centre_ped` on the maps of one pass."""

from typing import Annotated

import msgspec
from torch import Tensor, nn

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.models import lane_rows
from edgecnn.models.centre_ped import Centres, stride_of
from edgecnn.models.lane_rows import LaneRows


class Params(lane_rows.Params, frozen=True, forbid_unknown_fields=True):
    """Those of `lane_rows`, with the channels of the objects' part: `neck` and `head`, as in `centre_ped`."""

    neck: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64
    head: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64


class Drive(nn.Module):
    """Frame float32 [N, 3, H, W] to what `lane_rows` gives, `loc` and `exist`, then `centre_ped`'s three outputs."""

    def __init__(self, frame: FrameSpec, params: Params, outputs: tuple[TensorSpec, ...]) -> None:
        super().__init__()
        loc, exist, heat, _, _ = outputs
        self.output_names = tuple(spec.name for spec in outputs)
        self.lanes = LaneRows(frame, params, loc, exist)
        self.normalise = self.lanes.normalise
        channels, stride = self.lanes.backbone.channels, stride_of(frame, heat.shape)
        self.centres = Centres(channels, stride, heat.shape[1], params.neck, params.head)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return (loc, exist, heat, size, offset)."""
        maps = self.lanes.backbone(image)
        return (*self.lanes.lines(maps), *self.centres(maps))


def build(frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> Drive:
    """Return a `Drive` network with fresh weights; `params` as in `Params`."""
    try:
        typed = msgspec.convert(params, Params)
    except msgspec.ValidationError as error:
        raise RecipeError(f"model.params of drive: {error}") from error
    return Drive(frame, typed, outputs)
