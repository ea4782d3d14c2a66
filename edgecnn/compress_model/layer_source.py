"""Where layer times come from: a table measured here, one that was measured on a device, or a device's data sheet."""

from pathlib import Path

from edgecnn.bench.roofline import roofline
from edgecnn.compress_model.layer_table import LayerTable
from edgecnn.compress_model.stopwatch import Stopwatch
from edgecnn.core.bundle import Precision
from edgecnn.core.device import Device, load_device
from edgecnn.core.errors import InputError
from edgecnn.core.layer_times import LayerTimes, RecordedTimes, read_times

NARROW_FIRST: tuple[Precision, ...] = ("int8", "fp16", "fp32")


def here(stopwatch: Stopwatch, folder: Path | None = None, seconds: float = 120.0) -> LayerTimes:
    """Return the times of layers on this machine, which are measured when they are asked for, for `seconds` at most."""
    return LayerTable(stopwatch, folder, seconds)


def elsewhere(source: str, precision: Precision | None = None) -> LayerTimes:
    """Return the times of layers on a device that is not here.

    `source` is a JSON file of layer times that was measured there, or `device/engine`, `device/engine/mode` for a
    prediction from the device's peak rate and bandwidth, for instance `jetson-orin-nx-16gb/tensorrt/25W`. Without a
    `precision` it is the file's, or the narrowest that the engine has.

    Raises:
        InputError: there is no such file, device, engine or mode, the file holds another precision, or the device's
            rates are not known.
    """
    if is_table(source):
        file = read_times(Path(source))
        if precision not in {None, file.place.precision}:
            raise InputError(f"{source}: its layer times are of {file.place.precision}, and {precision} is asked for")
        return RecordedTimes(file)
    name, _, rest = source.partition("/")
    engine, _, mode = rest.partition("/")
    if not engine:
        raise InputError(f"'{source}': give a JSON file of layer times, or device/engine such as {name}/tensorrt")
    device = load_device(name)
    return roofline(device, engine, precision or _narrowest(device, engine), mode)


def is_table(source: str) -> bool:
    """Return whether `source` names a file of layer times, and no device."""
    return source.endswith(".json")


def _narrowest(device: Device, engine: str) -> Precision:
    have = {precision for support in device.engines if support.engine == engine for precision in support.precisions}
    return next((precision for precision in NARROW_FIRST if precision in have), "fp32")
