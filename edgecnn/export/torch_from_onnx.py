"""An ONNX model as a torch module that `torch.export` takes: the way from a finished file to what lowers torch graphs.

Q and DQ become `quantized_decomposed` operators as PyTorch 2's own quantizers (PT2E) write them: scales and zero points
are constants of the graph, weights stay integers behind their DQ. An int32 bias behind a DQ becomes the float bias that
it stands for, as PT2E's graphs have it: what lowers them rounds it again, at the same scale.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgecnn.core.errors import InputError
from edgecnn.export.torch_quantized import TYPES, Rounding
from edgecnn.models.onnx_ops.inputs import CONSTANTS, SETTINGS, Value
from edgecnn.models.onnx_ops.node import Node, read_node
from edgecnn.models.onnx_ops.table import OPS

Array = NDArray[Any]
Q, DQ = "QuantizeLinear", "DequantizeLinear"
STANDARD = frozenset({"", "ai.onnx"})
OLDEST = 13


def torch_module(model: onnx.ModelProto) -> nn.Module:
    """Return `model` as a module: inputs by position in the graph's order, a tuple of outputs in the graph's order.

    Shapes are fixed; float16 is computed in float32. Made for `torch.export`; it also runs as it is.

    Raises:
        InputError: an operator that torch has no form of here, by name; an opset below 13; a setting, such as a shape,
            that is computed while the network runs; Q or DQ of a type that torch has none for.
    """
    return OnnxModule(model)


@final
class OnnxModule(nn.Module):
    """The graph of `model`, node after node; `torch_module` says what it is given and gives.

    Args:
        model: the model.
        float_weights: integer weights whose DQ is computed now, so that they are float in the module.

    Attributes:
        input_names: in the graph's order, without initializers.
        output_names: in the graph's order.
        buffer_of: the module's name of each constant that it holds as a tensor, by the model's name.
    """

    def __init__(self, model: onnx.ModelProto, float_weights: frozenset[str] = frozenset()) -> None:
        super().__init__()
        _check(model)
        self._float_weights = float_weights
        self._constants = {one.name: np.asarray(numpy_helper.to_array(one)) for one in model.graph.initializer}
        self._nodes = [node for node in map(read_node, model.graph.node) if not self._fold(node)]
        self._roundings = nn.ModuleDict(
            {str(index): self._rounding(node) for index, node in enumerate(self._nodes) if node.op in {Q, DQ}}
        )
        self.input_names = tuple(value.name for value in model.graph.input if value.name not in self._constants)
        self.output_names = tuple(value.name for value in model.graph.output)
        self._made = {name for node in self._nodes for name in node.outputs}
        self.buffer_of: dict[str, str] = {}
        for name in self._tensors():
            self.buffer_of[name] = f"constant_{len(self.buffer_of)}"
            self.register_buffer(self.buffer_of[name], _tensor(self._constants[name]))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the graph."""
        values: dict[str, Tensor] = dict(zip(self.input_names, inputs, strict=True))
        for index, node in enumerate(self._nodes):
            answer = self._run(index, node, values)
            values.update(zip(node.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False))
        # An engine must not be asked to hand an input or a constant through as it is.
        outputs = ((name, self._read(name, values)) for name in self.output_names)
        return tuple(value if name in self._made else value.clone() for name, value in outputs)

    def _fold(self, node: Node) -> bool:
        """Whether the node gives a constant, as Constant and the DQ of an int32 bias do; it is then kept."""
        if node.op == "Constant":
            (name, value), *_ = node.attributes.items()
            plain = np.int64 if name.startswith("value_int") else np.float32
            found = numpy_helper.to_array(value) if name == "value" else np.asarray(value, plain)
            self._constants[node.outputs[0]] = np.asarray(found)
            return True
        stored, *parameters = (self._constants.get(name) for name in node.inputs if name) if node.op == DQ else (None,)
        if stored is None or (stored.dtype != np.int32 and node.inputs[0] not in self._float_weights):
            return False
        scale, zero = _scale_and_zero(node, parameters)
        shape = [1] * stored.ndim
        if scale.size > 1:
            shape[node.get("axis", 1) % stored.ndim] = -1
        real = (stored.astype(np.float64) - zero.reshape(shape)) * scale.astype(np.float64).reshape(shape)
        self._constants[node.outputs[0]] = real.astype(np.float32).reshape(stored.shape)
        return True

    def _rounding(self, node: Node) -> Rounding:
        """Return Q or DQ; what is stored is told by the zero point, or else by the weights, or it is uint8."""
        parameters = [self._constants.get(name) for name in node.inputs[1:] if name]
        weights = self._constants.get(node.inputs[0]) if node.op == DQ else None
        scale, zero = _scale_and_zero(node, parameters)
        told = weights if weights is not None else zero if len(parameters) > 1 else np.zeros((), np.uint8)
        stored = told.dtype
        if stored not in TYPES:
            raise _error(node, f"it stores {stored}")
        narrow = weights is not None and bool((weights > np.iinfo(stored).min).all())
        rank = weights.ndim if weights is not None else 0
        axis = node.get("axis", 1)
        axis = axis % rank if rank else axis
        way: Literal["quantize", "dequantize"] = "quantize" if node.op == Q else "dequantize"
        return Rounding(way, scale, zero, axis, stored, narrow=narrow)

    def _tensors(self) -> Iterator[str]:
        """Yield the constants that are read as tensors, each once, in the order of first use."""
        found: dict[str, None] = {}
        for node in self._nodes:
            for place, name in enumerate(node.inputs):
                if name in self._constants and place not in _numbers(node):
                    found[name] = None
                elif name in self._made | set(self.input_names) and place in SETTINGS.get(node.op, ()):
                    raise _error(node, f"'{name}' is computed while the network runs; fix the model's shapes first")
        yield from dict.fromkeys([*found, *(name for name in self.output_names if name in self._constants)])

    def _run(self, index: int, node: Node, values: Mapping[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
        if node.op in {Q, DQ}:
            rounded: Tensor = self._roundings[str(index)](self._read(node.inputs[0], values))
            return rounded
        numbers = _numbers(node)
        inputs: list[Value] = []
        for place, name in enumerate(node.inputs):
            fixed = self._constants.get(name) if place in numbers else None
            inputs.append(fixed if fixed is not None or not name else self._read(name, values))
        return OPS[node.op](node, inputs)

    def _read(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        if name in values:
            return values[name]
        if name not in self.buffer_of:
            raise InputError(f"torch has no form of what gives '{name}'; keep it out of the model")
        held: Tensor = getattr(self, self.buffer_of[name])
        return held


def _check(model: onnx.ModelProto) -> None:
    opset = max((one.version for one in model.opset_import if one.domain in STANDARD), default=0)
    if opset < OLDEST:
        raise InputError(f"the model has opset {opset}; torch runs {OLDEST} and newer: convert it")
    foreign = {f"{node.domain}::{node.op_type}" for node in model.graph.node if node.domain not in STANDARD}
    own = {node.op_type for node in model.graph.node if node.domain in STANDARD}
    strange = sorted(foreign | own - OPS.keys() - {Q, DQ, "Constant"})
    if strange:
        raise InputError(f"torch has no form of {', '.join(strange)} here; keep it out of the model")


def _scale_and_zero(node: Node, parameters: list[Array | None]) -> tuple[Array, Array]:
    """Return scale and zero point of a Q or DQ, in one shape."""
    scale = parameters[0]
    zero = parameters[1] if len(parameters) > 1 else np.zeros((), np.int64)
    if scale is None or zero is None:
        raise _error(node, "its scale or zero point is no constant")
    if scale.ndim > 1 or node.get("block_size", 0):
        raise _error(node, "it rounds in blocks")
    return scale, np.broadcast_to(zero, scale.shape)


def _error(node: Node, what: str) -> InputError:
    return InputError(f"torch can't run {node.op} '{node.name}': {what}")


def _numbers(node: Node) -> frozenset[int]:
    """Return the places of inputs that are taken as numbers where they are constants."""
    if node.op in {Q, DQ}:
        return frozenset({1, 2})
    return SETTINGS.get(node.op, frozenset()) | CONSTANTS.get(node.op, frozenset())


def _tensor(value: Array) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32 if value.dtype.kind == "f" else value.dtype))
