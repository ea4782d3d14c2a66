"""Label files of Caltech's videos from samples, one video at a time."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
from scipy.io import savemat

from edgecnn.data.formats.pictures import place
from edgecnn.data.sample import Sample

Record = dict[str, Any]

_NAME: Final = re.compile(r"set(\d\d)_V(\d\d\d)_I(\d{5})")
_LENGTH: Final = 1800
_VERSION: Final = 1.4
_MOST_IDS: Final = 10**5
_FIELDS: Final = ("id", "pos", "occl", "lock", "posv")


class _Place(NamedTuple):
    part: int
    video: int
    frame: int


@final
class VideoWriter:
    """Takes samples, gives each a place in a video, and writes a video's labels when the next one begins.

    Attributes:
        count: how many samples it took.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.count = 0
        self._folder, self._step = folder, step
        self._frames: dict[int, list[Record]] = {}
        self._last = _Place(0, -1, _LENGTH)

    def add(self, sample: Sample, records: list[Record]) -> None:
        """Place one picture and keep its objects until its video is full."""
        wanted = _wanted(sample)
        if wanted is None or wanted <= self._last:
            wanted = self._after()
        if self._frames and wanted[:2] != self._last[:2]:
            self.close()
        self._last = wanted
        name = f"set{wanted.part:02d}_V{wanted.video:03d}_I{wanted.frame:05d}"
        place(sample.image, self._folder / "images" / name)
        self._frames[wanted.frame] = records
        self.count += 1

    def close(self) -> None:
        """Write the labels of the video at hand, if there is one."""
        if self._frames:
            path = self._folder / "annotations" / f"set{self._last.part:02d}" / f"V{self._last.video:03d}.vbb"
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".part")
            savemat(scratch, {"A": _annotation(self._frames), "vers": _VERSION}, appendmat=False)
            scratch.replace(path)
        self._frames = {}

    def _after(self) -> _Place:
        """Return the next place after the last one."""
        part, video, frame = self._last
        following = (frame // self._step + 1) * self._step + self._step - 1
        if self._frames and following < _LENGTH:
            return _Place(part, video, following)
        return _Place(part + (video + 1) // 1000, (video + 1) % 1000, self._step - 1)


def _wanted(sample: Sample) -> _Place | None:
    """Return the place that a picture's own name gives it, None where it has none."""
    image = sample.image
    found = _NAME.fullmatch(image.stem)
    if found is None:
        # A frame of a video, or of a folder of one.
        found = _NAME.fullmatch(f"{image.parent.parent.name}_{image.parent.stem}_{image.stem}")
    return _Place(*map(int, found.groups())) if found else None


def _annotation(frames: dict[int, list[Record]]) -> dict[str, Any]:
    """Return the struct `A` of one video."""
    count = max(frames) + 1
    words: dict[int, str] = {}
    spans: dict[int, list[int]] = {}
    lists = np.empty((1, count), np.object_)
    for number in range(count):
        lists[0, number] = np.zeros((0, 0))
    for number, records in sorted(frames.items()):
        taken: set[int] = set()
        for record in records:
            record["id"] = _identity(record, words, taken)
            taken.add(record["id"])
            words[record["id"]] = record["lbl"]
            spans.setdefault(record["id"], [number + 1, number + 1])[1] = number + 1
        if records:
            lists[0, number] = _structs(records)
    most = max(words, default=0)
    labels = np.empty((1, most), np.object_)
    for key in range(1, most + 1):
        labels[0, key - 1] = words.get(key, np.zeros((0, 0)))
    ends = [[spans.get(key, [-1, -1])[end] for key in range(1, most + 1)] for end in (0, 1)]
    return {
        "nFrame": float(count),
        "objLists": lists,
        "maxObj": float(most),
        "objInit": np.array([[float(key in words) for key in range(1, most + 1)]]),
        "objLbl": labels,
        "objStr": np.array([ends[0]], np.float64),
        "objEnd": np.array([ends[1]], np.float64),
        "objHide": np.zeros((1, most)),
        "altered": 0.0,
        "log": 0.0,
        "logLen": 0.0,
    }


def _identity(record: Record, words: dict[int, str], taken: set[int]) -> int:
    """Return the object's own id where it is free, or of an object of this label; else the next one."""
    own = record["id"]
    if (
        isinstance(own, int)
        and 1 <= own <= 10**5
        and own not in taken
        and words.get(own, record["lbl"]) == record["lbl"]
    ):
        return own
    return max([0, *words]) + 1


def _structs(records: list[Record]) -> Any:
    made = np.empty((1, len(records)), [(field, np.object_) for field in _FIELDS])
    for number, record in enumerate(records):
        made[0, number] = tuple(np.atleast_2d(np.array(record[field], np.float64)) for field in _FIELDS)
    return made
