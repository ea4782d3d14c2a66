"""A node of an ONNX graph as torch runs it."""

from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper


@dataclass(frozen=True, slots=True)
class Node:
    """An ONNX node with its attributes as Python values; an absent optional input is an empty name."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, text as `str`."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


def read_node(proto: onnx.NodeProto) -> Node:
    """Return `proto` read."""
    attributes = {one.name: helper.get_attribute_value(one) for one in proto.attribute}
    return Node(proto.op_type, proto.name, tuple(proto.input), tuple(proto.output), attributes)
