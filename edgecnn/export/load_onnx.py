"""A stranger's ONNX file: read without risk, and refused in one line where nothing can be made of it."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx

from edgecnn.core.errors import InputError
from edgecnn.export import read_onnx

LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
QUANTIZED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "MatMulNBits"}
)
PAIRED = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""What stands around an operator in a quantized file that says in float what every engine makes INT8 of."""
KNOWN = frozenset({"", "ai.onnx"})
OTHER_FILES = {
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint?); export it to ONNX first",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself with `git lfs pull`",
    b"<?xml": "an XML file (OpenVINO IR?); give the ONNX model it was made of",
    b"\x89HDF": "an HDF5 file (a Keras model?); convert it to ONNX first",
}
LARGEST = 2**31 - 1


def load_model(path: Path, *, quantized: bool = False) -> onnx.ModelProto:
    """Return the CNN in the ONNX file at `path`, external data included; one with Q/DQ pairs only where `quantized`.

    A child process with limits on memory and time reads the file first, so that a hostile one ends only that child.
    Operators of other domains than ONNX's own are let through; `foreign_operators` names them.

    Raises:
        InputError: the file is missing, empty, no ONNX model, cut short, damaged so that reading it crashes; its
            external data is missing or outside its folder; it is newer than the installed onnx, quantized already, or
            holds no layer with constant weights.
    """
    _check_file(path)
    _try_in_child(path)
    try:
        model = read_onnx.read(path)
    except ValueError as error:
        raise InputError(f"{path.name} {error}") from error
    _check_model(path.name, model, PAIRED if quantized else frozenset())
    return model


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether the model holds Q/DQ pairs."""
    return any(node.op_type in PAIRED for node in _nodes(model))


def foreign_operators(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the operators of other domains than ONNX's own, as `domain::name`; local functions do not count."""
    local = {(function.domain, function.name) for function in model.functions}
    found = {(node.domain, node.op_type) for node in _nodes(model) if node.domain not in KNOWN}
    return tuple(f"{domain}::{name}" for domain, name in sorted(found - local))


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(32)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    if not head:
        raise InputError(f"{path.name} is empty")
    if size > LARGEST:
        raise InputError(f"{path.name} is larger than 2 GB; that is no network for an edge device")
    for start, what in OTHER_FILES.items():
        if head.startswith(start):
            raise InputError(f"{path.name} is {what}")


def _try_in_child(path: Path) -> None:
    command = [sys.executable, "-I", str(Path(read_onnx.__file__)), str(path.absolute())]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            command, capture_output=True, timeout=read_onnx.SECONDS, check=False, text=True, env=environment
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path.name} is damaged: reading it takes more than {read_onnx.SECONDS} s") from None
    if child.returncode == read_onnx.BAD:
        raise InputError(f"{path.name} {child.stdout}")
    if child.returncode:
        raise InputError(f"{path.name} is damaged: reading it crashes or takes more memory than it is worth")


def _check_model(name: str, model: onnx.ModelProto, taken: frozenset[str] = frozenset()) -> None:
    if model.ir_version > onnx.IR_VERSION:
        raise InputError(
            f"{name} has IR version {model.ir_version}, newer than onnx {onnx.__version__} knows ({onnx.IR_VERSION}); "
            "update onnx or export the model at an older opset"
        )
    newest = onnx.defs.onnx_opset_version()
    opset = next((entry.version for entry in model.opset_import if entry.domain in KNOWN), None)
    if opset is None:
        raise InputError(f"{name} names no version of ONNX's operators (opset); export it again")
    if opset > newest:
        raise InputError(f"{name} has opset {opset}, newer than onnx {onnx.__version__} knows ({newest}); update onnx")
    if model.ByteSize() > LARGEST:
        raise InputError(f"{name} is larger than 2 GB with its weights; that is no network for an edge device")
    for node in _nodes(model):
        if node.op_type in QUANTIZED - taken or node.op_type.startswith("QLinear"):
            raise InputError(f"{name} is quantized already ('{node.op_type}' in it); give the float model it came from")
    if not any(_has_weights(model)):
        raise InputError(f"{name} is no CNN: no Conv, ConvTranspose, Gemm or MatMul in it has constant weights")


def _has_weights(model: onnx.ModelProto) -> Iterator[bool]:
    """Yield for each layer whether its weights follow from constants alone; in local functions they are taken to."""
    fixed = {tensor.name for tensor in (*model.graph.initializer,)}
    fixed |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    for node in model.graph.node:
        if node.op_type in LAYERS and node.domain in KNOWN:
            yield any(name in fixed for name in node.input[:2])
        if all(name in fixed for name in node.input if name) and (node.input or node.op_type == "Constant"):
            fixed.update(node.output)
    inner = (node for function in model.functions for node in _within(function.node))
    deeper = (node for top in model.graph.node for body in _bodies(top) for node in _within(body.node))
    yield any(node.op_type in LAYERS for node in (*inner, *deeper))


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from _within(model.graph.node)
    for function in model.functions:
        yield from _within(function.node)


def _within(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for body in _bodies(node):
            yield from _within(body.node)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs
