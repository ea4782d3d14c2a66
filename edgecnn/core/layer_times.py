"""Layer times: how long layer shapes take on one engine, machine, thread count and precision, measured or predicted."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol, final

import msgspec

from edgecnn.core.bundle import Precision
from edgecnn.core.errors import InputError
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import How


class LayerTimes(Protocol):
    """Where the times of layers come from."""

    @property
    def how(self) -> How:
        """`measured`, or `predicted` from a device's data sheet."""
        ...

    @property
    def on(self) -> str:
        """Engine, machine and precision in words."""
        ...

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        """Find out the times of `shapes`, the first ones first, as far as the time for that goes."""
        ...

    def time_ms(self, shape: LayerShape) -> float | None:
        """Return the time of a layer in milliseconds, None where it is not known."""
        ...


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What layer times hold for; times of one place say nothing of another."""

    engine: str
    version: str
    machine: str
    threads: int
    precision: Precision

    def text(self) -> str:
        """Return e.g. `openvino 2026.4.1, fp32, 2 threads, AMD EPYC, 2 cores`."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.engine} {self.version}, {self.precision}, {threads}, {self.machine}"


class LayerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One timed layer: its time in microseconds at the file's pace, over `n` interleaved rounds."""

    shape: LayerShape
    time_us: float
    n: int


class TimesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Layer times as they lie on disk, and as they come from a device where they were measured.

    Machines have their slow minutes, so layers are timed against a reference network in the same rounds. `pace_us` is
    what that took in the first of all races: times hold for a machine as fast as then.
    """

    place: Place
    pace_us: float
    records: tuple[LayerRecord, ...]


@final
class RecordedTimes:
    """Layer times that were measured before, perhaps on another machine; nothing is added to them."""

    def __init__(self, file: TimesFile) -> None:
        self.how: Final = "measured"
        self.on = file.place.text()
        self._times = {record.shape: record.time_us / 1000 for record in file.records}

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        """Do nothing: what was not measured there stays unknown."""

    def time_ms(self, shape: LayerShape) -> float | None:
        """Return the recorded time in milliseconds."""
        return self._times.get(shape)


def read_times(path: Path) -> TimesFile:
    """Return the layer times in the JSON file at `path`.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=TimesFile)
    except OSError as error:
        raise InputError(f"{path}: no layer times can be read: {error.strerror}") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: these are no layer times of edgecnn ({error}); measure them again") from error
