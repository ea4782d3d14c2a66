"""The lists of a CULane set that is written: complete, or not there."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO, final

MASKS = "laneseg_label_w16"
TAGS = ("normal", "crowd", "hlight", "shadow", "noline", "arrow", "curve", "cross", "night")
"""The conditions of CULane's test pictures, in the order of its lists."""


@final
class Lists:
    """Takes one picture after the other."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder, self._files = folder, files
        self._open: dict[str, TextIO] = {}

    def add(self, name: str, there: Sequence[bool], tags: Sequence[str]) -> None:
        """List the picture `name`, which of its four lines are there, and those of its tags that are CULane's."""
        mask = f"/{MASKS}/{name.rpartition('.')[0]}.png"
        flags = " ".join(str(int(flag)) for flag in there)
        self._write("train_gt.txt", f"/{name} {mask} {flags}")
        self._write("train.txt", f"/{name}")
        for tag in tags:
            if tag in TAGS:
                self._write(f"test_split/test{TAGS.index(tag)}_{tag}.txt", name)

    def finish(self) -> None:
        """Give every list its name."""
        for name, file in self._open.items():
            file.flush()
            os.fsync(file.fileno())
            (self._folder / f"{name}.part").replace(self._folder / name)

    def _write(self, name: str, line: str) -> None:
        if name not in self._open:
            path = self._folder / f"{name}.part"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[name] = self._files.enter_context(path.open("w", encoding="utf-8"))
        self._open[name].write(line + "\n")


@contextmanager
def open_lists(folder: Path) -> Iterator[Lists]:
    """Yield the lists to be written to `folder`; they get their names once the block ends without an error."""
    with ExitStack() as files:
        lists = Lists(folder, files)
        yield lists
        lists.finish()
