"""Rules of the file as a whole: opset, operators that no scheme writes, and types under strong typing."""

from collections.abc import Iterator

import onnx_ir as ir

from edgecnn.compress.quantize.half import halve
from edgecnn.compress.quantize.rules.reading import DQ, Q, call
from edgecnn.compress.quantize.scheme import Scheme

INTEGER = frozenset({"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"})


def opset(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that the target reads the opset and that it has what the scheme places."""
    version = model.opset_imports.get("", 0)
    if not scheme.min_opset <= version <= scheme.max_opset:
        wanted = f"{scheme.min_opset} to {scheme.max_opset}"
        yield f"the model has opset {version}, and {scheme.name} takes {wanted}: convert it"


def operators(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that quantization is written as Q and DQ of ONNX's own domain."""
    for node in model.graph:
        own = node.domain in {"", "ai.onnx"}
        if (own and node.op_type in INTEGER) or (not own and node.op_type.startswith("QLinear")):
            yield f"{call(node)}: {scheme.name} takes no {node.op_type}; write it in float between {Q} and {DQ}"
        elif not own and node.op_type in {Q, DQ}:
            yield f"{call(node)}: it is of domain '{node.domain}', and {scheme.name} takes ONNX's own {node.op_type}"


def types(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that under strong typing nothing runs in float32 that could run in float16, and elsewhere no scale is."""
    if scheme.float_type == "float32":
        for node in model.graph:
            scale = node.inputs[1] if node.op_type in {Q, DQ} and len(node.inputs) > 1 else None
            if scale is not None and scale.dtype not in {None, ir.DataType.FLOAT}:
                yield f"{call(node)}: its scale is {scale.dtype}, and {scheme.name} takes float32 ones"
        return
    ideal = model.clone()
    halve(ideal)
    after = {str(out.name): out.dtype for node in ideal.graph for out in node.outputs}
    for node in model.graph:
        full = [out for out in node.outputs if out.dtype == ir.DataType.FLOAT and not out.is_graph_output()]
        if any(after.get(str(out.name)) == ir.DataType.FLOAT16 for out in full):
            yield f"{call(node)}: it gives float32, and {scheme.name} would run it so; make it float16"
