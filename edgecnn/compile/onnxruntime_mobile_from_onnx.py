"""ONNX Runtime's own format for phones, and the list of operators and types that a minimal build has to keep.

A minimal build reads `.ort` files alone and can't optimise them, so that is done here: up to ONNX Runtime's EXTENDED
level, since what lies above is fitted to the machine that did it. The list goes to ONNX Runtime's build.py, with
`--minimal_build --include_ops_by_config <the list> --enable_reduced_operator_type_support`. A full build, as the one
here, runs the file as well.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import onnx as onnx_package
import onnxruntime

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of

FILE, OPERATORS = "model.ort", "required_operators_and_types.config"
_LIST = """
import pathlib, sys
from onnxruntime.tools.ort_format_model import create_config_from_models
create_config_from_models([pathlib.Path(sys.argv[1])], pathlib.Path(sys.argv[2]), enable_type_reduction=True)
"""


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:  # noqa: ARG001 - it stands in the model
    """Write `out`/model.ort, optimised for 64-bit ARM and everything else, and the operators it needs.

    Raises:
        EngineError: ONNX Runtime refused the model.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        data = onnx.read_bytes()
        onnx_package.checker.check_model(data, full_check=True)
        onnxruntime.InferenceSession(data, _options(out / FILE), providers=["CPUExecutionProvider"])
        onnxruntime.InferenceSession((out / FILE).read_bytes(), providers=["CPUExecutionProvider"])
    except Exception as error:  # a checker's and a session's errors share no base with a name
        raise EngineError(f"ONNX Runtime refused {onnx.name}: {line_of(error)}") from error
    _list_operators(out / FILE, out / OPERATORS)
    versions = {package: version(package) for package in ("onnxruntime", "onnx")}
    return CompiledFiles((out / FILE, out / OPERATORS), versions)


def _options(saved: Path) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(saved)
    options.add_session_config_entry("session.save_model_format", "ORT")
    # Activations may be signed: ARM's kernels multiply signed by signed at least as fast.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return options


def _list_operators(model: Path, out: Path) -> None:
    # In a process of its own: importing that part of ONNX Runtime changes this one's module path and logging.
    done = subprocess.run([sys.executable, "-c", _LIST, model, out], capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise EngineError(f"ONNX Runtime can't list the operators of {model.name}: {''.join(last)}")
    # Its comments name the folder it was made in.
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    out.write_text("".join(line for line in lines if not line.startswith("#")), encoding="utf-8")
