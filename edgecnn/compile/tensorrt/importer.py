"""The rules of TensorRT's ONNX importer, so that a file it would refuse on the device is refused here, by name.

Read from the importer's source of 8.5 to 10.1, the operators' limits in NVIDIA's tables, and for 11 from its guide.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from edgecnn.compile.tensorrt.importer_ops import operators
from edgecnn.compile.tensorrt.importer_pairs import pairs
from edgecnn.core.errors import line_of

FLOATS = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16})


@dataclass(frozen=True, slots=True)
class Reader:
    """A major version of TensorRT as a reader of ONNX.

    Attributes:
        version: its major version.
        opsets: the oldest and the newest it reads.
        weak: whether types are chosen by flags, so that the file is float32.
    """

    version: int
    opsets: tuple[int, int]
    weak: bool

    @property
    def target(self) -> str:
        """The target of the registry that prepares files for it."""
        return f"tensorrt_{self.version}"


READERS = {8: Reader(8, (7, 17), weak=True), 10: Reader(10, (9, 20), weak=False), 11: Reader(11, (9, 25), weak=False)}


def refused_by(path: Path, target: str) -> list[str]:
    """Return what the TensorRT that `target` is for refuses in an ONNX file; empty too where it is for no TensorRT."""
    reader = next((one for one in READERS.values() if one.target == target), None)
    return [] if reader is None else violations(onnx.load(path), reader)


def violations(model: onnx.ModelProto, reader: Reader) -> list[str]:
    """Return one sentence for each thing in `model` that the importer of `reader` refuses; empty if it reads it all."""
    try:
        known = onnx.shape_inference.infer_shapes(model)
    except onnx.shape_inference.InferenceError:
        known = model
    try:
        read = ir.from_proto(known)
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(read)
    except Exception as error:  # noqa: BLE001 - whatever a strange file breaks in a reader, the file is what is wrong
        return [f"the model can't be read as a graph: {line_of(error)}"]
    rules: tuple[Callable[[ir.Model, Reader], Iterator[str]], ...] = (_opset, _types, _pixels, _operators, _pairs)
    return list(dict.fromkeys(sentence for rule in rules for sentence in rule(read, reader)))


def _opset(model: ir.Model, reader: Reader) -> Iterator[str]:
    found, (least, most) = model.opset_imports.get("", 0), reader.opsets
    if not least <= found <= most:
        yield f"it has opset {found} and TensorRT {reader.version} reads {least} to {most}; export it again at {most}"


def _types(model: ir.Model, reader: Reader) -> Iterator[str]:
    if not reader.weak:
        return
    for node in model.graph:
        if any(value is not None and value.dtype in FLOATS for value in (*node.inputs, *node.outputs)):
            yield f"{call(node)} is in half precision; TensorRT {reader.version} takes float32 and halves by a flag"
            return


def _pixels(model: ir.Model, reader: Reader) -> Iterator[str]:
    """Check that uint8 is cast before anything else reads it: it is a type of inputs and outputs alone."""
    for node in model.graph:
        reads = any(value is not None and value.dtype == ir.DataType.UINT8 for value in node.inputs[:1])
        if reads and node.op_type not in {"Cast", "DequantizeLinear"}:
            yield f"{call(node)} reads uint8; TensorRT {reader.version} takes that in inputs alone: cast it first"


def _operators(model: ir.Model, reader: Reader) -> Iterator[str]:
    for node in model.graph:
        yield from (f"{call(node)} {sentence}" for sentence in operators(node, reader.version))


def _pairs(model: ir.Model, reader: Reader) -> Iterator[str]:
    opset = model.opset_imports.get("", 0)
    for node in model.graph:
        yield from (f"{call(node)} {sentence}" for sentence in pairs(node, opset, weak=reader.weak))


def call(node: ir.Node) -> str:
    """Return what to call `node` in a sentence."""
    return f"{node.op_type} '{node.name or node.outputs[0].name}'"
