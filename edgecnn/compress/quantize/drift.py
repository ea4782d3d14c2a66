"""Drift: where the error of a quantized network is born, layer by layer, against the float network.

For each layer three results are compared (see `splice`): the float one, the quantized network's (accumulated error) and
the one where only what this layer itself reads is rounded (error at birth). What a layer's error at birth does to the
outputs is measured: the float network runs with that error added to the layer's result. A layer's share is its part of
the sum. That sum is what all layers would do if their errors were independent; signal-to-noise ratios then add
as 1/SNR = sum of 1/SNR_i (Lin, Talathi, Annapureddy, "Fixed Point Quantization of Deep Convolutional Networks", ICML
2016). How far this holds is told beside it: `parts_db` against `outputs_db`.
"""

import math
from collections.abc import Mapping

import onnx

from edgecnn.compress.quantize.drift_layers import describe
from edgecnn.compress.quantize.drift_meter import MOST_NOISE, DriftMeter
from edgecnn.compress.quantize.drift_tensors import in_db
from edgecnn.compress.quantize.simulate import Calibration, Subset
from edgecnn.core.errors import DataError
from edgecnn.core.evidence import Drift
from edgecnn.core.progress import bar


def measure_drift(
    float_model: onnx.ModelProto,
    quantized: onnx.ModelProto,
    calibration: Calibration,
    *,
    frames: int = 8,
    threads: int = 2,
    probes: int = 2,
    seconds: float = 20.0,
    left_in_float: Mapping[str, str] | None = None,
    layer_ms: Mapping[str, float] | None = None,
) -> Drift:
    """Return where the error of `quantized` is born.

    Both models run as their graphs are written, Q/DQ in float. Layers are paired by the names of their results; what
    the quantized model has in no comparable form is listed and left out. SNRs of large tensors are taken over a
    sample of their values. Memory does not grow with the calibration.

    Args:
        float_model: the float network that was quantized, shapes static, at the same opset as `quantized`; where
            channels were equalized before, the equalized form, whose values inside are the ones that were rounded.
        quantized: its QDQ form.
        calibration: the inputs by name, one frame each.
        frames: how many of them are compared, evenly spread.
        threads: threads of ONNX Runtime.
        probes: on how many of the frames each layer's error is followed to the outputs; with 0 shares are predicted.
        seconds: about the most that this may take: a network too slow for it gets fewer probes, or none.
        left_in_float: why nodes stay in float, by node name.
        layer_ms: what nodes take on the target, by node name, in ms.

    Raises:
        InputError: the models are of different opsets.
        DataError: there is no frame.
        EngineError: ONNX Runtime refused a model or a frame.
    """
    sampled = list(Subset(calibration, frames))
    if not sampled:
        raise DataError("the drift report needs at least one calibration frame")
    meter = DriftMeter(float_model, quantized, threads, probes, seconds)
    with bar("drift", len(sampled) * meter.groups) as shown:
        meter.count(sampled, shown.advance)
    noise, shares = meter.shares()
    layers, unmatched = describe(
        float_model, meter, shares, meter.weights(sampled[0]), left_in_float or {}, layer_ms or {}
    )
    return Drift(
        frames=len(sampled),
        layers=layers,
        tensors={name: one.result() for name, one in meter.activations.items()},
        outputs_db={name: in_db(meter.accumulated[name]) for name in meter.outputs if name in meter.accumulated},
        shares="predicted" if noise is None else "measured",
        parts_db=None if noise is None else -10 * math.log10(min(max(noise, 1 / MOST_NOISE), MOST_NOISE)),
        unmatched=unmatched,
    )
