"""ONNX Runtime runs ONNX as it is: the model is checked, loaded once, and shipped unchanged.

A model that ONNX Runtime optimised ahead is tied to the version and, above its EXTENDED level, to the machine that did
it. It loads no faster: 16 to 24 ms either way for a 15 MB ResNet.
"""

from importlib.metadata import version
from pathlib import Path

import onnx as onnx_package
import onnxruntime

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of

FILE = "model.onnx"


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:  # noqa: ARG001 - it stands in the model
    """Check `onnx`, see that ONNX Runtime loads it, and copy it to `out`/model.onnx."""
    data = onnx.read_bytes()
    try:
        onnx_package.checker.check_model(data, full_check=True)
    except Exception as error:  # a parser's and a checker's errors share no base with a name
        raise EngineError(f"ONNX Runtime refused {onnx.name}: {line_of(error)}") from error
    # From opset 21 on its integer kernels refuse signed activations, which other engines' files have.
    if (reason := _refusal(data)) and _refusal(data, integer_kernels=False):
        raise EngineError(f"ONNX Runtime refused {onnx.name}: {reason}")
    atomic.write_bytes(out / FILE, data)
    return CompiledFiles((out / FILE,), {"onnxruntime": version("onnxruntime"), "onnx": version("onnx")})


def _refusal(data: bytes, *, integer_kernels: bool = True) -> str:
    """Return in one line why ONNX Runtime won't load the model; empty if it does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", str(int(not integer_kernels)))
    try:
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's own classes share no base with a name
        return line_of(error)
    return ""
