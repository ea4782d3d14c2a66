"""A node of an ONNX graph as torch runs it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
"""Where an AttributeProto keeps its value, by its type's code (onnx.proto)."""
LISTS = frozenset({6, 7, 8})


class NodeProto(Protocol):
    """The part of onnx.NodeProto that is read, so that onnx need not be imported."""

    op_type: str
    name: str

    @property
    def input(self) -> Iterable[str]:
        """Return names, an absent optional input's being empty."""
        ...

    @property
    def output(self) -> Iterable[str]:
        """Return names."""
        ...

    @property
    def attribute(self) -> Iterable[Any]:
        """Return AttributeProtos."""
        ...


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


def read_node(proto: NodeProto) -> Node:
    """Return `proto` read."""
    attributes = {}
    for one in proto.attribute:
        value = getattr(one, FIELDS[one.type])
        attributes[one.name] = list(value) if one.type in LISTS else value
    return Node(proto.op_type, proto.name, tuple(proto.input), tuple(proto.output), attributes)
