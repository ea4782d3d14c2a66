"""Move a data set from one format to another, and say what did not come along."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecnn.core import atomic
from edgecnn.core.errors import DataError, InputError
from edgecnn.data.formats.format import Format, read
from edgecnn.data.lost import lost
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import Sample


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was done: from which format, how many pictures, and what the target can't hold, in a few words each."""

    source: str
    target: str
    frames: int
    lost: tuple[str, ...]


def convert(
    root: Path,
    out: Path,
    target: Format,
    form: str | None = None,
    labels: tuple[str, ...] = (),
    *,
    reach: Callable[[int], None] | None = None,
) -> Conversion:
    """Write the data set in `root` to the new folder `out` in another format.

    Pictures keep their bytes where the target has their type: they are linked where both folders lie on one disk, and
    copied where not. `out` appears when all of it is written. What was lost is found by reading both sets.

    Args:
        root: folder of the data set.
        out: a folder that is not there, or empty.
        target: the format to write.
        form: the format it is in; by default the one that recognises it.
        labels: label files relative to `root`; by default all of them.
        reach: called with the number of pictures done.

    Raises:
        InputError: `out` holds something.
        DataError: a label is broken, or the formats have nothing in common.
    """
    source = recognise(root, form)
    if not source.holds & target.holds:
        held, wanted = " and ".join(sorted(source.holds)), " and ".join(sorted(target.holds))
        raise DataError(f"{source.name} holds {held}, {target.name} {wanted}; nothing of one can be told in the other")
    must_be_free(out)
    with atomic.new_folder(out) as partial:
        frames = target.write(partial, _counted(read(source.name, root, labels), reach))
        if not frames:
            raise DataError(f"{root}: the label files hold no entry to convert")
        gone = lost(zip(read(source.name, root, labels), read(target.name, partial), strict=False))
    return Conversion(source.name, target.name, frames, tuple(gone))


def must_be_free(folder: Path) -> None:
    """Raise `InputError` when `folder` holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not an empty folder; name a new one")


def _counted(samples: Iterator[Sample], reach: Callable[[int], None] | None) -> Iterator[Sample]:
    for done, sample in enumerate(samples, 1):
        yield sample
        if reach is not None:
            reach(done)
