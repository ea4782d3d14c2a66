"""Scheme: what one target wants of a quantized graph. The placement engine knows schemes only, never targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Format:
    """A number format of 8 bits or fewer.

    Attributes:
        dtype: what is stored.
        symmetric: the zero point is the middle of the type (0 for int8), so that the range is as wide on both sides.
        narrow: the least integer of int8 is not used, so that the largest magnitude is the same on both sides.
        bits: how many bits of the type are used.
    """

    dtype: Literal["uint8", "int8"]
    symmetric: bool
    narrow: bool = False
    bits: int = 8

    @property
    def low(self) -> int:
        """The least stored integer."""
        return 0 if self.dtype == "uint8" else -(1 << (self.bits - 1)) + self.narrow

    @property
    def high(self) -> int:
        """The greatest stored integer."""
        return (1 << self.bits) - 1 if self.dtype == "uint8" else (1 << (self.bits - 1)) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The rules of one target. Op types are ONNX's.

    An op type may be named where it holds for some nodes only: Resize commutes where it picks the nearest pixel, Pad
    where it adds zeros, MatMul has weights where its right side is constant. `roles` knows these.

    Attributes:
        name: the scheme's name in the registry.
        activation: format of activations, one scale a tensor.
        nonnegative: format of those that were never seen below zero, such as what ReLU gives.
        weight: format of weights.
        channel_axis: op types whose weights are quantized, each with the axis of its output channels: one scale a
            channel there, or None for one scale a tensor. Of Gemm it is the axis for transB=1.
        joining: op types without weights that run in INT8 between quantized inputs, with an output scale of their own.
        commuting: op types that give what they take, so that one scale holds for all inputs and outputs.
        fused: elementwise functions that the engine runs inside the op before; nothing is quantized in front of them.
            Add, Sub, Mul and Div count where their other side is constant, Silu where Mul gates by Sigmoid.
        clamping: those of `fused` that must stand between Q and DQ all the same, because the engine takes no op in
            float. They only cut the range, so that what goes in is rounded at the scale of what comes out.
        residual: whether an Add gets every input quantized, or only the identity branch, so that the convolution of
            the other adds and activates in float before it rounds once.
        quantized_outputs: whether an op runs in INT8 only if its output is quantized as well.
        float_readers: whether a float op after an INT8 op reads the rounded result (the engine then writes it in INT8
            alone) or the exact one (the engine gives float anyhow).
        bias: `int32` at the scale of input times weight, or left in float.
        weight_form: `stored` keeps int8 weights behind DequantizeLinear; `simulated` keeps float ones behind Q and DQ.
        float_type: what is not INT8: float32, or float16 throughout for engines that take every type as it is written.
        whole_slack: by how much Q divides whole numbers of 0 to 255 by more than 1, so that an engine which drops a Q
            that changes nothing, and INT8 with it, keeps it; below 1/510 they are rounded to themselves all the same.
        pixels_as_stored: whether uint8 pixels less a whole number may be the quantized tensor themselves, without Q.
        rounded_ends: whether the graph's float outputs are rounded as well.
        light_heads: whether a convolution that gives an output of the graph stays in float where it does little of the
            network's work, because the engine could give the output rounded only.
        float_heads: op types that stay in float altogether where their result is an output of the graph.
        float_results: op types that can give float from INT8 inputs; they do where their result is an output.
        grouped_transpose: whether ConvTranspose with groups has an INT8 form; if so, with one scale in all.
        counted_padding: whether average pooling whose padding counts runs in INT8 as it is; if not, it becomes a
            depthwise convolution.
        ranks: numbers of dimensions, batch and channels included, of which the engine has INT8 convolutions.
        min_opset: the oldest opset that has what the scheme places.
        max_opset: the newest opset the target reads.
    """

    name: str
    activation: Format
    nonnegative: Format
    weight: Format
    channel_axis: Mapping[str, int | None]
    joining: frozenset[str]
    commuting: frozenset[str]
    fused: frozenset[str]
    clamping: frozenset[str] = frozenset()
    residual: Literal["every_input", "identity_only"]
    quantized_outputs: bool
    float_readers: Literal["rounded", "exact"] = "rounded"
    bias: Literal["int32", "float"]
    weight_form: Literal["stored", "simulated"] = "stored"
    float_type: Literal["float32", "float16"] = "float32"
    whole_slack: float = 0.0
    pixels_as_stored: bool = False
    rounded_ends: bool = False
    light_heads: bool = False
    float_heads: frozenset[str] = frozenset()
    float_results: frozenset[str] = frozenset({"Gemm", "MatMul"})
    grouped_transpose: bool = True
    counted_padding: bool = True
    ranks: frozenset[int] = frozenset({3, 4, 5})
    min_opset: int = 13
    max_opset: int = 25
