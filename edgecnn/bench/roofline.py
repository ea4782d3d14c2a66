"""Roofline: the least a layer can take on a device, by its peak rate and its memory's bandwidth (Williams et al. 2009).

A prediction for a device that is not here. Real layers take longer; what the figures tell is which of two layers gains
more, and where multiply-adds end and memory begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from edgecnn.core.bundle import Precision
from edgecnn.core.device import Device, EngineSupport, Figure, Peak
from edgecnn.core.errors import InputError
from edgecnn.core.layers import LayerShape

BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
FASTER_THAN_FP32 = {"int8": 4.0, "fp16": 2.0}
"""How many times the rate of float32 that of a narrower type is in a vector register, where only that one is known."""


@dataclass(frozen=True)
class Rates:
    """What one unit of a device does at most, in one power mode and precision.

    Attributes:
        macs_per_ms: multiply-adds.
        bytes_per_ms: bytes to and from memory.
        number_bytes: bytes of one number.
        multiple: channels are worked in blocks of this.
    """

    macs_per_ms: float
    bytes_per_ms: float
    number_bytes: int
    multiple: int


@final
class Roofline:
    """Layer times of a device by its data sheet: the longer of computing and moving, in blocks of channels."""

    def __init__(self, rates: Rates, on: str) -> None:
        self.how: Final = "predicted"
        self.on = on
        self._rates = rates

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        """Do nothing: every time is known."""

    def time_ms(self, shape: LayerShape) -> float:
        """Return the least time of one inference of the layer in milliseconds."""
        rates, padded = self._rates, _padded(shape, self._rates.multiple)
        return max(padded.macs / rates.macs_per_ms, shape.moved * rates.number_bytes / rates.bytes_per_ms)


def roofline(device: Device, engine: str, precision: Precision, mode: str = "") -> Roofline:
    """Return the layer times of `device` in one of its engines and power modes (the default one if empty).

    Raises:
        InputError: the device has no such engine, precision or mode, or its peak or bandwidth is not known.
    """
    support = next((one for one in device.engines if one.engine == engine and precision in one.precisions), None)
    if support is None or precision not in BYTES:
        have = ", ".join(f"{one.engine} ({', '.join(one.precisions)})" for one in device.engines)
        raise InputError(f"{device.name} does not run {engine} in {precision}; it has {have}")
    chosen = device.mode(mode)
    rate = _macs_per_ms(chosen.peaks.get(support.unit), precision)
    bandwidth = chosen.bandwidth_gb_s.value
    if rate is None or bandwidth is None:
        missing = "peak rate" if rate is None else "memory bandwidth"
        raise InputError(
            f"{device.name}: the {missing} of {support.unit} in mode {chosen.name} is not known, so no time can be "
            "predicted; give layer times that were measured there"
        )
    multiple = _multiple(support, precision)
    rates = Rates(rate, bandwidth * 1e6, BYTES[precision], multiple)
    return Roofline(rates, f"{device.name}, {engine}, {precision}, mode {chosen.name}")


def _macs_per_ms(peak: Peak | None, precision: Precision) -> float | None:
    """Return multiply-adds a millisecond, from another precision's rate where only that is stated."""
    if peak is None:
        return None
    stated = {"int8": _value(peak.int8_tops), "fp16": _value(peak.fp16_tflops)}
    fp32 = [value / FASTER_THAN_FP32[name] for name, value in stated.items() if value is not None]
    if not fp32:
        return None
    # A multiply-add counts as two operations in a peak; 1e12 a second are 1e9 a millisecond.
    return (stated.get(precision) or fp32[-1] * FASTER_THAN_FP32.get(precision, 1.0)) * 1e9 / 2


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _multiple(support: EngineSupport, precision: Precision) -> int:
    values: dict[str, float | None] = {name: figure.value for name, figure in support.channel_multiple.items()}
    return int(values.get(precision) or 1)


def _padded(shape: LayerShape, multiple: int) -> LayerShape:
    """Return `shape` with its channels rounded up to whole blocks, as kernels work through them."""
    if shape.groups > 1:
        return shape
    inputs, outputs = (-(-count // multiple) * multiple for count in (shape.in_channels, shape.out_channels))
    return shape.with_channels(inputs, outputs)
