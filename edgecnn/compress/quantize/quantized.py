"""A quantized model as it comes out, of a search or of quantizing all at once, and the record of it for the bundle."""

from dataclasses import dataclass, field

import onnx

from edgecnn.compress.quantize.drift import measure_drift
from edgecnn.compress.quantize.quantize import Quantizer, QuantizeReport, Settings
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.search import Found
from edgecnn.compress.quantize.simulate import Calibration
from edgecnn.core.evidence import QuantizedModel, Trial, UnitDecision


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantized model, the float form it was made of, how it was made, and what a search found on the way."""

    model: onnx.ModelProto
    form: onnx.ModelProto
    report: QuantizeReport
    decisions: dict[str, UnitDecision] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()


def quantized_whole(model: onnx.ModelProto, scheme: Scheme, calibration: Calibration, settings: Settings) -> Quantized:
    """Quantize all that the scheme takes and the settings allow; raises as `quantize` does."""
    quantizer = Quantizer(model, scheme, calibration, settings)
    made, report = quantizer.finish(quantizer.fitted())
    return Quantized(made, quantizer.bench.model, report)


def quantized_found(found: Found) -> Quantized | None:
    """Return what a search ended with; None where FP32 is the best that is honest."""
    if found.model is None or found.form is None or found.report is None:
        return None
    return Quantized(found.model, found.form, found.report, found.decisions, found.trials)


def record(
    made: Quantized, frames: Calibration, *, target: str, file: str, scheme: str, ranges: str, threads: int
) -> QuantizedModel:
    """Return the record of `made`, drift and all, for the model `file`; drift is measured on a few of `frames`.

    Raises:
        DataError: there is no frame.
        EngineError: ONNX Runtime refused a model or a frame.
    """
    report = made.report
    # Against the float form that was quantized: equalization scales values inside, and names alone would not tell.
    drift = measure_drift(made.form, made.model, frames, threads=threads, left_in_float=report.left_in_float)
    return QuantizedModel(
        target=target,
        file=file,
        scheme=scheme,
        ranges=ranges,
        frames=report.frames,
        quantized=report.quantized,
        left_in_float=report.left_in_float,
        tensors=report.tensors,
        drift=drift,
        decisions=made.decisions,
        trials=made.trials,
        notes=report.notes,
    )
