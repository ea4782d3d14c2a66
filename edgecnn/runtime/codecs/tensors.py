"""Tensors as they are: for networks that came as a finished file, whose outputs only their owner can read."""

from collections.abc import Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Result, Tensors
from edgecnn.core.tensor import FrameSpec, TensorSpec


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outputs that every artefact of the bundle gives."""

    outputs: tuple[TensorSpec, ...]


class TensorsCodec:
    """Hands the network's outputs through."""

    def __init__(self, params: Mapping[str, Any], frame: FrameSpec | None = None) -> None:  # noqa: ARG002 - not needed
        try:
            self.outputs = msgspec.convert(dict(params), Params).outputs
        except msgspec.ValidationError as error:
            raise InputError(f"decode parameters of tensors: {error}") from error
        self.logits: dict[str, int] = {}
        self.told_by: dict[str, str] = {}

    def truth(self, truth: Result) -> Any:
        """Raise `DataError`: labels say nothing of outputs whose meaning is unknown."""
        raise DataError(f"a label of {type(truth).__name__.lower()} says nothing of outputs of unknown meaning")

    def encode(self, truth: Any) -> dict[str, NDArray[Any]]:
        """Raise `InputError`: nothing is known of these outputs that a network could be trained on."""
        raise InputError(f"there is no training target for outputs of unknown meaning, such as for {truth!r}")

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Tensors:
        """Return the outputs that the bundle names, the arrays themselves."""
        return Tensors({spec.name: outputs[spec.name] for spec in self.outputs}, width, height)

    def sure(self, result: Tensors) -> Tensors:
        """Return the result: nothing in it is a mere candidate."""
        return result
