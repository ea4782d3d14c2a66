"""What OpenCV reads is ONNX itself; the specs beside it tell names and types, which OpenCV does not tell."""

from pathlib import Path

import cv2
import msgspec
import onnx as onnx_package

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.specs import tensor_specs
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of
from edgecnn.core.registry import Entry, Target

TARGET = Target(Entry("edgecnn_opencv.compile:compile_model"), "opencv", "onnxruntime_x86", 17)


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Copy `onnx` to `out`/model.onnx, once OpenCV has read it, with its inputs and outputs in `out`/tensors.json."""
    data = onnx.read_bytes()
    try:
        specs = tensor_specs(onnx_package.load_from_string(data))
        cv2.dnn.readNetFromONNX(memoryview(data))
    except Exception as error:
        raise EngineError(f"opencv refused {onnx.name}: {line_of(error)}") from error
    files = {"model.onnx": data, "tensors.json": msgspec.json.encode(specs)}
    for name, content in files.items():
        atomic.write_bytes(out / name, content)
    return CompiledFiles(tuple(out / name for name in files), {"opencv": cv2.__version__})
