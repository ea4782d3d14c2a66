"""Compute once what depends on no input, shapes that are known included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import Array, add_constant, attribute, constant, fixed_shape, is_standard, nodes
from edgecnn.export.passes.raise_opset import opset

GROWTH = 1 << 18
"""How many numbers a folded result may hold beyond those it is made of: what is cheap to make stays a node."""
RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})


class EvaluateConstants:
    """Nodes of the main graph that read only constants become initializers, by ONNX's reference evaluator."""

    name = "evaluate_constants"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; the more shapes are known, the more is folded."""

    def call(self, model: ir.Model) -> bool:
        """Fold in topological order, so that one sweep folds whole chains."""
        modified = bool(LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified)
        for node in nodes(model):
            results = _evaluate(model, node)
            if results is not None and _replace(model, node, results):
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """No Constant node is left."""
        if left := nodes(model, "Constant"):
            raise StageError(f"pass '{self.name}' left the constant node '{left[0].name}'")


def _evaluate(model: ir.Model, node: ir.Node) -> Sequence[Array] | None:
    shape = fixed_shape(node.inputs[0]) if is_standard(node, "Shape", "Size") else None
    if shape is not None:
        if node.op_type == "Size":
            return [np.asarray(np.prod(shape, dtype=np.int64))]
        return [np.asarray(shape[slice(attribute(node, "start", 0), attribute(node, "end"))], np.int64)]
    if node.op_type in RANDOM | QUANTIZED or any(_holds_graph(entry) for entry in node.attributes.values()):
        return None
    given = {value.name: constant(value) for value in node.inputs if value is not None}
    if not given or any(array is None for array in given.values()) or _too_large(node):
        return None
    try:
        return _run(node, {str(name): array for name, array in given.items()}, opset(model))
    except Exception:  # noqa: BLE001 - the evaluator lacks some operators and raises what it likes; then the node stays
        return None


def _run(node: ir.Node, given: dict[str, Any], version: int) -> Sequence[Array] | None:
    proto = ir.to_proto(node)
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
              for name, array in given.items()]  # fmt: skip
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "one", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)])
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(model).run(None, given)
    arrays = [np.asarray(result) for result in results if isinstance(result, (np.ndarray, np.generic))]
    wanted = [value.dtype for value in node.outputs if value.name]
    if len(arrays) != len(wanted) or any(array.dtype.kind not in "biuf" for array in arrays):
        return None
    return [array if want is None else array.astype(want.numpy()) for array, want in zip(arrays, wanted, strict=True)]


def _replace(model: ir.Model, node: ir.Node, results: Sequence[Array]) -> bool:
    """Put constants in the place of the node's outputs, unless one of them is the graph's: then it stays."""
    if any(value.is_graph_output() for value in node.outputs):
        return False
    for value, array in zip([value for value in node.outputs if value.name], results, strict=True):
        name, value.name = str(value.name), f"{value.name}.computed"
        ir.convenience.replace_all_uses_with(value, add_constant(model, name, array))
    model.graph.remove(node, safe=True)
    return True


def _too_large(node: ir.Node) -> bool:
    shapes = [fixed_shape(value) for value in node.outputs]
    made = sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes if shape is not None)
    used = sum(int(np.prod(fixed_shape(value) or (), dtype=np.int64)) for value in node.inputs if value is not None)
    unknown = any(shape is None for shape in shapes) and node.op_type in {"ConstantOfShape", "Expand", "Tile", "Range"}
    return unknown or made > used + GROWTH


def _holds_graph(entry: ir.Attr) -> bool:
    return entry.type in {ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS}
