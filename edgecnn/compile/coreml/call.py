"""One ONNX node as it is translated: its attributes, and its inputs as MIL has them by now."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError

Array = NDArray[Any]
# What MIL calls a Var; coremltools comes without types.
Value = Any
Translate = Callable[["Call"], Value]
"""Takes a call and returns the node's output as MIL's Var, or a list of them where the node has several."""


@final
class Call:
    """A node and its inputs.

    Attributes:
        op: ONNX's name of the operator.
        outputs: how many outputs it has.
    """

    def __init__(self, node: onnx.NodeProto, inputs: Sequence[Value | None], opset: int) -> None:
        self.op = node.op_type
        self.opset = opset
        self.outputs = len(node.output)
        self._name = node.name
        self._inputs = inputs
        self._attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, text as `str`."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        """Whether the node has the input at `index`."""
        return index < len(self._inputs) and self._inputs[index] is not None

    def __getitem__(self, index: int) -> Value:
        """Return the input at `index`: a Var, or an array where it is constant."""
        if not self.has(index):
            raise self.error(f"has no input {index}")
        return self._inputs[index]

    def __iter__(self) -> Any:
        return iter(value for value in self._inputs if value is not None)

    def constant(self, index: int) -> Array:
        """Return the input at `index`, which must be constant."""
        value = self[index]
        if not isinstance(value, np.ndarray):
            raise self.error(f"takes input {index} as a constant alone")
        return value

    def numbers(self, index: int, attribute: str = "") -> list[int] | None:
        """Return whole numbers that are a constant input or, in older opsets, an attribute; None where neither is."""
        if self.has(index):
            return [int(number) for number in self.constant(index).reshape(-1)]
        value = self.get(attribute) if attribute else None
        return None if value is None else [int(number) for number in np.reshape(value, -1)]

    def rank(self, index: int = 0) -> int:
        """Return the number of dimensions of an input."""
        return len(self[index].shape)

    def axis(self, default: int, rank: int | None = None) -> int:
        """Return the attribute `axis`, counted from the front."""
        axis, rank = int(self.get("axis", default)), self.rank() if rank is None else rank
        return axis + rank if axis < 0 else axis

    def error(self, what: str) -> EngineError:
        """Return the error that this node `what`."""
        return EngineError(f"Core ML: {self.op} '{self._name}' {what}")


def fixed(shape: Sequence[Any]) -> tuple[int, ...]:
    """Return a MIL shape as plain numbers."""
    return tuple(int(size) for size in shape)


Table = Mapping[str, Translate]
