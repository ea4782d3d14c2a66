"""NNCF for OpenVINO: `nncf.quantize` on the model as OpenVINO reads it, and all frames as the subset."""

import logging

import nncf
import openvino

from peers.job import Job, Made


def default(job: Job) -> Made:
    """NNCF's own choice of preset."""
    return _quantize(job, None)


def mixed_preset(job: Job) -> Made:
    """Asymmetric activations, as recommended where activations go below zero."""
    return _quantize(job, nncf.QuantizationPreset.MIXED)


def _quantize(job: Job, preset: nncf.QuantizationPreset | None) -> Made:
    nncf.set_log_level(logging.ERROR)
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": job.threads})
    model = core.read_model(job.model)
    dataset = nncf.Dataset(list(job.frames))
    quantized = nncf.quantize(model, dataset, preset=preset, subset_size=len(job.frames))
    file = job.folder / "model.xml"
    openvino.save_model(quantized, file, compress_to_fp16=False)
    return Made(file)
