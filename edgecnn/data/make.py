"""Synthetic road scenes in any format."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from edgecnn.core import atomic
from edgecnn.core.errors import InputError
from edgecnn.data.convert import must_be_free
from edgecnn.data.formats.format import Format, read
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.write import write_scenes

NATIVE = "scenes"


def make(
    folder: Path,
    scenes: RoadScenes,
    count: int,
    form: Format,
    *,
    workers: int = 2,
    reach: Callable[[int], None] | None = None,
) -> None:
    """Draw scenes 0 to `count` - 1 and write them to the new folder `folder`, which appears when all are there.

    They are drawn in edgecnn's own format, in a folder beside that is gone afterwards, and pass into another without
    being encoded again.

    Args:
        folder: a folder that is not there, or empty.
        scenes: what to draw.
        count: number of scenes, >= 1.
        form: the format to write.
        workers: processes that draw.
        reach: called with the number of scenes drawn.

    Raises:
        InputError: `folder` holds something, or the format holds only objects and these scenes label none.
        DataError: the folder can't be written to, or a process was killed.
    """
    if "lanes" not in form.holds and not scenes.people:
        raise InputError(f"{form.name} holds objects and these scenes have none; draw people, too (--people)")
    must_be_free(folder)

    def draw(into: Path) -> None:
        write_scenes(into, scenes, count, workers=workers, progress=lambda done, _: reach(done) if reach else None)

    with atomic.new_folder(folder) as partial:
        if form.name == NATIVE:
            draw(partial)
            return
        with TemporaryDirectory(prefix=f".{folder.name}.", suffix=".drawn", dir=folder.parent) as drawn:
            draw(Path(drawn))
            form.write(partial, read(NATIVE, Path(drawn)))
