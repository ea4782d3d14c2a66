"""Scheme: what one target wants of a quantized graph. The placement engine knows schemes only, never targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Format:
    """An 8-bit number format.

    Attributes:
        dtype: what is stored.
        symmetric: the zero point is the middle of the type (0 for int8), so that the range is as wide on both sides.
        narrow: -128 is not used, so that a weight's largest magnitude is the same on both sides.
    """

    dtype: Literal["uint8", "int8"]
    symmetric: bool
    narrow: bool = False

    @property
    def low(self) -> int:
        """The least stored integer."""
        return 0 if self.dtype == "uint8" else -127 if self.narrow else -128

    @property
    def high(self) -> int:
        """The greatest stored integer."""
        return 255 if self.dtype == "uint8" else 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The rules of one target. Op types are ONNX's.

    Attributes:
        name: the scheme's name in the registry.
        activation: format of activations, one scale a tensor.
        nonnegative: format of those that were never seen below zero, such as what ReLU gives.
        weight: format of weights.
        channel_axis: op types whose weights are quantized, each with the axis of its output channels: one scale a
            channel there, or None for one scale a tensor. Of Gemm it is the axis for transB=1.
        joining: op types without weights that run in INT8 between quantized inputs, with an output scale of their own.
        commuting: op types that give what they take, so that one scale holds for all inputs and outputs.
        fused: activation functions that the engine runs inside the op before; nothing is quantized in front of them.
        residual: whether an Add gets every input quantized, or only the identity branch, so that the convolution of
            the other adds and activates in float before it rounds once.
        quantized_outputs: whether an op runs in INT8 only if its output is quantized as well.
        bias: `int32` at the scale of input times weight, or left in float.
        weight_form: `stored` keeps int8 weights behind DequantizeLinear; `simulated` keeps float ones behind Q and DQ.
        pixels_as_stored: whether uint8 pixels less a whole number may be the quantized tensor themselves, without Q.
        float_heads: op types that stay in float altogether where their result is an output of the graph.
        float_results: op types that can give float from INT8 inputs; they do where their result is an output.
        min_opset: the oldest opset that has what the scheme places.
    """

    name: str
    activation: Format
    nonnegative: Format
    weight: Format
    channel_axis: Mapping[str, int | None]
    joining: frozenset[str]
    commuting: frozenset[str]
    fused: frozenset[str]
    residual: Literal["every_input", "identity_only"]
    quantized_outputs: bool
    bias: Literal["int32", "float"]
    weight_form: Literal["stored", "simulated"] = "stored"
    pixels_as_stored: bool = False
    float_heads: frozenset[str] = frozenset()
    float_results: frozenset[str] = frozenset({"Gemm", "MatMul"})
    min_opset: int = 13
