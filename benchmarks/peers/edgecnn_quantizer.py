"""edgecnn, through its public functions: INT8 as it stands, INT8 corrected, and the measured search."""

from typing import Any

import onnx

from edgecnn.compress.quantize.candidate import Bench
from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.search import Goal, search
from edgecnn.compress.quantize.simulate import outputs
from edgecnn.core.registry import resolve
from edgecnn.export.prepare import prepare
from edgecnn.export.rewrites import rewritten
from edgecnn.metrics.agreement import AgreementJudge
from peers.job import Job, Made

OPSET = 17
HELD_OUT_EVERY = 4
"""Of the calibration frames, the search judges on every fourth and fits on the others."""
FLOOR = 98.0
"""Agreement in percent that the search has to keep on the frames it judges on."""
PLAIN, CORRECTED = "plain", "corrected"


def int8(job: Job, scheme_name: str, form: str) -> Made:
    """All that a scheme takes in INT8; `form` says whether it is corrected, as it is by default."""
    scheme, model = _opened(job, scheme_name)
    corrected = form == CORRECTED
    settings = Settings("auto" if corrected else "mse", threads=job.threads, correct=corrected)
    quantized, report = quantize(model, scheme, job.frames, settings)
    return _made(job, scheme, quantized, (f"{len(report.quantized)} nodes in INT8", *report.notes))


def searched(job: Job, scheme_name: str, engine: str) -> Made:
    """As much INT8 as pays in `engine`, and no more than the floor bears."""
    scheme, model = _opened(job, scheme_name)
    held = list(job.frames[::HELD_OUT_EVERY])
    fit = [frame for i, frame in enumerate(job.frames) if i % HELD_OUT_EVERY]
    names = [value.name for value in model.graph.output]
    judge = AgreementJudge([dict(zip(names, found, strict=True)) for found in outputs(model, held, job.threads)])
    forms = {"as it came": model, **rewritten(model)}
    settings = Settings(threads=job.threads, seconds=min(30.0, job.search_s / 4))
    bench = Bench(engine, job.threads, held, judge)
    found = search(forms, scheme, fit, settings, bench, Goal(FLOOR, job.search_s))
    if found.model is None or found.report is None:
        return _made(job, scheme, model, ("FP32 is the best it found", *found.notes))
    nodes = len(found.report.quantized)
    return _made(job, scheme, found.model, (f"{nodes} nodes in INT8, judged {found.score:.1f} %", *found.notes))


def _opened(job: Job, scheme_name: str) -> tuple[Scheme, onnx.ModelProto]:
    scheme = resolve("scheme", scheme_name)
    return scheme, prepare(onnx.load(job.model), opset=max(OPSET, scheme.min_opset)).model


def _made(job: Job, scheme: Scheme, model: Any, notes: tuple[str, ...]) -> Made:
    file = job.folder / "model.onnx"
    onnx.save(model, file)
    return Made(file, (*notes, *(f"breaks a rule: {sentence}" for sentence in violations(model, scheme)[:3])))
