"""Every engine of the registry, how its files are made, and what is allowed it. An engine without a row fails CI.

To add an engine, add a row to OURS: "name": Case("engine", "target"). An engine that another package brings by entry
point has a row already, once that package is installed and its target is called as the engine is.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import onnxruntime
from contract_networks import NEWEST_OPSET, Network, float_network, frame_network

from edgecnn.core.registry import ENGINES, TARGETS, Target, known, resolve

ODD_SHAPES = [(1, 1), (7, 5), (33, 17), (2, 31)]
ONNX = ""
"""In place of a target: the engine reads the ONNX file itself, in INT8 as ONNX Runtime's scheme has it."""


def nothing() -> str:
    """Return that nothing is lacking."""
    return ""


@dataclass(frozen=True)
class Case:
    """One engine with the files of one target.

    Attributes:
        engine: its name in the registry.
        target: whose compiler makes its files; `ONNX` for none.
        computes: False for the null engine alone.
        absent: tells what this machine lacks to run it, "" where it runs. Only for what not every Linux machine can
            install from the package index.
        one_batch: words of the line that refuses batch 4; "" where the engine takes it.
        fp32: greatest difference from the reference, relative to the value and at least to 1.
        steps: how many of the coarsest rounding steps INT8 may be off; more than one wants its reason beside it.
        options: what the engine is opened with, besides `threads`.
        counts_threads: False where the engine has no number of threads to set.
        brings: "torch" or "onnx", where the engine's own Python package can't be had without it.
    """

    engine: str
    target: str
    computes: bool = True
    absent: Callable[[], str] = nothing
    one_batch: str = ""
    fp32: float = 1e-4
    steps: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()
    counts_threads: bool = True
    brings: str = ""


def without(module: str, words: str) -> Callable[[], str]:
    """Return a test for the Python package `module`, without importing it."""
    return lambda: "" if find_spec(module) else words


def without_provider(provider: str) -> Callable[[], str]:
    """Return a test for an execution provider of the ONNX Runtime that is installed."""
    have = onnxruntime.get_available_providers()
    return lambda: "" if provider in have else f"an ONNX Runtime built with {provider}"


OURS = {
    "onnxruntime": Case("onnxruntime", "onnxruntime"),
    "openvino": Case("openvino", "openvino"),
    "openvino-onnx": Case("openvino", ONNX),
    "ncnn": Case("ncnn", "ncnn"),
    "litert": Case("litert", "litert"),
    # Its Python runtime links against torch and takes torch's tensors alone.
    "executorch": Case("executorch", "executorch", brings="torch"),
    # Its bound is a guess: kernels that transform a convolution (Winograd) round more coarsely, and none has been run.
    "tensorrt": Case("tensorrt", "tensorrt", absent=without("tensorrt", "an NVIDIA GPU with TensorRT"), fp32=1e-3),
    "null": Case("null", ONNX, computes=False),
    **{
        f"onnxruntime-{short}": Case(f"onnxruntime-{short}", f"onnxruntime-{short}", absent=without_provider(provider))
        for short, provider in {
            "tensorrt": "TensorrtExecutionProvider",
            "cuda": "CUDAExecutionProvider",
            "openvino": "OpenVINOExecutionProvider",
            "xnnpack": "XnnpackExecutionProvider",
            "coreml": "CoreMLExecutionProvider",
        }.items()
    },
    "coreml": Case("coreml", "coreml", absent=lambda: "" if sys.platform == "darwin" else "macOS"),
    # Qualcomm's emulator comes with its package.
    "onnxruntime-qnn": Case(
        "onnxruntime-qnn",
        "onnxruntime-qnn",
        absent=without("onnxruntime_qnn", "the package onnxruntime-qnn"),
        options=(("emulate", True),),
    ),
}
CASES = {**OURS, **{name: Case(name, name) for name in sorted(set(known("engine")) - set(ENGINES))}}


def row_of(name: str) -> Target:
    """Return the registry's row of the case's target; ONNX Runtime's where the engine reads ONNX itself."""
    return TARGETS[CASES[name].target or "onnxruntime"]


def precisions(name: str) -> tuple[str, ...]:
    """Return what the case's target comes in; one without a scheme has no INT8 of ours."""
    return ("fp32", "int8") if row_of(name).scheme else ("fp32",)


PRESENT = [name for name, case in CASES.items() if not case.absent()]
ABSENT = [name for name in CASES if name not in PRESENT]
REAL = [name for name in PRESENT if CASES[name].computes]
PRESENT_AND_PRECISION = [(name, precision) for name in PRESENT for precision in precisions(name)]


@cache
def frames(name: str, height: int, width: int, precision: str = "fp32", batch: int = 1) -> Network:
    """Return the frame network as the case gets it: in float, or in INT8 by the scheme of its target."""
    row = row_of(name)
    network = frame_network(height, width, batch, min(row.opset, NEWEST_OPSET))
    return network if precision == "fp32" else _int8(network, row.scheme)


@cache
def _int8(network: Network, scheme: str) -> Network:
    return network.quantized(scheme)


@cache
def files_of(name: str, network: Network, precision: str = "fp32") -> dict[str, bytes]:
    """Return the case's files for a network, compiled once."""
    target = CASES[name].target
    return network.files_for(target, precision) if target else network.onnx_files()


def open_files(name: str, files: dict[str, bytes], network: Network, **options: Any) -> Any:
    """Open a case's engine on files of `network`."""
    case = CASES[name]
    given = {**dict(case.options), **options}
    return resolve("engine", case.engine)(files, network.inputs, network.outputs, given)


def engine_of(name: str, network: Network, precision: str = "fp32", **options: Any) -> Any:
    """Compile `network` for the case and open it, with one thread unless told otherwise."""
    return open_files(name, files_of(name, network, precision), network, **{"threads": 1, **options})


def float_engine(name: str, **options: Any) -> Any:
    """Open the float network."""
    return engine_of(name, float_network(), **options)
