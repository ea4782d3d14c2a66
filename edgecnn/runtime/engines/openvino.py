"""OpenVINO, set for the latency of one frame."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple, final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import boolean, check_options, check_tensors, one_line, one_of, positive

_OPTIONS = {
    "threads": (positive, "a whole number above 0"),
    "precision": (one_of("f32", "bf16", "f16"), "f32, bf16 or f16"),
    "pinning": (boolean, "true or false"),
    "device": (lambda value: isinstance(value, str), "a device's name such as CPU"),
}
_REPORTED = {
    "threads": "INFERENCE_NUM_THREADS",
    "streams": "NUM_STREAMS",
    "pinning": "ENABLE_CPU_PINNING",
    "performance_hint": "PERFORMANCE_HINT",
    "runtime": "RUNTIME_REQUIREMENTS",
}


class _Slot(NamedTuple):
    """An infer request with views of its own input and output tensors, which stay where they are for fixed shapes."""

    request: ov.InferRequest
    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]


@final
class OpenVinoEngine:
    """A compiled network and its infer requests; `infer` may be called from many threads, each gets its own request."""

    def __init__(
        self,
        compiled: ov.CompiledModel,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        self.name: Final = "openvino"
        self.inputs = inputs
        self.outputs = outputs
        self._compiled: ov.CompiledModel | None = compiled
        self._idle: list[_Slot] = [self._slot(compiled)]
        self._lock = threading.Lock()

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: OpenVINO failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        with self._request() as slot:
            try:
                # Copied into the request's own tensors: lending it a new array each time makes it bind the network's
                # input anew, which costs more than the copy. Copied out again: its next run overwrites them.
                for name, tensor in slot.inputs.items():
                    np.copyto(tensor, feeds[name])
                slot.request.infer(share_outputs=True)
                return {name: tensor.copy() for name, tensor in slot.outputs.items()}
            except RuntimeError as error:
                raise EngineError(f"openvino: {one_line(error)}") from error

    def facts(self) -> dict[str, Any]:
        """Return the settings in force, as the compiled network reports them; a hint is not a promise."""
        compiled = self._open_model()
        known = compiled.get_property("SUPPORTED_PROPERTIES")
        facts = {
            "engine": self.name,
            "version": ov.__version__,
            "device": list(compiled.get_property("EXECUTION_DEVICES")),
        }
        facts |= {fact: compiled.get_property(key) for fact, key in _REPORTED.items() if key in known}
        if "INFERENCE_PRECISION_HINT" in known:
            facts["precision"] = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        return {key: value if isinstance(value, bool | int | list) else str(value) for key, value in facts.items()}

    def close(self) -> None:
        """Give back requests, memory and threads."""
        with self._lock:
            self._compiled = None
            self._idle.clear()

    @contextmanager
    def _request(self) -> Iterator[_Slot]:
        compiled = self._open_model()
        with self._lock:
            slot = self._idle.pop() if self._idle else None
        slot = slot or self._slot(compiled)
        try:
            yield slot
        finally:
            with self._lock:
                if self._compiled is not None:
                    self._idle.append(slot)

    def _slot(self, compiled: ov.CompiledModel) -> _Slot:
        request = compiled.create_infer_request()
        return _Slot(
            request,
            {spec.name: request.get_tensor(compiled.input(spec.name)).data for spec in self.inputs},
            {spec.name: request.get_tensor(compiled.output(spec.name)).data for spec in self.outputs},
        )

    def _open_model(self) -> ov.CompiledModel:
        compiled = self._compiled
        if compiled is None:
            raise EngineError("openvino: this engine was closed; load the bundle again")
        return compiled


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> OpenVinoEngine:
    """Load `.xml` and `.bin` bytes, or `.onnx` bytes alone, in the order of `files`.

    Options: `threads` (int; default as OpenVINO's latency hint has it), `precision` of what is not quantized (default
    f32: left alone, OpenVINO takes bf16 where the CPU has it, and the outputs move), `pinning` of threads to cores
    (bool; default OpenVINO's) and `device` (default CPU).

    Raises:
        InputError: an option that is not known.
        EngineError: OpenVINO refused the network, or its tensors are not those given.
    """
    check_options("openvino", options, _OPTIONS)
    main, *weights = files.values()
    try:
        core = _core()
        network = core.read_model(model=main, weights=weights[0]) if weights else core.read_model(model=main)
        check_tensors("openvino", "input", inputs, _tensors(network.inputs))
        check_tensors("openvino", "output", outputs, _tensors(network.outputs))
        if network.is_dynamic():
            network.reshape({spec.name: list(spec.shape) for spec in inputs})
        device = options.get("device", "CPU")
        compiled = core.compile_model(network, device, _settings(device, options))
    except RuntimeError as error:
        raise EngineError(f"openvino refused the network: {one_line(error)}") from error
    return OpenVinoEngine(compiled, inputs, outputs)


@cache
def _core() -> ov.Core:
    # One for the process, with no settings of its own: a new one for each network leaks about 2 KiB a load.
    return ov.Core()


@cache
def _supported(device: str) -> frozenset[str]:
    # Asked once a device: each call of get_property for this key leaks about 4 KiB.
    return frozenset(_core().get_property(device, "SUPPORTED_PROPERTIES"))


def _settings(device: str, options: Mapping[str, Any]) -> dict[str, Any]:
    # Not set: CPU_DENORMALS_OPTIMIZATION. It would also flush denormals in the caller's own thread, for good.
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": options.get("precision", "f32"),
        "INFERENCE_NUM_THREADS": options.get("threads"),
        "ENABLE_CPU_PINNING": options.get("pinning"),
    }
    # A key that a device does not know is an error there, not a no-op.
    return {key: value for key, value in wanted.items() if value is not None and key in _supported(device)}


def _tensors(ports: list[Any]) -> dict[str, tuple[list[Any], str]]:
    found: dict[str, tuple[list[Any], str]] = {}
    for port in ports:
        shape = [size.get_length() if size.is_static else "?" for size in port.get_partial_shape()]
        found |= {name: (shape, np.dtype(port.get_element_type().to_dtype()).name) for name in port.get_names()}
    return found
