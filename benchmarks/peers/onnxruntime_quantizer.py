"""ONNX Runtime's `quantize_static`, behind its pre-processing, with the options documented for each use."""

from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from peers.job import Job, Made

OLDEST_OPSET = 13
"""Per-channel Q/DQ needs it; on an older file `quantize_static` writes an invalid graph."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, job: Job) -> None:
        self._frames = iter(job.frames)

    def get_next(self) -> Any:
        """Return the next frame, None at the end."""
        frame = next(self._frames, None)
        return None if frame is None else dict(frame)


def u8s8(job: Job) -> Made:
    """For x86 with VNNI: uint8 activations, int8 weights, one scale a channel."""
    return _quantize(job, QuantType.QUInt8, {})


def s8s8(job: Job) -> Made:
    """Symmetric int8 for both, as GPUs and NPUs ask for."""
    return _quantize(job, QuantType.QInt8, {"ActivationSymmetric": True, "WeightSymmetric": True})


def tensorrt_recipe(job: Job) -> Made:
    """The options of ONNX Runtime's TensorRT example: symmetric, float weights behind Q and DQ, float bias."""
    options = {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "AddQDQPairToWeight": True,
        "QuantizeBias": False,
        "DedicatedQDQPair": True,
        "OpTypesToExcludeOutputQuantization": ["Conv", "ConvTranspose", "Gemm", "MatMul"],
        "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1, "ConvTranspose": 1},
    }
    return _quantize(job, QuantType.QInt8, options)


def _quantize(job: Job, activation: QuantType, options: dict[str, Any]) -> Made:
    source, notes = _prepared(job)
    file = job.folder / "model.onnx"
    quantize_static(
        source,
        file,
        _Reader(job),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=activation,
        weight_type=QuantType.QInt8,
        extra_options=options,
    )
    onnx.checker.check_model(onnx.load(file))
    return Made(file, notes)


def _prepared(job: Job) -> tuple[Path, tuple[str, ...]]:
    notes: list[str] = []
    source, model = job.model, onnx.load(job.model)
    opset = next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"})
    if opset < OLDEST_OPSET:
        source = job.folder / "converted.onnx"
        onnx.save(onnx.version_converter.convert_version(model, 17), source)
        notes.append(f"opset {opset} converted to 17")
    target = job.folder / "prepared.onnx"
    try:
        quant_pre_process(source, target)
    except Exception as error:  # noqa: BLE001 - a crash of a peer is a finding
        notes.append(f"quant_pre_process crashed: {' '.join(str(error).split())[:80]}")
        return source, tuple(notes)
    return target, tuple(notes)
