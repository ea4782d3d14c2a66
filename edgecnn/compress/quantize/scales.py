"""Scales: from what was seen of each tensor to the number format it is stored in."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.ranges import Method, find_range, scale_and_zero, widen
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.core.evidence import QuantizedTensor


@dataclass(frozen=True, slots=True)
class ChosenScale:
    """A tensor's scale, zero point and stored type, and the record of how they were come by."""

    scale: np.float32
    zero_point: int
    dtype: str
    evidence: QuantizedTensor


def choose_scales(
    plan: Plan, scheme: Scheme, histograms: Mapping[str, Histogram], method: Method
) -> dict[str, ChosenScale]:
    """Return a scale for every tensor of the plan; tensors of one group get one."""
    chosen = {}
    for group in plan.groups():
        if group[0] in plan.pixels:
            pixels = plan.pixels[group[0]]
            low, high = -float(pixels.mean), 255.0 - pixels.mean
            record = QuantizedTensor(low, high, 1.0, pixels.zero_point, low, high)
            chosen[group[0]] = ChosenScale(np.float32(1), pixels.zero_point, pixels.dtype, record)
            continue
        nonnegative = all(histograms[name].seen_min >= 0 for name in group)
        form = scheme.nonnegative if nonnegative else scheme.activation
        spans = [find_range(histograms[name], method, form) for name in group]
        low, high = widen(min(low for low, _ in spans), max(high for _, high in spans), form)
        scale, zero = scale_and_zero(low, high, form)
        for name in group:
            seen = histograms[name]
            record = QuantizedTensor(low, high, float(scale), zero, seen.seen_min, seen.seen_max)
            chosen[name] = ChosenScale(scale, zero, form.dtype, record)
    return chosen
