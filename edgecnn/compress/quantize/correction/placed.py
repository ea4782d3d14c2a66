"""The weights and biases behind the Q/DQ nodes of a placed model: found by the node that reads them, and replaced."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[Any]
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
BIAS_LIMIT = 2**30
"""Largest stored bias, as in `weights.BIAS_LIMIT`: half of int32 is left to the products."""


@dataclass(frozen=True, slots=True)
class PlacedLayer:
    """A node with INT8 weights. Names are those of initializers.

    Attributes:
        node: the node.
        stored: its weights, integers behind DQ, or floats behind Q and DQ where `simulated`.
        scale: their scales, one a channel along `axis`, or one in all where `axis` is None.
        bias: its bias, int32 behind DQ with `bias_scale`, float where that is None; None if it has no bias.
    """

    node: onnx.NodeProto
    stored: str
    simulated: bool
    scale: str
    axis: int | None
    bias: str | None
    bias_scale: str | None


class Placed:
    """A placed model and its layers in the graph's order. The model is changed in place by the `set_` methods."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._producers = {name: node for node in model.graph.node for name in node.output}
        readers = Counter(name for node in model.graph.node for name in node.input)
        found = (self._layer(node) for node in model.graph.node if node.op_type in WEIGHTED)
        # What a second node reads as well can't be fitted to one of them.
        self.layers = [layer for layer in found if layer is not None and readers[layer.stored] == 1]
        weights = [np.abs(self.integers(layer)).max(initial=0) for layer in self.layers]
        self.limit = int(max(weights, default=127))
        """Largest magnitude of a stored weight: 127, or less under a scheme that saves a bit."""

    def array(self, name: str) -> Array:
        """Return an initializer."""
        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def scales(self, layer: PlacedLayer) -> Array:
        """Return the weight scales as float64, shaped to multiply the weights."""
        scale = self.array(layer.scale).astype(np.float64)
        if layer.axis is None:
            return scale.reshape(())
        shape = [1] * len(self._constants[layer.stored].dims)
        shape[layer.axis] = -1
        return scale.reshape(shape)

    def integers(self, layer: PlacedLayer) -> Array:
        """Return the weights as the integers that are multiplied, int32."""
        stored = self.array(layer.stored)
        if layer.simulated:
            return np.clip(np.round(stored / self.scales(layer)), -128, 127).astype(np.int32)
        return stored.astype(np.int32)

    def bias(self, layer: PlacedLayer) -> NDArray[np.float64] | None:
        """Return the bias in real numbers, or None."""
        if layer.bias is None:
            return None
        stored = self.array(layer.bias).astype(np.float64)
        return stored if layer.bias_scale is None else stored * self.array(layer.bias_scale)

    def set_integers(self, layer: PlacedLayer, integers: Array) -> None:
        """Store other integers at the scales that are there."""
        old = self._constants[layer.stored]
        dtype = numpy_helper.to_array(old).dtype
        values = integers * self.scales(layer) if layer.simulated else integers
        old.CopyFrom(numpy_helper.from_array(np.asarray(values).astype(dtype), old.name))

    def set_bias(self, layer: PlacedLayer, bias: NDArray[np.float64]) -> bool:
        """Store another bias; return False, and leave it, where int32 at the accumulator's scale can't hold it."""
        if layer.bias is None:
            return False
        old = self._constants[layer.bias]
        dtype = numpy_helper.to_array(old).dtype
        if layer.bias_scale is not None:
            bias = np.round(bias / self.array(layer.bias_scale))
            if np.abs(bias).max(initial=0) > BIAS_LIMIT:
                return False
        old.CopyFrom(numpy_helper.from_array(bias.astype(dtype), old.name))
        return True

    def _layer(self, node: onnx.NodeProto) -> PlacedLayer | None:
        dequantize = self._producers.get(node.input[1])
        if dequantize is None or dequantize.op_type != "DequantizeLinear" or dequantize.input[1] not in self._constants:
            return None
        stored, quantize = dequantize.input[0], self._producers.get(dequantize.input[0])
        if quantize is not None:
            stored = quantize.input[0]
        if stored not in self._constants:
            return None
        per_channel = len(self._constants[dequantize.input[1]].dims) == 1
        axis = next((attribute.i for attribute in dequantize.attribute if attribute.name == "axis"), 1)
        bias, bias_scale = self._bias(node)
        axis %= max(len(self._constants[stored].dims), 1)
        return PlacedLayer(
            node, stored, quantize is not None, dequantize.input[1], axis if per_channel else None, bias, bias_scale
        )

    def _bias(self, node: onnx.NodeProto) -> tuple[str | None, str | None]:
        name = node.input[2] if len(node.input) > 2 else ""
        if name in self._constants:
            return name, None
        source = self._producers.get(name)
        if source is None or source.op_type != "DequantizeLinear" or source.input[0] not in self._constants:
            return None, None
        return source.input[0], source.input[1]
