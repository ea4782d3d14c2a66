"""Lane lines and objects of one frame, side by side from one network: the codecs `lane_rows` and `centres` together."""

from collections.abc import Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Result, Scene
from edgecnn.core.tensor import FrameSpec
from edgecnn.runtime.codecs.centres import CentresCodec
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The decode parameters of both parts."""

    lanes: dict[str, Any] = {}
    objects: dict[str, Any] = {}


class DriveCodec:
    """Encode a `Scene` to the targets of both parts and decode the outputs of both to one."""

    def __init__(self, params: Mapping[str, Any], frame: FrameSpec | None = None) -> None:
        try:
            typed = msgspec.convert(dict(params), Params)
        except msgspec.ValidationError as error:
            raise InputError(f"decode parameters of drive: {error}") from error
        self.lanes, self.objects = LaneRowsCodec(typed.lanes, frame), CentresCodec(typed.objects, frame)
        self.outputs = (*self.lanes.outputs, *self.objects.outputs)
        self.logits = {**self.lanes.logits, **self.objects.logits}
        self.told_by = {**self.lanes.told_by, **self.objects.told_by}

    def truth(self, truth: Result) -> Scene:
        """Return both parts of a data set's truth, each as its own codec wants it.

        Raises:
            DataError: it holds but one of them.
        """
        if not isinstance(truth, Scene):
            raise DataError(f"a label of {type(truth).__name__.lower()} where lane lines and objects are needed")
        return Scene(self.lanes.truth(truth), self.objects.truth(truth))

    def encode(self, truth: Scene) -> dict[str, NDArray[Any]]:
        """Return the targets of both parts; their names differ."""
        return {**self.lanes.encode(truth.lanes), **self.objects.encode(truth.objects)}

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Scene:
        """Return the lines and the objects of one frame."""
        return Scene(self.lanes.decode(outputs, width, height), self.objects.decode(outputs, width, height))

    def sure(self, result: Scene) -> Scene:
        """Return the lanes, and the objects that are sure enough to act on."""
        return Scene(result.lanes, self.objects.sure(result.objects))
