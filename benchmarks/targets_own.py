"""The engines' own quantizers, each as its documentation shows it, on the same float model and calibration frames."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from ai_edge_quantizer import quantizer, recipe
from numpy.typing import NDArray
from peers import nncf_quantizer, onnxruntime_quantizer
from peers.job import Job as PeerJob
from targets_cell import THREADS, Job

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import TARGETS, import_entry, resolve

Frames = Sequence[Mapping[str, NDArray[Any]]]


def quantized(job: Job, frames: Frames) -> dict[str, bytes]:
    """Return the engine's files as its own quantizer leaves them."""
    return _OWN[job.target](job, frames)


def _onnxruntime(job: Job, frames: Frames) -> dict[str, bytes]:
    made = onnxruntime_quantizer.u8s8(_peer(job, frames))
    return {"model.onnx": made.file.read_bytes()}


def _openvino(job: Job, frames: Frames) -> dict[str, bytes]:
    made = nncf_quantizer.default(_peer(job, frames))
    return {file.name: file.read_bytes() for file in (made.file, made.file.with_suffix(".bin"))}


def _litert(job: Job, frames: Frames) -> dict[str, bytes]:
    """AI Edge Quantizer's static recipe, weights and activations in int8, on the float file of our compiler."""
    files = _compiled("litert", onnx.load(job.model), "fp32")
    main = next(name for name in files if name.endswith(".tflite"))
    tool = quantizer.Quantizer(files[main], recipe.static_wi8_ai8())
    tool.validate_quantization_recipe = lambda: None
    ranges = tool.calibrate({None: list(frames)})
    return {**files, main: bytes(tool.quantize(ranges).quantized_model)}


def _ncnn(job: Job, frames: Frames) -> dict[str, bytes]:
    """Ranges of least divergence, as ncnn2table chooses them: that tool is in no package index."""
    settings = Settings("entropy", threads=THREADS, correct=False)
    model, _ = quantize(onnx.load(job.model), resolve("scheme", "ncnn"), frames, settings)
    return _compiled("ncnn", model, "int8")


def _compiled(target: str, model: onnx.ModelProto, precision: str) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        source = Path(folder) / "source.onnx"
        onnx.save(model, source)
        made = import_entry(TARGETS[target].compiler, target)(source, Path(folder) / "out", precision)
        return {file.name: file.read_bytes() for file in made.files}


def _peer(job: Job, frames: Frames) -> PeerJob:
    return PeerJob(Path(job.model), frames, Path(job.place), THREADS, 0.0)


_OWN: dict[str, Callable[[Job, Frames], dict[str, bytes]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "litert": _litert,
    "ncnn": _ncnn,
}
