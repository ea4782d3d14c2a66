"""edgecnn, through its public functions."""

import onnx

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import resolve
from edgecnn.export.prepare import prepare
from peers.job import Job, Made

OPSET = 17


def plain(job: Job, scheme_name: str) -> Made:
    """INT8 by a scheme, no search."""
    scheme = resolve("scheme", scheme_name)
    prepared = prepare(onnx.load(job.model), opset=max(OPSET, scheme.min_opset))
    model, report = quantize(prepared.model, scheme, job.frames, Settings(threads=job.threads))
    file = job.folder / "model.onnx"
    onnx.save(model, file)
    broken = [f"breaks a rule: {sentence}" for sentence in violations(model, scheme)[:3]]
    return Made(file, (f"{len(report.quantized)} nodes in INT8", *broken))
