"""Bias correction: take the mean error of each channel out of its layer's bias."""

from dataclasses import replace

import onnx

from edgecnn.compress.quantize.correction.rounding import Budget, Fitted, reconstruct
from edgecnn.compress.quantize.simulate import Calibration, Subset, output_error, outputs


def correct_biases(
    float_model: onnx.ModelProto, quantized: onnx.ModelProto, calibration: Calibration, budget: Budget
) -> tuple[onnx.ModelProto, list[Fitted]]:
    """Return `quantized` with shifted biases, and what was done to each layer.

    Each layer's mean output a channel is brought to the float network's, by real frames and in the graph's order, so
    that a layer is not corrected for what was mended before it (Nagel et al. 2019, arXiv 1906.04721, section 4.2,
    measures the same mean). A layer without bias stays as it is. Both models stay as they were.

    Raises:
        DataError: there is no calibration frame.
        EngineError: ONNX Runtime refused a model or a frame.
    """
    return reconstruct(float_model, quantized, calibration, replace(budget, weights=False))


def better_of(
    float_model: onnx.ModelProto,
    models: dict[str, onnx.ModelProto],
    calibration: Calibration,
    *,
    frames: int = 8,
    threads: int = 2,
) -> tuple[str, dict[str, float]]:
    """Return the name of the model whose outputs are nearest to the float model's, and each one's relative error.

    Over `frames` frames of `calibration`, which had better be others than the models were corrected with.
    """
    chosen = list(Subset(calibration, frames, start=1 if len(calibration) > 1 else 0))
    reference = outputs(float_model, chosen, threads)
    errors = {name: output_error(reference, outputs(model, chosen, threads)) for name, model in models.items()}
    return min(errors, key=lambda name: errors[name]), errors
