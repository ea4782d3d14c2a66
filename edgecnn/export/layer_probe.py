"""A network made only to time one layer in it, as the layer runs inside a network.

An entry convolution from one channel gives the layer what it reads in the engine's own layout, fresh in the cache as
from a layer before. Copies of the layer, each with weights of its own, read it side by side; of each result one place
is kept, so that nothing is left out and next to nothing is carried out. The same network with no copy has all but the
layer: the difference, divided by the number of copies, is the layer's time.
"""

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgecnn.core.layers import LayerShape, Pair

INPUT = "entry"
OUTPUT = "kept"
MOST_COPIES = 8
COPIED_MACS = 2e7
"""Multiply-adds that copies come to at least in all, where `MOST_COPIES` allow: a few hundred microseconds."""
COPIED_WEIGHTS = 1 << 20
"""Numbers that the copies' weights hold at most in all; more would push each other out of a cache that holds one."""
IR_VERSION = 10


def copies_for(shape: LayerShape) -> int:
    """Return how many copies make the layer's time stand out of a call's, and don't fill the cache with weights."""
    wanted = math.ceil(COPIED_MACS / shape.macs)
    return max(1, min(wanted, MOST_COPIES, COPIED_WEIGHTS // max(shape.weights, 1)))


def layer_probe(shape: LayerShape, copies: int, opset: int) -> onnx.ModelProto:
    """Return a float network with `copies` of the layer (0: with all but the layer), valid at `opset` 13 and above.

    Its one input is `entry`, float32: [1, 1, height, width] for convolutions, [rows, 1] for `linear`.
    """
    rng = np.random.default_rng(0)
    graph = _Linear(shape, rng) if shape.op == "linear" else _Convolution(shape, rng)
    graph.enter()
    for number in range(copies):
        graph.add_copy(f"copy{number}")
    return graph.model(opset)


def null_probe(opset: int) -> onnx.ModelProto:
    """Return a network that does next to nothing, one Relu of one number, to time what a call of the engine takes."""
    shape = LayerShape(op="linear", in_channels=1, out_channels=1)
    graph = _Graph(shape, np.random.default_rng(0))
    graph.kept.append(graph.add("Relu", [INPUT], "idle"))
    return graph.finish(opset, (1, 1), 1, (1, 1))


class _Graph:
    """Nodes and weights of a probe in the making; `kept` are the values to be carried out."""

    def __init__(self, shape: LayerShape, rng: np.random.Generator) -> None:
        self.shape, self.rng = shape, rng
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        self.kept: list[str] = []

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def random(self, name: str, shape: tuple[int, ...], fan_in: int) -> str:
        return self.constant(name, self.rng.normal(0, fan_in**-0.5, shape).astype(np.float32))

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def finish(self, opset: int, entry: tuple[int, ...], axis: int, result: tuple[int, ...]) -> onnx.ModelProto:
        self.add("Concat", self.kept, OUTPUT, axis=axis)
        graph = helper.make_graph(
            self.nodes,
            "probe",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, entry)],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, result)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


class _Convolution:
    """A probe of a convolution or a transposed one."""

    def __init__(self, shape: LayerShape, rng: np.random.Generator) -> None:
        self.shape, self.graph, self.channels = shape, _Graph(shape, rng), 0

    def enter(self) -> None:
        shape, graph = self.shape, self.graph
        weights = [graph.random("entry.w", (shape.in_channels, 1, 1, 1), 1), self._bias("entry", shape.in_channels)]
        graph.add("Conv", [INPUT, *weights], "entry.conv", kernel_shape=[1, 1])
        graph.add("Relu", ["entry.conv"], "entry.out")
        self._keep("entry.out", shape.in_size, shape.in_channels)

    def add_copy(self, name: str) -> None:
        shape, graph = self.shape, self.graph
        transposed = shape.op == "conv_transpose"
        outer, inner = shape.out_channels, shape.in_channels // shape.groups
        if transposed:
            outer, inner = shape.in_channels, shape.out_channels // shape.groups
        fan_in = shape.in_channels // shape.groups * math.prod(shape.kernel)
        weights = [
            graph.random(f"{name}.w", (outer, inner, *shape.kernel), fan_in),
            self._bias(name, shape.out_channels),
        ]
        attributes: dict[str, Any] = {
            "kernel_shape": shape.kernel,
            "strides": shape.stride,
            "dilations": shape.dilation,
            "group": shape.groups,
        }
        attributes |= {"output_shape": shape.out_size} if transposed else {"pads": _pads(shape)}
        result = graph.add(
            "ConvTranspose" if transposed else "Conv", ["entry.out", *weights], f"{name}.conv", **attributes
        )
        if shape.activation:
            result = graph.add("Relu", [result], f"{name}.relu")
        self._keep(result, shape.out_size, shape.out_channels)

    def model(self, opset: int) -> onnx.ModelProto:
        return self.graph.finish(opset, (1, 1, *self.shape.in_size), 1, (1, self.channels, 1, 1))

    def _keep(self, value: str, size: Pair, channels: int) -> None:
        # A pool of one pixel in strides of the whole picture: it reads one place in whatever layout the engine has.
        self.graph.kept.append(
            self.graph.add("MaxPool", [value], f"{value}.kept", kernel_shape=[1, 1], strides=list(size))
        )
        self.channels += channels

    def _bias(self, name: str, channels: int) -> str:
        return self.graph.random(f"{name}.b", (channels,), 1)


class _Linear:
    """A probe of a fully connected layer."""

    def __init__(self, shape: LayerShape, rng: np.random.Generator) -> None:
        self.shape, self.graph = shape, _Graph(shape, rng)
        self.parts = [self.graph.constant("first", np.array([0])), self.graph.constant("second", np.array([1]))]
        self.parts.append(self.graph.constant("columns", np.array([1])))

    def enter(self) -> None:
        shape, graph = self.shape, self.graph
        weights = [
            graph.random("entry.w", (shape.in_channels, 1), 1),
            graph.random("entry.b", (shape.in_channels,), 1),
        ]
        graph.add("Gemm", [INPUT, *weights], "entry.gemm", transB=1)
        graph.add("Relu", ["entry.gemm"], "entry.out")
        self._keep("entry.out")

    def add_copy(self, name: str) -> None:
        shape, graph = self.shape, self.graph
        weights = [
            graph.random(f"{name}.w", (shape.out_channels, shape.in_channels), shape.in_channels),
            graph.random(f"{name}.b", (shape.out_channels,), 1),
        ]
        result = graph.add("Gemm", ["entry.out", *weights], f"{name}.gemm", transB=1)
        if shape.activation:
            result = graph.add("Relu", [result], f"{name}.relu")
        self._keep(result)

    def model(self, opset: int) -> onnx.ModelProto:
        rows = self.shape.in_size[0]
        return self.graph.finish(opset, (rows, 1), 1, (rows, len(self.graph.kept)))

    def _keep(self, value: str) -> None:
        self.graph.kept.append(self.graph.add("Slice", [value, *self.parts], f"{value}.kept"))


def _pads(shape: LayerShape) -> list[int]:
    """Return the padding [top, left, bottom, right] that makes `out_size` of `in_size`, the odd one at the end."""
    before, after = [], []
    for axis in range(2):
        reach = shape.dilation[axis] * (shape.kernel[axis] - 1) + 1
        total = max(0, (shape.out_size[axis] - 1) * shape.stride[axis] + reach - shape.in_size[axis])
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]
