"""An ONNX model as the translation reads it: constants as arrays, every shape a tuple of numbers."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecnn.core.errors import EngineError, line_of

RANDOM = ("Random", "Bernoulli", "Multinomial")
"""How operators begin that give something else each time, with no input or a constant one."""
EVALUATED = 19
"""The oldest opset of which ONNX's own evaluator has QuantizeLinear; it means the same before."""
MOST_FOLDED = 1 << 24
"""Elements of a constant's result beyond which it is not computed ahead."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Integers behind DequantizeLinear: real = scale * (integers - zero_point), one scale or one along `axis`."""

    integers: NDArray[Any]
    scale: NDArray[Any]
    zero_point: NDArray[Any]
    axis: int

    def real(self) -> NDArray[np.float32]:
        """Return the real numbers."""
        shape = [1] * self.integers.ndim
        if self.scale.size > 1:
            shape[self.axis] = -1
        scale, zero = (np.asarray(part, np.float32).reshape(shape) for part in (self.scale, self.zero_point))
        return np.asarray((self.integers.astype(np.float32) - zero) * scale, np.float32)


class Node:
    """One operator with its attributes in reach."""

    def __init__(self, proto: onnx.NodeProto) -> None:
        self.kind = proto.op_type if proto.domain in {"", "ai.onnx"} else f"{proto.domain}.{proto.op_type}"
        self.inputs, self.outputs = list(proto.input), list(proto.output)
        self.name = proto.name or (self.outputs[0] if self.outputs else proto.op_type)
        self.proto = proto
        self._attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in proto.attribute}

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute, text as str, or `default`."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def input(self, index: int) -> str:
        """Return the name of an input, empty where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def refuse(self, why: str) -> EngineError:
        """Return the error that says why ncnn can't take this node."""
        return EngineError(f"ncnn can't take {self.kind} '{self.name}': {why}")


class Source:
    """A model of fixed shapes, one frame each run.

    Attributes:
        nodes: what is to be translated, in order; what depends on constants alone is computed already.
        constants: arrays by value name, those behind DequantizeLinear in real numbers.
        stored: the integers of those that came from DequantizeLinear.
        shapes: of every value that the inference knows.
        readers: the nodes that read a value.
        inputs: names of the graph's inputs; `dtypes` holds their NumPy names.
        outputs: names of the graph's outputs.
        opset: version of ONNX's operators.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.opset = max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
        self.constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
        self.stored: dict[str, Stored] = {}
        self.shapes, self.dtypes = _known(model)
        given = [entry.name for entry in model.graph.input]
        self.inputs = [name for name in given if name not in self.constants]
        self.outputs = [entry.name for entry in model.graph.output]
        self.nodes = [node for node in (Node(proto) for proto in model.graph.node) if not self._folded(node)]
        self.readers: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                self.readers[name].append(node)

    def shape(self, node: Node, name: str) -> tuple[int, ...]:
        """Return the shape of a value that `node` reads or writes."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        if name not in self.shapes:
            raise node.refuse(f"the shape of '{name}' can't be told ahead; export the model with fixed shapes")
        return self.shapes[name]

    def constant(self, node: Node, index: int, what: str) -> NDArray[Any]:
        """Return the constant at an input of `node`, or say that `what` has to be one."""
        name = node.input(index)
        if name not in self.constants:
            raise node.refuse(f"its {what} must be a constant")
        return self.constants[name]

    def _folded(self, node: Node) -> bool:
        """Compute a node of constants alone; return whether it was one."""
        if node.kind == "Shape" and node.inputs[0] in self.shapes:
            start, end = node.get("start", 0), node.get("end", None)
            self.constants[node.outputs[0]] = np.array(self.shapes[node.inputs[0]][start:end], np.int64)
            return True
        given = [name for name in node.inputs if name]
        if not all(name in self.constants for name in given) or "." in node.kind or _has_graphs(node.proto):
            return False
        if node.kind.startswith(RANDOM):
            return False
        if any(np.prod(self.shapes.get(name, ())) > MOST_FOLDED for name in node.outputs):
            return False
        if node.kind == "DequantizeLinear":
            self.stored[node.outputs[0]] = stored = self._stored(node)
            self.constants[node.outputs[0]] = stored.real()
            return True
        opset = max(self.opset, EVALUATED) if node.kind == "QuantizeLinear" else self.opset
        single = onnx.helper.make_model(
            onnx.helper.make_graph(
                [node.proto],
                "constant",
                [],
                [onnx.helper.make_empty_tensor_value_info(name) for name in node.outputs if name],
                [numpy_helper.from_array(self.constants[name], name) for name in dict.fromkeys(given)],
            ),
            opset_imports=[onnx.helper.make_opsetid("", opset)],
        )
        try:
            found = ReferenceEvaluator(single).run(None, {})
        except Exception as error:
            raise node.refuse(f"its constants can't be computed: {line_of(error)}") from error
        self.constants |= dict(zip([name for name in node.outputs if name], found, strict=True))
        return True

    def _stored(self, node: Node) -> Stored:
        integers, scale = self.constants[node.inputs[0]], self.constants[node.inputs[1]]
        zero = self.constants[node.inputs[2]] if node.input(2) else np.zeros_like(scale, integers.dtype)
        return Stored(integers, scale, zero, node.get("axis", 1))


def _has_graphs(proto: onnx.NodeProto) -> bool:
    return any(entry.type in {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS} for entry in proto.attribute)


def _known(model: onnx.ModelProto) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shapes and NumPy types that ONNX's inference finds."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise EngineError(f"ncnn can't take the model: its shapes do not fit: {line_of(error)}") from error
    shapes, dtypes = {}, {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.elem_type:
            dtypes[value.name] = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return shapes, dtypes
