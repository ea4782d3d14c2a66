"""The ONNX graph as the lowering reads it: fixed shapes, constants computed, Q/DQ of constants kept as integers."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from edgecnn.compile.litert.writer import Quant
from edgecnn.core.errors import EngineError, line_of

ONNX_DOMAINS = frozenset({"", "ai.onnx"})
_RAISED = {"uint8": 128}
"""What stored integers of a type lie above those of int8 that stand for the same numbers."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Constant integers behind a DequantizeLinear; scale and zero [1] or [channels] along `axis`."""

    integers: NDArray[Any]
    scale: NDArray[np.float32]
    zero: NDArray[Any]
    axis: int

    def real(self) -> NDArray[np.float64]:
        """Return what the integers stand for, in float64: a bias does not fit float32."""
        shape = [1] * self.integers.ndim
        if self.scale.size > 1:
            shape[self.axis] = -1
        scale, zero = self.scale.astype(np.float64).reshape(shape), self.zero.astype(np.int64).reshape(shape)
        return np.asarray((self.integers.astype(np.int64) - zero) * scale, np.float64)


@final
class Source:
    """A model and what of it is constant.

    Attributes:
        model: the graph; every value has a fixed shape.
        constants: arrays of initializers and of what is computed from them alone; float16 as float32.
        stored: for what DequantizeLinear makes of constants, the integers behind.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.constants: dict[ir.Value, NDArray[Any]] = {}
        self.stored: dict[ir.Value, Stored] = {}
        for value in model.graph.initializers.values():
            if value.const_value is not None:
                self.constants[value] = _plain(value.const_value.numpy())
        for node in model.graph:
            self._fold(node)

    def is_constant(self, node: ir.Node) -> bool:
        """Whether all that `node` gives is constant."""
        return all(value in self.constants for value in node.outputs)

    def constant(self, node: ir.Node, index: int) -> NDArray[Any] | None:
        """Return the constant input of `node` at `index`, None where it is left out.

        Raises:
            EngineError: the input is computed while the network runs.
        """
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is None:
            return None
        if value not in self.constants:
            raise EngineError(
                f"litert: {call(node)} takes '{value.name}', which must be constant and is computed as the network runs"
            )
        return self.constants[value]

    def _fold(self, node: ir.Node) -> None:
        if node.op_type == "Shape" and node.inputs[0] is not None:
            shape = np.asarray(shape_of(node.inputs[0]), np.int64)
            first, last = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(shape))
            self.constants[node.outputs[0]] = shape[first:last]
            return
        inputs = [value for value in node.inputs if value is not None]
        if any(value not in self.constants for value in inputs) or _is_open(node):
            return
        if node.op_type == "DequantizeLinear" and node.domain in ONNX_DOMAINS:
            self._dequantize(node)
            return
        feeds = {str(value.name): self.constants[value] for value in inputs}
        for value, array in zip(node.outputs, _evaluate(node, self.model, feeds), strict=True):
            self.constants[value] = _plain(array)

    def _dequantize(self, node: ir.Node) -> None:
        integers, scale = self.constants[_input(node, 0)], self.constants[_input(node, 1)]
        zero = self.constant(node, 2)
        zero = np.zeros(scale.shape, integers.dtype) if zero is None else zero
        if node.attributes.get_int("block_size", 0):
            raise EngineError(f"litert: {call(node)} has a scale a block; it takes one a tensor or a channel")
        axis = node.attributes.get_int("axis", 1)
        made = Stored(integers, scale.reshape(-1).astype(np.float32), zero.reshape(-1), axis % max(integers.ndim, 1))
        self.stored[node.outputs[0]] = made
        self.constants[node.outputs[0]] = made.real().astype(np.float32)


def read(path: Path) -> Source:
    """Read an ONNX file.

    Raises:
        EngineError: it is no ONNX, or a shape in it is not fixed.
    """
    try:
        proto = onnx.load(path)
        proto = onnx.shape_inference.infer_shapes(onnx.inliner.inline_local_functions(proto), data_prop=True)
    except Exception as error:  # a parser's and an inference's errors share no base with a name
        raise EngineError(f"litert refused {path.name}: {line_of(error)}") from error
    return Source(ir.from_proto(proto))


def expanded(model: ir.Model, kinds: set[str]) -> ir.Model:
    """Return the model with operators of `kinds` replaced by what ONNX itself defines them as, where it does."""
    proto = onnx.inliner.inline_selected_functions(
        ir.to_proto(model), [("", kind) for kind in sorted(kinds)], inline_schema_functions=True
    )
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """Return the fixed shape of `value`.

    Raises:
        EngineError: it is not fixed.
    """
    if value.shape is None or not value.shape.is_static():
        raise EngineError(f"litert: '{value.name}' has no fixed shape; export the model with fixed shapes")
    return tuple(value.shape.numpy())


def quant_of(source: Source, node: ir.Node) -> tuple[Quant, str]:
    """Return the one scale of a Q or DQ of an activation, as int8 has it, and the type that ONNX stores.

    Raises:
        EngineError: it is no 8-bit type, or has more than one scale.
    """
    scale, zero = source.constant(node, 1), source.constant(node, 2)
    assert scale is not None  # noqa: S101 - Q and DQ have a scale
    dtype = "uint8" if zero is None else zero.dtype.name
    stored = zero if zero is not None else np.zeros(1, np.uint8)
    if dtype not in {"int8", "uint8"}:
        raise EngineError(f"litert: {call(node)} stores {dtype}; it quantizes to int8 or uint8 alone")
    if scale.size != 1 or stored.size != 1:
        raise EngineError(f"litert: {call(node)} has {scale.size} scales; an activation takes one")
    number = float(scale.reshape(-1)[0])
    if not (math.isfinite(number) and number > 0):
        raise EngineError(f"litert: {call(node)} has the scale {number:g}; it must be above 0")
    return Quant((number,), (int(stored.reshape(-1)[0]) - _RAISED.get(dtype, 0),)), dtype


def call(node: ir.Node) -> str:
    """Return what to call `node` in a sentence."""
    kind = node.op_type if node.domain in ONNX_DOMAINS else f"{node.domain}.{node.op_type}"
    return f"{kind} '{node.name}'" if node.name else f"the {kind} that gives '{node.outputs[0].name}'"


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None  # noqa: S101 - the caller saw it
    return value


def _is_open(node: ir.Node) -> bool:
    """Whether more than its inputs tells what `node` gives: a graph of its own, or chance."""
    graphs = any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values())
    return graphs or node.op_type.startswith("Random") or node.op_type in {"Bernoulli", "Multinomial"}


def _plain(array: Any) -> NDArray[Any]:
    found = np.asarray(array)
    return found.astype(np.float32) if found.dtype in {np.dtype(np.float16), np.dtype(np.float64)} else found


def _evaluate(node: ir.Node, model: ir.Model, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    proto = copy.copy(ir.to_proto(node))
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in feeds.items()}
    inputs = [onnx.helper.make_tensor_value_info(name, kind, feeds[name].shape) for name, kind in kinds.items()]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
    graph = onnx.helper.make_graph([proto], "constant", inputs, outputs)
    opsets = [onnx.helper.make_opsetid(domain, number) for domain, number in model.opset_imports.items()]
    try:
        found = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=opsets)).run(None, feeds)
    except Exception as error:  # whatever an operator's reference raises
        raise EngineError(f"litert: {call(node)} of constants can't be computed: {line_of(error)}") from error
    return [np.asarray(array) for array in found]
