"""TFLite flatbuffers: tensors, constants and operators in, the same bytes for the same network out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError

SCHEMA_VERSION, IDENTIFIER = 3, b"TFL3"
ALIGNMENT = 16
"""Bytes that the schema aligns constants to; kernels read them in place."""
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
}
_EXTENDED = 127
"""Codes of operators from here on stand in a field of their own."""


@dataclass(frozen=True, slots=True)
class Quant:
    """real = scale * (stored - zero): one scale a tensor, or one a slice along physical axis `axis`."""

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = 0


@final
@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor of the flatbuffer; its shape is the physical one."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None
    buffer: int = 0

    @property
    def constant(self) -> bool:
        """Whether the flatbuffer holds its numbers."""
        return self.buffer != 0


@final
class Writer:
    """Collects one graph and packs it."""

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []
        self._buffers: list[bytes] = [b""]
        self._buffer_of: dict[bytes, int] = {}
        self._constants: dict[tuple[Any, ...], Tensor] = {}
        self._codes: dict[tuple[int, int], int] = {}
        self._operators: list[Any] = []
        self._names: dict[str, Tensor] = {}

    def tensor(self, name: str, shape: Sequence[int], dtype: str, quant: Quant | None = None) -> Tensor:
        """Add a tensor that an operator or the caller fills; a name that is taken gets a number behind it."""
        if dtype not in TYPES:
            raise EngineError(f"litert has no tensors of {dtype}, which '{name}' is")
        unique, count = name, 1
        while unique in self._names:
            unique, count = f"{name}.{count}", count + 1
        made = Tensor(len(self._tensors), unique, tuple(int(size) for size in shape), dtype, quant)
        self._names[unique] = made
        self._tensors.append(made)
        return made

    def rename(self, tensor: Tensor, name: str) -> None:
        """Give a tensor a name that another one may have; that one takes this one's."""
        other = self._names.get(name)
        if other is not None:
            other.name, self._names[tensor.name] = tensor.name, other
        tensor.name, self._names[name] = name, tensor

    def constant(self, name: str, array: NDArray[Any], quant: Quant | None = None) -> Tensor:
        """Add a constant; equal ones are stored once."""
        array = np.asarray(array, order="C")
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        key = (data, array.shape, array.dtype.name, quant)
        if key not in self._constants:
            made = self.tensor(name, array.shape, array.dtype.name, quant)
            if data not in self._buffer_of:
                self._buffer_of[data] = len(self._buffers)
                self._buffers.append(data)
            made.buffer = self._buffer_of[data]
            self._constants[key] = made
        return self._constants[key]

    def operator(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        options: Any = None,
        version: int = 1,
    ) -> None:
        """Add an operator: `kind` as the schema spells it, `options` an object of the schema."""
        code = (getattr(schema.BuiltinOperator, kind), version)
        made = schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        made.inputs = [-1 if tensor is None else tensor.index for tensor in inputs]
        made.outputs = [tensor.index for tensor in outputs]
        if options is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
            made.builtinOptions = options
        self._operators.append(made)

    def finish(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> bytes:
        """Return the flatbuffer of a network with the given named inputs and outputs."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors = [_tensor(tensor) for tensor in self._tensors]
        graph.operators = self._operators
        graph.inputs = [tensor.index for tensor in inputs.values()]
        graph.outputs = [tensor.index for tensor in outputs.values()]
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.inputs, signature.outputs = _names(inputs), _names(outputs)
        model = schema.ModelT()
        model.version, model.description = SCHEMA_VERSION, "edgecnn"
        model.operatorCodes = [_code(*code) for code in self._codes]
        model.subgraphs, model.signatureDefs = [graph], [signature]
        model.buffers = [_Buffer(data) for data in self._buffers]
        builder = flatbuffers.Builder(sum(map(len, self._buffers)) + (1 << 16))
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())


@final
class _Buffer:
    """A constant's bytes, packed at the schema's alignment, which the generated code passes over."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the generated code's spelling
        """Write the bytes and the table around them."""
        if self._data:
            size = len(self._data)
            builder.StartVector(1, size, ALIGNMENT)
            head = builder.Head() - size
            builder.head = head
            builder.Bytes[head : head + size] = self._data
            place = builder.EndVector()
        schema.BufferStart(builder)
        if self._data:
            schema.BufferAddData(builder, place)
        return int(schema.BufferEnd(builder))


def _tensor(tensor: Tensor) -> Any:
    made = schema.TensorT()
    made.name, made.shape = tensor.name, np.asarray(tensor.shape, np.int32)
    made.type, made.buffer, made.hasRank = TYPES[tensor.dtype], tensor.buffer, True
    if tensor.quant is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.asarray(tensor.quant.scale, np.float32)
        made.quantization.zeroPoint = np.asarray(tensor.quant.zero, np.int64)
        made.quantization.quantizedDimension = tensor.quant.axis
    return made


def _code(code: int, version: int) -> Any:
    made = schema.OperatorCodeT()
    made.deprecatedBuiltinCode, made.builtinCode, made.version = min(code, _EXTENDED), code, version
    return made


def _names(tensors: Mapping[str, Tensor]) -> list[Any]:
    made = []
    for name, tensor in tensors.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, tensor.index
        made.append(entry)
    return made
