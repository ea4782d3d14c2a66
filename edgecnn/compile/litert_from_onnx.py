"""LiteRT's flatbuffer, written operator by operator from the ONNX graph, channels last and with its scales.

No converter stands between: it would leave ONNX's channels first in the graph, transposed at every operator that wants
them last, and place scales by rules of its own. Here an axis is only renamed until an operator needs it elsewhere, so
that a network of convolutions holds no transposition but those at outputs that are not laid out channels last.
"""

from importlib.metadata import version
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.litert.graph import flatbuffer
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of

FILE = "model.tflite"


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Write `out`/model.tflite. Weights that are float become float16 for `fp16`; what is computed stays float32."""
    data = flatbuffer(onnx, half=precision == "fp16")
    try:
        Interpreter(model_content=data, num_threads=1).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"litert refused {onnx.name}: {line_of(error)}") from error
    atomic.write_bytes(out / FILE, data)
    return CompiledFiles((out / FILE,), {"ai-edge-litert": version("ai-edge-litert"), "onnx": version("onnx")})
