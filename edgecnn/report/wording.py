"""Figures and names in words: never a bare number, never more digits than the interval allows."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from edgecnn.core.bundle import Precision
from edgecnn.core.measure import Measurement
from edgecnn.report.blocks import Cell, Status

ENGINES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "tensorrt": "TensorRT", "ncnn": "ncnn"}
TIMES = "\N{MULTIPLICATION SIGN}"
UNKNOWN = Cell("unknown", "not measured")
_MAX_DIGITS = 4
_UNITS = frozenset({"ms", "us", "mib", "pct", "frames"})


def digits_of(value: float, low: float | None, high: float | None, unit: str = "") -> int:
    """Return how many decimals a value deserves: one or two digits of its interval's half width, at most three in all.

    Percent may have more than three digits in all: near 100 the differences stand further back.
    """
    half = 0.0 if low is None or high is None else abs(high - low) / 2
    most = 2 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else _MAX_DIGITS
    if half > 0 and math.isfinite(half):
        exponent = math.floor(math.log10(half))
        # Two digits where the first would be a 1 or 2, as the Particle Data Group rounds.
        wanted = -exponent + (half / 10**exponent < 3)
        wanted = wanted if unit == "%" else min(wanted, most)
    else:
        wanted = most if value else 1
    return int(min(max(wanted, 0), _MAX_DIGITS))


def number(value: float, digits: int) -> str:
    """Return a decimal with a true minus sign; a rounded zero has none."""
    text = f"{value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def scaled(measurement: Measurement, factor: float, unit: str) -> Measurement:
    """Return the measurement in another unit."""
    low, high = (None if bound is None else bound * factor for bound in (measurement.low, measurement.high))
    return msgspec.structs.replace(measurement, value=measurement.value * factor, low=low, high=high, unit=unit)


def share(measurement: Measurement) -> Measurement:
    """Return a figure without a unit as percent, so that one point of a drop is one of its own; others as they are."""
    return measurement if measurement.unit else scaled(measurement, 100.0, "%")


def value_text(measurement: Measurement) -> str:
    """Return value and unit, e.g. `95.1 %`."""
    digits = digits_of(measurement.value, measurement.low, measurement.high, measurement.unit)
    return number(measurement.value, digits) + _unit(measurement.unit)


def interval_text(measurement: Measurement) -> str:
    """Return e.g. `[94.4, 95.8]`, or say that there is none."""
    low, high = measurement.low, measurement.high
    if low is None or high is None:
        return "no interval"
    digits = digits_of(measurement.value, low, high, measurement.unit)
    return f"[{number(low, digits)}, {number(high, digits)}]"


def phrase(measurement: Measurement) -> str:
    """Return value, unit and interval for a sentence: `95.1 % [94.4, 95.8]`."""
    interval = interval_text(measurement)
    return f"{value_text(measurement)} {interval if interval.startswith('[') else f'({interval})'}"


def cell(measurement: Measurement | None) -> Cell:
    """Return a figure with its interval, count and origin; an absent one says so."""
    if measurement is None:
        return UNKNOWN
    status: Status = "none" if measurement.how == "measured" else "warn"
    origin = f"n {measurement.n:,}, {measurement.how}"
    return Cell(value_text(measurement), f"{interval_text(measurement)}\n{origin}", status)


def how_told(measurements: Mapping[str, Measurement]) -> str:
    """Return how intervals and figures were come by, each distinct saying once."""
    methods = dict.fromkeys(m.method for m in measurements.values() if m.method and m.low is not None)
    levels = dict.fromkeys(f"{100 * m.confidence:g} %" for m in measurements.values() if m.low is not None)
    intervals = f"Brackets hold the {' or '.join(levels)} interval" if levels else "No interval could be given"
    return f"{intervals} ({'; '.join(methods)})." if methods else f"{intervals}."


def artefact_title(engine: str, precision: Precision | str) -> str:
    """Return e.g. `INT8 on OpenVINO`."""
    return f"{precision.upper()} on {ENGINES.get(engine, engine)}"


def bytes_text(size_bytes: float) -> str:
    """Return a size in the nearest decimal unit."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{number(size_bytes / scale, 2 if size_bytes < 10 * scale else 1)} {unit}"
    return f"{size_bytes:.0f} B"


def plain(value: Any) -> str:
    """Return any builtin as one short readable text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    return str(value)


def words(key: str) -> str:
    """Return a key such as `cold_load_ms` as words, its unit left to the figure."""
    stem, _, unit = key.rpartition("_")
    return (stem if stem and unit in _UNITS else key).replace("_", " ")


def _unit(unit: str) -> str:
    return {"": "", "x": TIMES, TIMES: TIMES, "us": " \N{MICRO SIGN}s"}.get(unit, f" {unit}")
