"""ONNX Runtime set for the latency of one frame: on the CPU, or with one of its other execution providers."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import boolean, check_options, check_tensors, one_line, one_of, positive, still_open
from edgecnn.runtime.engines.onnxruntime_provider import PROVIDERS, Attached, Check, Provider, attach

_LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_BOOLEAN: Check = (boolean, "true or false")
_COMMON: dict[str, Check] = {
    "threads": (positive, "a whole number above 0"),
    "spinning": _BOOLEAN,
    "graph_optimization": (one_of(*_LEVELS), " or ".join(_LEVELS)),
    "memory_arena": _BOOLEAN,
}
_CPU = "onnxruntime"
_CPU_PROVIDER = "CPUExecutionProvider"
_OPTIONS: dict[str, dict[str, Check]] = {
    _CPU: {**_COMMON, "integer_kernels": _BOOLEAN},
    **{name: {**_COMMON, **row.checks, "cpu_fallback": _BOOLEAN} for name, row in PROVIDERS.items()},
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
        name: str,
        session: ort.InferenceSession,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        attached: Attached,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self._attached = attached
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
            raise EngineError(f"{self.name}: {one_line(error)}") from error
        return dict(zip(self._names, results, strict=True))

    def facts(self) -> dict[str, Any]:
        """Return what the session says of itself after loading.

        With another provider than the CPU's also what that one was told and what it reports of it, `nodes`: how many
        of the network's nodes each provider took, and `on_cpu`: the kinds of those that fell back to the CPU.
        """
        session = self._open_session()
        options = session.get_session_options()
        facts = {
            "engine": self.name,
            "version": ort.__version__,
            "device": session.get_providers(),
            # 0 is ORT's way of saying: one a physical core.
            "threads": options.intra_op_num_threads,
            "spinning": options.get_session_config_entry("session.intra_op.allow_spinning") == "1",
            "execution_mode": options.execution_mode.name,
            "graph_optimization": options.graph_optimization_level.name,
            "memory_arena": options.enable_cpu_mem_arena,
        }
        return (
            facts if self.name == _CPU else {**facts, **_provider_facts(PROVIDERS[self.name], self._attached, session)}
        )

    def close(self) -> None:
        """Give back the session's memory and threads."""
        self._session = None

    def _open_session(self) -> ort.InferenceSession:
        return still_open(self.name, self._session)


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
    *,
    engine: str = _CPU,
) -> OnnxRuntimeEngine:
    """Load the `.onnx` or `.ort` bytes that come first in `files`.

    Options: `threads` (int; default one a physical core), `spinning` (bool; default true: idle threads burn their core
    for the fastest wake-up; set it false where other programs share the cores), `graph_optimization` (none, basic,
    extended or all; default all), `memory_arena` (bool; default true: memory once used is kept for the next frame) and,
    on the CPU, `integer_kernels` (bool; default true: false computes Q/DQ in float as the graph says, to simulate
    another engine). Other providers: what `onnxruntime_provider.PROVIDERS` lists, and `cpu_fallback` (bool; default
    true: what the provider does not take runs on the CPU; false refuses such a network).

    Raises:
        InputError: an option that is not known.
        MissingExtraError: this ONNX Runtime was built without the provider.
        EngineError: ONNX Runtime or the provider refused the network, or its tensors are not those given.
    """
    check_options(engine, options, _OPTIONS[engine])
    chosen = _session_options(engine, options)
    attached = Attached([_CPU_PROVIDER], {}) if engine == _CPU else attach(engine, chosen, options)
    try:
        session = ort.InferenceSession(
            next(iter(files.values())),
            chosen,
            providers=attached.providers,
            disabled_optimizers=[] if options.get("integer_kernels", True) else ["WeightBiasQuantization"],
            enable_fallback=False,
        )
    except Exception as error:
        raise EngineError(f"{engine} refused the network: {one_line(error)}") from error
    if engine != _CPU and PROVIDERS[engine].ort not in session.get_providers():
        raise EngineError(f"{engine}: {PROVIDERS[engine].ort} did not start: its device or a library of it is missing")
    check_tensors(engine, "input", inputs, {i.name: (i.shape, _dtype(i.type)) for i in session.get_inputs()})
    check_tensors(engine, "output", outputs, {o.name: (o.shape, _dtype(o.type)) for o in session.get_outputs()})
    return OnnxRuntimeEngine(engine, session, inputs, outputs, attached)


open_coreml = partial(open_engine, engine="onnxruntime-coreml")
open_cuda = partial(open_engine, engine="onnxruntime-cuda")
open_openvino = partial(open_engine, engine="onnxruntime-openvino")
open_qnn = partial(open_engine, engine="onnxruntime-qnn")
open_tensorrt = partial(open_engine, engine="onnxruntime-tensorrt")
open_xnnpack = partial(open_engine, engine="onnxruntime-xnnpack")


def _session_options(engine: str, options: Mapping[str, Any]) -> ort.SessionOptions:
    # Not set: session.set_denormal_as_zero. It would also flush denormals in the caller's own thread, for good.
    chosen = ort.SessionOptions()
    chosen.log_severity_level = _ERRORS_ONLY
    chosen.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    chosen.graph_optimization_level = _LEVELS[options.get("graph_optimization", "all")]
    chosen.intra_op_num_threads = options.get("threads", 0)
    chosen.inter_op_num_threads = 1
    chosen.enable_cpu_mem_arena = options.get("memory_arena", True)
    entries = {
        "session.intra_op.allow_spinning": options.get("spinning", True),
        "session.disable_quant_qdq": not options.get("integer_kernels", True),
    }
    if engine != _CPU:
        entries |= {
            "session.record_ep_graph_assignment_info": True,
            "session.disable_cpu_ep_fallback": not options.get("cpu_fallback", True),
        }
        if PROVIDERS[engine].threads:
            # The provider's own pool does the work; ONNX Runtime's would only take its cores away by spinning.
            chosen.intra_op_num_threads = 1
            entries["session.intra_op.allow_spinning"] = False
    for key, value in entries.items():
        chosen.add_session_config_entry(key, str(int(value)))
    return chosen


def _provider_facts(provider: Provider, attached: Attached, session: ort.InferenceSession) -> dict[str, Any]:
    reported = session.get_provider_options().get(provider.ort, {})
    facts: dict[str, Any] = {
        "provider_options": attached.told,
        "provider_reports": dict(reported),
        "emulated": attached.emulated,
    }
    if threads := {**attached.told, **reported}.get(provider.threads):
        facts["threads"] = int(threads)
    taken: Counter[str] = Counter()
    fallen: Counter[str] = Counter()
    try:
        parts = session.get_provider_graph_assignment_info()
    except AttributeError:  # older than 1.24
        return facts
    for part in parts:
        kinds = [node.op_type for node in part.get_nodes()]
        taken[part.ep_name] += len(kinds)
        if part.ep_name == _CPU_PROVIDER:
            fallen.update(kinds)
    return {**facts, "nodes": dict(taken), "on_cpu": dict(sorted(fallen.items()))}


def _dtype(kind: str) -> str:
    return _DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")"))
