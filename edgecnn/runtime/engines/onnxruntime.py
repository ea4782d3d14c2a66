"""ONNX Runtime on the CPU, set for the latency of one frame."""

from collections.abc import Mapping
from typing import Any, Final, final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import boolean, check_options, check_tensors, one_line, positive

_OPTIONS = {
    "threads": (positive, "a whole number above 0"),
    "spinning": (boolean, "true or false"),
    "integer_kernels": (boolean, "true or false"),
}
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
}
_ERRORS_ONLY = 3


@final
class OnnxRuntimeEngine:
    """A network in an ONNX Runtime session; `infer` may be called from many threads (ORT promises it for `Run`)."""

    def __init__(
        self,
        session: ort.InferenceSession,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        self.name: Final = "onnxruntime"
        self.inputs = inputs
        self.outputs = outputs
        self._session: ort.InferenceSession | None = session
        self._names = [spec.name for spec in outputs]

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: ONNX Runtime failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        session = self._open_session()
        try:
            # A strided view reaches ORT as its own contiguous copy.
            results = session.run(self._names, {name: np.ascontiguousarray(feed) for name, feed in feeds.items()})
        except Exception as error:
            raise EngineError(f"onnxruntime: {one_line(error)}") from error
        return dict(zip(self._names, results, strict=True))

    def facts(self) -> dict[str, Any]:
        """Return what the session says of itself after loading."""
        options = self._open_session().get_session_options()
        return {
            "engine": self.name,
            "version": ort.__version__,
            "device": self._open_session().get_providers(),
            # 0 is ORT's way of saying: one a physical core.
            "threads": options.intra_op_num_threads,
            "spinning": options.get_session_config_entry("session.intra_op.allow_spinning") == "1",
            "execution_mode": options.execution_mode.name,
            "graph_optimization": options.graph_optimization_level.name,
        }

    def close(self) -> None:
        """Give back the session's memory and threads."""
        self._session = None

    def _open_session(self) -> ort.InferenceSession:
        # Read once: another thread's `close` must not pull the session away between test and use.
        session = self._session
        if session is None:
            raise EngineError("onnxruntime: this engine was closed; load the bundle again")
        return session


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> OnnxRuntimeEngine:
    """Load the `.onnx` bytes that come first in `files`.

    Options: `threads` (int; default one a physical core), `spinning` (bool; default true: idle threads burn their core
    for the fastest wake-up; set it false where other programs share the cores) and `integer_kernels` (bool; default
    true: false computes Q/DQ in float as the graph says, to simulate another engine).

    Raises:
        InputError: an option that is not known.
        EngineError: ONNX Runtime refused the network, or its tensors are not those given.
    """
    check_options("onnxruntime", options, _OPTIONS)
    try:
        session = ort.InferenceSession(
            next(iter(files.values())),
            _session_options(options),
            providers=["CPUExecutionProvider"],
            disabled_optimizers=[] if options.get("integer_kernels", True) else ["WeightBiasQuantization"],
        )
    except Exception as error:
        raise EngineError(f"onnxruntime refused the network: {one_line(error)}") from error
    check_tensors("onnxruntime", "input", inputs, {i.name: (i.shape, _dtype(i.type)) for i in session.get_inputs()})
    check_tensors("onnxruntime", "output", outputs, {o.name: (o.shape, _dtype(o.type)) for o in session.get_outputs()})
    return OnnxRuntimeEngine(session, inputs, outputs)


def _session_options(options: Mapping[str, Any]) -> ort.SessionOptions:
    # Not set: session.set_denormal_as_zero. It would also flush denormals in the caller's own thread, for good.
    chosen = ort.SessionOptions()
    chosen.log_severity_level = _ERRORS_ONLY
    chosen.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    chosen.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    chosen.intra_op_num_threads = options.get("threads", 0)
    chosen.inter_op_num_threads = 1
    chosen.enable_cpu_mem_arena = True
    chosen.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.get("spinning", True))))
    chosen.add_session_config_entry("session.disable_quant_qdq", str(int(not options.get("integer_kernels", True))))
    return chosen


def _dtype(kind: str) -> str:
    return _DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")"))
