"""What a converted model must hold, read from its own specification: nothing here can run it, so all else is checked.

The weights file's layout is that of Core ML's MIL blob storage: at a value's offset a record of 64 bytes (mark, type,
size in bytes, offset of the data), then the data.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

from edgecnn.compile.coreml.sdk import FeatureTypes_pb2, MIL_pb2
from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec

LEAST_VERSION = 8
"""The specification version of iOS 17."""
_MARK = 0xDEADBEEF
_RECORD = struct.Struct("<IIQQ")
_BITS = {MIL_pb2.FLOAT16: 16, MIL_pb2.FLOAT32: 32, MIL_pb2.INT8: 8, MIL_pb2.UINT8: 8, MIL_pb2.INT32: 32}
_ARRAYS = {
    FeatureTypes_pb2.ArrayFeatureType.FLOAT32,
    FeatureTypes_pb2.ArrayFeatureType.FLOAT16,
    FeatureTypes_pb2.ArrayFeatureType.INT32,
}


def check_spec(
    spec: Any,
    weights: bytes,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    names: dict[str, str],
) -> Counter[str]:
    """Return how often each operator occurs in the specification, having found everything else as it must be.

    Raises:
        EngineError: version, opset, inputs, outputs, or a weight that the file of weights does not hold.
    """
    if spec.specificationVersion < LEAST_VERSION or set(spec.mlProgram.functions) != {"main"}:
        raise EngineError(f"Core ML: converted to version {spec.specificationVersion} without one function 'main'")
    for role, specs, found in (("input", inputs, spec.description.input), ("output", outputs, spec.description.output)):
        _check_features(role, {names[one.name]: one for one in specs}, found)
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations.get(function.opset)
    if block is None or list(block.outputs) != [names[one.name] for one in outputs]:
        raise EngineError(f"Core ML: the function's block for {function.opset or 'no opset'} does not give the outputs")
    for operation in block.operations:
        for value in _values(operation):
            _check_blob(value, weights, operation.type)
    return Counter(operation.type for operation in block.operations)


def _check_features(role: str, wanted: dict[str, TensorSpec], found: Any) -> None:
    have = {feature.name: feature.type.multiArrayType for feature in found}
    if set(have) != set(wanted):
        raise EngineError(f"Core ML: converted {role}s are {sorted(have)}, not {sorted(wanted)}")
    for name, spec in wanted.items():
        shape = tuple(have[name].shape)
        # A result whose shape the converter leaves open is given in the shape that the program computes.
        if (shape and shape != spec.shape) or have[name].dataType not in _ARRAYS:
            raise EngineError(f"Core ML: the converted {role} '{name}' is {list(shape)}, not {spec.describe()}")


def _values(operation: Any) -> Iterator[Any]:
    yield from operation.attributes.values()
    for argument in operation.inputs.values():
        for binding in argument.arguments:
            if binding.HasField("value"):
                yield binding.value


def _check_blob(value: Any, weights: bytes, op: str) -> None:
    if not value.HasField("blobFileValue"):
        return
    offset, kind = value.blobFileValue.offset, value.type.tensorType
    size = prod(dimension.constant.size for dimension in kind.dimensions) * _BITS[kind.dataType] // 8
    if offset + _RECORD.size > len(weights):
        raise EngineError(f"Core ML: a weight of {op} lies beyond the file of weights")
    mark, _, stored, start = _RECORD.unpack_from(weights, offset)
    if mark != _MARK or stored != size or start + stored > len(weights):
        raise EngineError(f"Core ML: a weight of {op} takes {size} bytes, of which the file of weights holds {stored}")
