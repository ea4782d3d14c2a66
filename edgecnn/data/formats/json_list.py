"""A JSON list written entry by entry, one a line, that has its name only when it is whole."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO, final


@final
class JsonList:
    """A list in the file `<path>.part` until `finish`; without an entry there is no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._file: TextIO | None = None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write one entry behind the others."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("w", encoding="utf-8")
            self._file.write("[\n")
        else:
            self._file.write(",\n")
        self._file.write(json.dumps(entry))

    def finish(self) -> None:
        """Close the list and give the file its name."""
        if self._file is not None:
            self._file.write("\n]\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._path)

    def close(self) -> None:
        """Close the file, finished or not."""
        if self._file is not None:
            self._file.close()
