"""The engines' own quantizers, each as its documentation shows it, on the same float model and calibration frames."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from numpy.typing import NDArray
from peers import nncf_quantizer, onnxruntime_quantizer
from peers.job import Job as PeerJob
from targets_cell import THREADS, Job
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import TARGETS, import_entry, resolve
from edgecnn.export.torch_from_onnx import torch_module

Frames = Sequence[Mapping[str, NDArray[Any]]]


def quantized(job: Job, frames: Frames) -> dict[str, bytes]:
    """Return the engine's files as its own quantizer leaves them."""
    return _OWN[job.target](job, frames)


def output_names(job: Job, files: Mapping[str, bytes], names: Sequence[str]) -> dict[str, str]:
    """Return how the quantizer calls each of the outputs `names`; AI Edge Quantizer renames those it dequantizes."""
    if job.target != "litert":
        return {name: name for name in names}
    details = Interpreter(model_content=next(iter(files.values()))).get_output_details()
    found = [str(one["name"]) for one in details]
    return {name: next(one for one in found if one in {name, f"{name}_dequant"}) for name in names}


def _onnxruntime(job: Job, frames: Frames) -> dict[str, bytes]:
    made = onnxruntime_quantizer.u8s8(_peer(job, frames))
    return {"model.onnx": made.file.read_bytes()}


def _openvino(job: Job, frames: Frames) -> dict[str, bytes]:
    made = nncf_quantizer.default(_peer(job, frames))
    return {file.name: file.read_bytes() for file in (made.file, made.file.with_suffix(".bin"))}


def _litert(job: Job, frames: Frames) -> dict[str, bytes]:
    """AI Edge Quantizer's static recipe, weights and activations in int8, on the float file of our compiler."""
    files = _compiled("litert", onnx.load(job.model), "fp32")
    main = next(iter(files))
    tool = quantizer.Quantizer(files[main], recipe.static_wi8_ai8())
    for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        tool.update_quantization_recipe(".*", end, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE)
    ranges = tool.calibrate({None: list(frames)})
    return {**files, main: bytes(tool.quantize(ranges).quantized_model)}


def _executorch(job: Job, frames: Frames) -> dict[str, bytes]:
    """PT2E with XNNPACK's quantizer, symmetric and one scale a channel, on the torch form of the same ONNX file."""
    model = onnx.load(job.model)
    module = torch_module(model).eval()
    examples = [tuple(torch.from_numpy(array) for array in frame.values()) for frame in frames]
    with torch.no_grad():
        graph = torch.export.export(module, examples[0], strict=False).module()
        tool = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(graph, tool)
        for example in examples:
            prepared(*example)
        rounded = torch.export.export(convert_pt2e(prepared), examples[0], strict=False)
        program = to_edge_transform_and_lower(rounded, partitioner=[XnnpackPartitioner()]).to_executorch()
    main, *beside = _compiled("executorch", model, "fp32").items()
    # What lies beside the program names inputs and outputs, which are the same.
    return {main[0]: bytes(program.buffer), **dict(beside)}


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
    "executorch": _executorch,
    "litert": _litert,
    "ncnn": _ncnn,
}
