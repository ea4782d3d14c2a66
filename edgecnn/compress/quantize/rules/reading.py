"""What Q and DQ nodes of any graph say, whoever wrote them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import constant
from edgecnn.compress.quantize.scheme import Format

Q, DQ = "QuantizeLinear", "DequantizeLinear"
RESHAPING = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16})


@dataclass(frozen=True, slots=True)
class Rounding:
    """Scale, zero point and axis of a Q or DQ; a zero point left out is 0, of uint8 if nothing else tells."""

    node: ir.Node
    scale: NDArray[Any] | None
    zero: NDArray[Any] | None
    dtype: str
    axis: int | None

    @property
    def single(self) -> bool:
        """Whether there is one scale in all."""
        return self.scale is not None and self.scale.size == 1 and self.scale.ndim <= 1

    def key(self) -> tuple[float, int, str] | None:
        """Return scale, zero point and type of a single scale, or None."""
        if not self.single or self.scale is None or self.zero is None or self.zero.size != 1:
            return None
        return float(self.scale.reshape(())), int(self.zero.reshape(())), self.dtype

    def fits(self, form: Format) -> bool:
        """Whether type and zero point are those of `form`."""
        middle = (form.low + form.high + 1) // 2
        return self.dtype == form.dtype and (
            not form.symmetric or (self.zero is not None and bool((self.zero == middle).all()))
        )


def rounding(node: ir.Node) -> Rounding:
    """Read a Q or DQ."""
    scale = _at(node, 1)
    zero, dtype = constant(scale_input(node, 2)), _stored_type(node)
    if scale_input(node, 2) is None and scale is not None:
        zero = np.zeros(scale.shape, np.int64)
    axis = node.attributes.get_int("axis", None) if "axis" in node.attributes else None
    return Rounding(node, scale, zero, dtype, axis)


def scale_input(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input of `node`, None where it is left out."""
    return node.inputs[index] if len(node.inputs) > index else None


def is_pair_node(node: ir.Node | None) -> bool:
    """Whether `node` is ONNX's own Q or DQ with input and scale."""
    return node is not None and node.op_type in {Q, DQ} and len(node.inputs) > 1 and node.inputs[0] is not None


def dequantizer(value: ir.Value | None) -> ir.Node | None:
    """Return the DQ that gives `value`, or None; a Cast between two float types may stand behind it."""
    node = value.producer() if value is not None else None
    if node is not None and node.op_type == "Cast" and node.inputs and node.outputs[0].dtype in FLOATS:
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    return node if node is not None and node.op_type == DQ and is_pair_node(node) else None


def quantizers(value: ir.Value) -> list[ir.Node]:
    """Return the Q nodes that read `value`."""
    return [use.node for use in value.uses() if use.node.op_type == Q and use.idx == 0 and is_pair_node(use.node)]


def real_source(node: ir.Node) -> ir.Value | None:
    """Return what a DQ stands for: what the Q before it rounds, or the stored integers themselves."""
    source = node.inputs[0]
    before = source.producer() if source is not None else None
    return before.inputs[0] if before is not None and before.op_type == Q and before.inputs else source


def is_activation(node: ir.Node) -> bool:
    """Whether what a DQ gives is computed, not a constant that was stored or quantized."""
    return constant(real_source(node)) is None


def weights_of(node: ir.Node) -> tuple[ir.Node | None, bool]:
    """Return the DQ of a node's constant second input, and whether nothing stands between the two."""
    value, direct = scale_input(node, 1), True
    source = value.producer() if value is not None else None
    while source is not None and source.op_type in RESHAPING and source.inputs and source.inputs[0] is not None:
        direct, source = False, source.inputs[0].producer()
    found = source if source is not None and source.op_type == DQ and is_pair_node(source) else None
    return (found, direct) if found is not None and not is_activation(found) else (None, direct)


def call(node: ir.Node) -> str:
    """Return what to call `node` in a sentence."""
    return f"'{node.name}'" if node.name else f"the {node.op_type} that gives '{node.outputs[0].name}'"


def of_type(graph: ir.Graph, *kinds: str) -> Iterator[ir.Node]:
    """Yield the nodes of the given op types."""
    return (node for node in graph if node.op_type in kinds and is_pair_node(node))


def _at(node: ir.Node, index: int) -> NDArray[Any] | None:
    return constant(scale_input(node, index))


def _stored_type(node: ir.Node) -> str:
    stored = node.outputs[0] if node.op_type == Q else node.inputs[0]
    zero = scale_input(node, 2)
    for value in (zero, stored):
        if value is not None and value.dtype is not None:
            return str(value.dtype).lower()
    told = node.attributes.get_int("output_dtype", 0)
    return str(ir.DataType(told)).lower() if told else "uint8"
