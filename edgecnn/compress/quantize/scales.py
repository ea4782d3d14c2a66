"""Scales: from the range chosen for each group of tensors to the number format they are stored in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.placement import Scale
from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.ranges import scale_and_zero
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.trials import Choice, Group
from edgecnn.core.evidence import QuantizedTensor


@dataclass(frozen=True, slots=True)
class ChosenScale:
    """A tensor's scale, and the record of how it was come by."""

    scale: Scale
    evidence: QuantizedTensor


def groups_of(plan: Plan, scheme: Scheme, histograms: Mapping[str, Histogram]) -> list[Group]:
    """Return the plan's tensors that share a scale, with the format of each group; exact pixels are left out."""
    found = []
    for group in plan.groups():
        if group[0] in plan.pixels:
            continue
        nonnegative = all(histograms[name].seen_min >= 0 for name in group)
        found.append(Group(tuple(group), scheme.nonnegative if nonnegative else scheme.activation))
    return found


def choose_scales(
    plan: Plan, scheme: Scheme, histograms: Mapping[str, Histogram], range_of: Callable[[Group], Choice]
) -> dict[str, ChosenScale]:
    """Return a scale for every tensor of the plan; tensors of one group get one."""
    chosen = {}
    for name, pixels in plan.pixels.items():
        low, high = -float(pixels.mean), 255.0 - pixels.mean
        record = QuantizedTensor(low, high, 1.0, pixels.zero_point, low, high, "exact pixels")
        chosen[name] = ChosenScale(Scale(np.float32(1), pixels.zero_point, pixels.dtype), record)
    for group in groups_of(plan, scheme, histograms):
        choice = range_of(group)
        scale, zero = scale_and_zero(choice.low, choice.high, group.form)
        for name in group.tensors:
            seen = histograms[name]
            record = QuantizedTensor(
                choice.low, choice.high, float(scale), zero, seen.seen_min, seen.seen_max, choice.method
            )
            chosen[name] = ChosenScale(Scale(scale, zero, group.form.dtype), record)
    return chosen
