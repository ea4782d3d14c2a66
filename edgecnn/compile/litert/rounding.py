"""QuantizeLinear, DequantizeLinear and Cast."""

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.lowering import Lowering, dtype_of
from edgecnn.compile.litert.source import call, quant_of
from edgecnn.compile.litert.value import Value
from edgecnn.compile.litert.writer import Quant
from edgecnn.core.errors import EngineError


def quantize(low: Lowering, node: ir.Node) -> None:
    """QUANTIZE to int8, also of what ONNX stores as uint8; nothing where an operator gave it so already."""
    quant, _ = quant_of(low.source, node)
    given = low.get(node.inputs[0])
    if given.tensor in low.settled:
        low.bind(node.outputs[0], given)
        return
    if given.pixels is None and given.tensor.dtype != "int8":
        given = low.floating(node.inputs[0])
    elif given.pixels is not None and _stands_for(given, quant):
        given = low.rounded(node.inputs[0])
    made = low.as_int8(given, quant)
    low.bind(node.outputs[0], made)


def dequantize(low: Lowering, node: ir.Node) -> None:
    """Nothing: int8 stands for real numbers already. Plain integers are to be read at this scale."""
    quant, dtype = quant_of(low.source, node)
    given = low.get(node.inputs[0])
    if given.quant is not None:
        if given.quant != quant and given.tensor not in low.settled:
            raise EngineError(f"litert: {call(node)} reads at another scale than its input was rounded at")
        low.bind(node.outputs[0], given)
        return
    above = 128 if dtype == "uint8" else 0
    low.bind(node.outputs[0], Value(given.tensor, given.order, Quant(quant.scale, (quant.zero[0] + above,))))


def cast(low: Lowering, node: ir.Node) -> None:
    """CAST; uint8 as float32 is read at a scale of 1."""
    value, given = node.outputs[0], low.get(node.inputs[0])
    wanted = dtype_of(value)
    if given.tensor.dtype == "uint8" and given.pixels is None and wanted == "float32":
        low.bind(value, Value(given.tensor, given.order, Quant((1.0,), (0,))))
        return
    given = low.as_float(given)
    if given.tensor.dtype == wanted:
        low.bind(value, given)
        return
    made = low.result(value, given.order)
    low.operator("CAST", [given.tensor], [made.tensor], schema.CastOptionsT())
    low.bind(value, made)


def _stands_for(pixels: Value, quant: Quant) -> bool:
    """Whether pixels rounded at `quant` are the pixels: the scales differ by float rounding alone."""
    own = pixels.pixels
    above = 128 if pixels.tensor.dtype == "uint8" else 0
    if own is None or own.zero[0] - above != quant.zero[0]:
        return False
    return abs(own.scale[0] / quant.scale[0] - 1) < 1e-6
