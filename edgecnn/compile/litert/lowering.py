"""Lowering: what of the ONNX graph has a tensor yet, and the conversions between order, rounding and type."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.compile.litert.source import Source, call, shape_of
from edgecnn.compile.litert.value import Value, channels_last, only_units_move, physical, plain, reshaped_orders
from edgecnn.compile.litert.versions import version_of
from edgecnn.compile.litert.writer import Quant, Tensor, Writer
from edgecnn.core.errors import EngineError

LOW, HIGH = -128, 127
RANGES = {"int8": (LOW, HIGH), "uint8": (0, 255)}


@final
class Lowering:
    """Writes one model. Operators' files add to it through these methods.

    Attributes:
        source: the ONNX graph.
        writer: the flatbuffer.
        done: nodes that another one took in.
        half: whether weights are stored as float16.
        settled: int8 tensors that are not rounded anew, although the graph has another scale for them.
    """

    def __init__(self, source: Source, *, half: bool) -> None:
        self.source, self.half, self.writer = source, half, Writer()
        self.done: set[ir.Node] = set()
        self.settled: set[Tensor] = set()
        self._values: dict[ir.Value, Value] = {}
        self._floats: dict[Tensor, Tensor] = {}
        self._moved: dict[tuple[Tensor, tuple[int, ...]], Tensor] = {}
        self._rounded: dict[tuple[Tensor, Quant], Tensor] = {}
        self._shaped: dict[tuple[Tensor, tuple[int, ...]], Tensor] = {}

    def operator(
        self, kind: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], options: Any = None
    ) -> None:
        """Add an operator at the least version that has its types."""
        version = version_of(kind, [tensor for tensor in inputs if tensor is not None], outputs)
        self.writer.operator(kind, inputs, outputs, options, version)

    def bind(self, value: ir.Value, made: Value) -> None:
        """Say that `made` is `value`; the shapes must agree."""
        if made.shape != shape_of(value):
            raise AssertionError(f"litert: '{value.name}' came out as {made.shape}, not {shape_of(value)}")
        self._values[value] = made

    def get(self, value: ir.Value | None) -> Value:
        """Return `value` in whatever form it is there; a constant as it is written."""
        assert value is not None  # noqa: S101 - an operator's required input
        if value not in self._values:
            array = self.source.constants[value]
            self._values[value] = Value(self.writer.constant(str(value.name), array), plain(array.ndim))
        return self._values[value]

    def floating(self, value: ir.Value | None) -> Value:
        """Return `value` as it is computed with outside INT8: what was rounded, as float32."""
        return self.as_float(self.get(value))

    def as_float(self, given: Value) -> Value:
        """Return `given` as float32, or as it is where it stands for no rounded numbers."""
        if given.quant is None and given.pixels is None:
            return given
        tensor = given.tensor
        if tensor not in self._floats or given.pixels is not None:
            made = self.writer.tensor(f"{tensor.name}.real", tensor.shape, "float32")
            if given.pixels is None or self.claim(tensor, given.pixels):
                self.operator("DEQUANTIZE", [tensor], [made], schema.DequantizeOptionsT())
            else:
                self._rescale(tensor, given.pixels, made)
            self._floats[tensor] = made
        return Value(self._floats[tensor], given.order)

    def as_single(self, given: Value) -> Value:
        """Return what is float16 as float32, in which all is computed."""
        return self._cast(given, "float32") if given.tensor.dtype == "float16" else given

    def as_typed(self, given: Value, value: ir.Value) -> Value:
        """Return `given` in the very type that the graph says of `value`."""
        half = value.dtype == ir.DataType.FLOAT16 and given.tensor.dtype == "float32"
        return self._cast(given, "float16") if half else given

    def _cast(self, given: Value, dtype: str) -> Value:
        made = self.writer.tensor(f"{given.tensor.name}.{dtype}", given.tensor.shape, dtype)
        self.operator("CAST", [given.tensor], [made], schema.CastOptionsT())
        return Value(made, given.order)

    def is_rounded(self, value: ir.Value | None) -> bool:
        """Whether `value` is there as rounded numbers, pixels included."""
        held = self._values.get(value) if value is not None else None
        return held is not None and (held.quant is not None or held.pixels is not None)

    def rounded(self, value: ir.Value | None) -> Value:
        """Return `value`, which `is_rounded`, as an int8 tensor."""
        held = self.get(value)
        if held.pixels is None:
            return held
        quant = held.pixels
        above = 128 if held.tensor.dtype == "uint8" else 0
        return self.as_int8(held, Quant(quant.scale, (quant.zero[0] - above,)))

    def as_int8(self, given: Value, quant: Quant) -> Value:
        """Return `given` as an int8 tensor at `quant`, rounded anew where it has another scale."""
        if given.quant == quant:
            return given
        ready = given
        if given.pixels is not None and not self.claim(given.tensor, given.pixels):
            ready = self.as_float(given)
        key = (ready.tensor, quant)
        if key not in self._rounded:
            made = self.writer.tensor(f"{ready.tensor.name}.int8", ready.tensor.shape, "int8", quant)
            self.operator("QUANTIZE", [ready.tensor], [made], schema.QuantizeOptionsT())
            self._rounded[key] = made
        return Value(self._rounded[key], ready.order)

    def claim(self, tensor: Tensor, quant: Quant) -> bool:
        """Give plain integers a scale; False where they have another already or can't have it."""
        low, high = RANGES[tensor.dtype]
        if not low <= quant.zero[0] <= high or tensor.quant not in {None, quant}:
            return False
        tensor.quant = quant
        return True

    def ordered(self, given: Value, order: tuple[int, ...]) -> Value:
        """Return `given` in physical `order`, transposed only if numbers have to move."""
        if given.order == order:
            return given
        key = (given.tensor, tuple(given.order.index(axis) for axis in order))
        if key not in self._moved:
            tensor = given.tensor
            shape = physical(given.shape, order)
            made = self.writer.tensor(f"{tensor.name}.moved", shape, tensor.dtype, tensor.quant)
            if only_units_move(given, order):
                self.reshape(tensor, made)
            else:
                self.operator("TRANSPOSE", [tensor, self.integers(key[1])], [made], schema.TransposeOptionsT())
            self._moved[key] = made
        return Value(self._moved[key], order, given.pixels)

    def last(self, given: Value, onnx_axis: int) -> Value:
        """Return `given` with an ONNX axis last in the tensor."""
        axis = onnx_axis % len(given.order)
        return self.ordered(given, (*(other for other in given.order if other != axis), axis))

    def result(self, value: ir.Value, order: tuple[int, ...], quant: Quant | None = None) -> Value:
        """Add the tensor of a computed value: int8 at `quant`, or of the type that the graph says."""
        shape = physical(shape_of(value), order)
        dtype = "int8" if quant is not None else dtype_of(value)
        return Value(self.writer.tensor(str(value.name), shape, dtype, quant), order)

    def reshaped(self, given: Value, shape: tuple[int, ...]) -> Value:
        """Return `given` in another ONNX shape; numbers move only if no order of axes leaves them in place."""
        first, order = reshaped_orders(given, shape)
        given = given if only_units_move(given, first) else self.ordered(given, first)
        wanted = physical(shape, order)
        if wanted == given.tensor.shape:
            return Value(given.tensor, order, given.pixels)
        key = (given.tensor, wanted)
        if key not in self._shaped:
            made = self.writer.tensor(f"{given.tensor.name}.shaped", wanted, given.tensor.dtype, given.tensor.quant)
            self.reshape(given.tensor, made)
            self._shaped[key] = made
        return Value(self._shaped[key], order, given.pixels)

    def picture(self, given: Value, node: ir.Node) -> Tensor:
        """Return a batch of pictures [N, H, W, C]; a batch of rows becomes one of pictures of height 1.

        Raises:
            EngineError: it is neither.
        """
        if len(given.order) == 4:
            return self.ordered(given, channels_last(4)).tensor
        if len(given.order) != 3:
            raise EngineError(f"litert: {call(node)} is of rank {len(given.order)}; it takes 3 or 4 (1 or 2 in space)")
        rows = self.ordered(given, channels_last(3)).tensor
        number, length, channels = rows.shape
        made = self.writer.tensor(f"{rows.name}.rows", (number, 1, length, channels), rows.dtype, rows.quant)
        self.reshape(rows, made)
        return made

    def picture_result(self, value: ir.Value, quant: Quant | None) -> Tensor:
        """Add a tensor of pictures [N, H, W, C] for a computed value of rank 3 or 4."""
        shape = shape_of(value)
        wide = shape if len(shape) == 4 else (*shape[:2], 1, shape[2])
        dtype = "int8" if quant is not None else dtype_of(value)
        return self.writer.tensor(str(value.name), physical(wide, channels_last(4)), dtype, quant)

    def from_picture(self, value: ir.Value, tensor: Tensor) -> Value:
        """Return pictures as what they are for `value`, rows where it is of rank 3."""
        if len(shape_of(value)) == 4:
            return Value(tensor, channels_last(4))
        made = self.writer.tensor(
            f"{value.name}.rows", (tensor.shape[0], *tensor.shape[2:]), tensor.dtype, tensor.quant
        )
        self.reshape(tensor, made)
        return Value(made, channels_last(3))

    def reshape(self, tensor: Tensor, made: Tensor) -> None:
        """Let `made` have the numbers of `tensor` in their order."""
        options = schema.ReshapeOptionsT()
        options.newShape = np.asarray(made.shape, np.int32)
        self.operator("RESHAPE", [tensor, self.integers(made.shape)], [made], options)

    def integers(self, numbers: Sequence[int]) -> Tensor:
        """Return a constant int32 vector."""
        return self.writer.constant("integers", np.asarray(numbers, np.int32))

    def real(self, name: str, array: NDArray[Any]) -> Tensor:
        """Return a constant float32 tensor."""
        return self.writer.constant(name, np.asarray(array, np.float32))

    def weights(self, name: str, array: NDArray[Any]) -> Tensor:
        """Return float weights as float32; stored as float16 where the model's precision says so."""
        full = np.asarray(array, np.float32)
        small = full.astype(np.float16)
        if not self.half or not np.isfinite(small).all():
            return self.real(name, full)
        stored = self.writer.constant(f"{name}.half", small)
        made = self.writer.tensor(name, full.shape, "float32")
        self.operator("DEQUANTIZE", [stored], [made], schema.DequantizeOptionsT())
        return made

    def _rescale(self, tensor: Tensor, pixels: Quant, made: Tensor) -> None:
        """Compute what integers stand for that have another scale already."""
        whole = self.writer.tensor(f"{tensor.name}.whole", tensor.shape, "float32")
        centred = self.writer.tensor(f"{tensor.name}.centred", tensor.shape, "float32")
        self.operator("CAST", [tensor], [whole], schema.CastOptionsT())
        zero, scale = np.asarray(pixels.zero, np.float32), np.asarray(pixels.scale, np.float32)
        self.operator("SUB", [whole, self.real("zero", zero)], [centred], schema.SubOptionsT())
        self.operator("MUL", [centred, self.real("scale", scale)], [made], schema.MulOptionsT())


def dtype_of(value: ir.Value) -> str:
    """Return the NumPy name of a value's type; what is float16 or float64 in the graph is computed in float32."""
    name = str(value.dtype).lower() if value.dtype is not None else "float"
    return {"float": "float32", "float16": "float32", "double": "float32", "bool": "bool"}.get(name, name)
