"""A device as lines of text: every figure with its unit and how far it can be trusted."""

from collections.abc import Iterator
from typing import Any

from edgecnn.core.device import Device, EngineSupport, PowerMode


def describe(device: Device) -> Iterator[str]:
    """Yield what is known of `device`, line by line."""
    yield f"{device.name}: {device.title}"
    if device.note:
        yield device.note
    for section in ("cpu", "gpu", "dla", "npu", "memory", "software"):
        part = getattr(device, section)
        rows = [] if part is None else list(_figures(part))
        if rows:
            yield section
        yield from (f"  {name:<20}{figure.text()}" for name, figure in rows)
    yield "engines"
    for support in device.engines:
        yield from _engine(support)
    yield "power modes"
    for mode in device.modes:
        yield from _mode(mode)


def engines(device: Device) -> list[str]:
    """Return e.g. `tensorrt/gpu`, one text an engine and unit."""
    return [f"{support.engine}/{support.unit}" for support in device.engines]


def _engine(support: EngineSupport) -> Iterator[str]:
    minimum = f", from {support.minimum.text()}" if support.minimum else ""
    note = f" [{support.note}]" if support.note else ""
    yield f"  {support.engine} on {support.unit}: {', '.join(support.precisions)}{minimum}{note}"
    for precision, multiple in support.channel_multiple.items():
        yield f"    {precision}: multiples of {multiple.text()}"


def _mode(mode: PowerMode) -> Iterator[str]:
    yield f"  {mode.name}{' (default)' if mode.default else ''}"
    yield from (f"    {name:<22}{figure.text()}" for name, figure in _figures(mode))
    for unit, peak in mode.peaks.items():
        yield from (f"    {unit + ' ' + name:<22}{figure.text()}" for name, figure in _figures(peak))


def _figures(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield the figures and facts right below a struct; a field left out is a thing the board does not have."""
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if value is not None and not isinstance(value, str | bool | dict):
            yield name, value
