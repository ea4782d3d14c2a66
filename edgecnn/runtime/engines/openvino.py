"""OpenVINO on any device of its, set for the latency of one frame."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines import openvino_blob as blobs
from edgecnn.runtime.engines.checks import check_options, check_tensors, one_line, one_of, still_open
from edgecnn.runtime.engines.openvino_settings import CHECKS, core, in_force, settings_for

_OPTIONS = {
    **CHECKS,
    "device": (lambda value: isinstance(value, str) and bool(value), "a device's name such as CPU, NPU or AUTO"),
    "blob": (one_of("auto", "require", "ignore"), "auto, require or ignore"),
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
        told: Mapping[str, str],
    ) -> None:
        self.name: Final = "openvino"
        self.inputs = inputs
        self.outputs = outputs
        self._told = told
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
        """Return the settings in force, as the compiled network reports them; a hint is not a promise.

        `blob` tells whether what was compiled ahead is used, and if not, why.
        """
        compiled = self._open_model()
        return {"engine": self.name, "version": ov.__version__, **self._told, **in_force(compiled)}

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
        return still_open(self.name, self._compiled)


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> OpenVinoEngine:
    """Load `.xml` and `.bin` bytes, or `.onnx` bytes alone, in the order of `files`.

    A `model.blob` among them, compiled ahead, is used where it fits. Options: `device` (default CPU), `blob` (auto;
    `require` refuses what does not fit, `ignore` compiles) and those of `openvino_settings.SETTINGS` that the device
    knows: `threads`, `precision` of what is not quantized (default f32 on a CPU), `cache_dir`, ...

    Raises:
        InputError: an option that is not known, or not to the device.
        EngineError: OpenVINO refused the network or has no such device, or the tensors are not those given.
    """
    check_options("openvino", options, _OPTIONS)
    device = options.get("device", "CPU")
    settings = settings_for(device, options)
    told: dict[str, str] = {}
    try:
        compiled = _imported(files, device, settings, options, told) or _compiled(files, inputs, device, settings)
        check_tensors("openvino", "input", inputs, _tensors(compiled.inputs, inputs))
        check_tensors("openvino", "output", outputs, _tensors(compiled.outputs, outputs))
    except RuntimeError as error:
        raise EngineError(f"openvino refused the network: {one_line(error)}") from error
    return OpenVinoEngine(compiled, inputs, outputs, told)


def _compiled(
    files: Mapping[str, bytes], inputs: tuple[TensorSpec, ...], device: str, settings: Mapping[str, Any]
) -> ov.CompiledModel:
    main, *rest = files.items()
    weights = [data for name, data in rest if name not in (blobs.BLOB, blobs.STAMP)]
    # One network in ONNX's format has its weights within.
    network = core().read_model(model=main[1], weights=weights[0]) if weights else core().read_model(model=main[1])
    check_tensors("openvino", "input", inputs, _tensors(network.inputs, inputs))
    if network.is_dynamic():
        network.reshape({spec.name: list(spec.shape) for spec in inputs})
    return core().compile_model(network, device, dict(settings))


def _imported(
    files: Mapping[str, bytes],
    device: str,
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    told: dict[str, str],
) -> ov.CompiledModel | None:
    """Return the network as it was compiled ahead, None where there is none for here; `told` gets why."""
    asked = options.get("blob", "auto")
    if blobs.BLOB not in files or asked == "ignore":
        if asked == "require":
            raise EngineError(f"openvino: the artefact has no {blobs.BLOB}; compile it for the target openvino-blob")
        return None
    if reason := blobs.why_not(files, device, options):
        if asked == "require":
            raise EngineError(f"openvino: {reason}; without the option 'blob' the network itself is compiled")
        told["blob"] = f"not used: {reason}"
        return None
    told["blob"] = "used"
    return blobs.import_blob(files[blobs.BLOB], device, settings)


def _tensors(ports: list[Any], specs: tuple[TensorSpec, ...]) -> dict[str, tuple[list[Any], str]]:
    """Return shape and dtype by name; a port that compiling gave further names goes by the one that was asked for."""
    wanted = {spec.name for spec in specs}
    found: dict[str, tuple[list[Any], str]] = {}
    for port in ports:
        shape = [size.get_length() if size.is_static else "?" for size in port.get_partial_shape()]
        names = port.get_names() & wanted or port.get_names()
        found |= {name: (shape, np.dtype(port.get_element_type().to_dtype()).name) for name in names}
    return found
