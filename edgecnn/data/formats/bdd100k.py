"""The BDD100K layout: Scalabel frames in long JSON lists, boxes in one file and lane markings in another.

Described at https://doc.bdd100k.com/format.html and .../download.html: `images/100k/<split>/`, boxes of 2020 in
`labels/det_20/det_<split>.json`, lanes in `labels/lane/polygons/lane_<split>.json`. The files of 2018, which hold both,
are read where those are not: `labels/bdd100k_labels_images_<split>.json`, or one file a picture in
`labels/100k/<split>/`.

Where boxes and lanes lie in two files that are both read, their frames are joined by name and the truth is a `Scene`. A
frame that only one of them names is left out: what the other would say of it is unknown, which is not the same as
nothing. With one file alone, the truth is what that holds. A frame without labels of a kind its file is about has none.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.formats.bdd100k_files import BOXES, LANES, PICTURES, Group, groups, label_files, picture
from edgecnn.data.formats.bdd100k_frames import (
    box_labels,
    decoded,
    frame_of,
    lane_labels,
    lanes_in,
    objects_in,
    size_in,
    tags_in,
)
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.json_entries import Cut, json_entries
from edgecnn.data.formats.json_list import JsonList
from edgecnn.data.formats.pictures import folder_sizes, place
from edgecnn.data.formats.table import Table, temporary_table
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Remark, Sample

_START = 1 << 16
_SPLIT = "train"


@final
class BDD100K:
    """Lane markings and boxes of one picture each."""

    name = "bdd100k"
    holds = frozenset({"lanes", "objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether a label file of `root` lies where BDD100K has it and begins with a frame."""
        return any(_is_label_file(path) for path in label_files(root)[:8])

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files of train, val and test that are there.

        Raises:
            DataError: there is none.
        """
        found = label_files(root)
        if not found:
            split = "<train|val|test>"
            raise DataError(f"{root}: neither {BOXES.format(split)} nor {LANES.format(split)} of BDD100K")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield the frames of the label files; boxes and lanes of one split are joined by name, on disk.

        Picture sizes come from the frame's `size`, else from the header of the first picture of each folder.
        """
        root = Path(root)
        for group in groups([root / name for name in labels] or self.label_files(root)):
            if group.boxes is not None and group.lanes is not None:
                yield from _joined(root, group, group.boxes, group.lanes)
            else:
                yield from _alone(root, group)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write pictures below images/100k/train, boxes as det_20 and lanes as polygons, each where it is known."""
        folder = Path(folder)
        count = 0
        boxes, lanes = JsonList(folder / BOXES.format(_SPLIT)), JsonList(folder / LANES.format(_SPLIT))
        with writing(folder), closing(boxes), closing(lanes):
            for number, sample in enumerate(samples):
                path = place(sample.image, folder / PICTURES.format(_SPLIT) / f"{number:06d}")
                _add(sample, path.name, boxes, lanes)
                count += 1
            boxes.finish()
            lanes.finish()
        return count


FORMAT = BDD100K()


@final
class _Frames:
    """Makes samples of the frames of one group; the folder of the last picture is where the next is looked for."""

    def __init__(self, root: Path, group: Group) -> None:
        self._root, self._group = root, group
        self._size_of = folder_sizes()
        self._folder: Path | None = None

    def sample(self, where: str, boxes: dict[str, Any] | None, lanes: dict[str, Any] | None) -> Sample:
        frame = boxes or lanes or {}
        path = picture(self._root, self._group.split, frame["name"], self._folder)
        self._folder = path.parent
        width, height = size_in(frame) or self._size_of(path)
        found = None if boxes is None else objects_in(boxes, width, height)
        lines = None if lanes is None else lanes_in(lanes, width, height)
        return Sample(path, _truth(lines, found), tags_in(frame) or tags_in(lanes or {}), where)


def _truth(lines: Lanes | None, found: Detections | None) -> Lanes | Detections | Scene:
    if lines is not None and found is not None:
        return Scene(lines, found)
    if lines is not None:
        return lines
    assert found is not None  # noqa: S101 - a group has a file of one kind or the other
    return found


def _alone(root: Path, group: Group) -> Iterator[Sample | Fault]:
    """Yield the frames of a group's only file."""
    frames = _Frames(root, group)
    for cut in _cuts(group):
        if isinstance(cut, Fault):
            yield cut
            continue
        try:
            frame = decoded(cut.text)
            yield frames.sample(cut.where, None if group.lanes else frame, None if group.boxes else frame)
        except DataError as error:
            yield fault_of(cut.where, error)


def _cuts(group: Group) -> Iterator[Cut | Fault]:
    path = group.both or group.boxes or group.lanes
    assert path is not None  # noqa: S101 - a group has a file
    if not group.one_picture:
        yield from json_entries(path)
        return
    try:
        yield Cut(f"{path}:1", path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error


def _joined(root: Path, group: Group, boxes: Path, lanes: Path) -> Iterator[Sample | Fault]:
    """Yield the frames that both files name, in the order of the boxes; the last one remarks on the others."""
    frames = _Frames(root, group)
    with temporary_table() as table:
        in_lanes = 0
        for fault in _laid_down(lanes, table):
            if fault is None:
                in_lanes += 1
            else:
                yield fault
        last: Sample | None = None
        joined = in_boxes = 0
        for cut in json_entries(boxes):
            entry = cut if isinstance(cut, Fault) else _pair(cut, frames, table)
            in_boxes += not isinstance(entry, Fault)
            if isinstance(entry, Fault):
                yield entry
            elif entry is not None:
                joined += 1
                if last is not None:
                    yield last
                last = entry
    if last is not None:
        yield replace(last, remarks=_left_out(boxes, in_boxes - joined, lanes, in_lanes - joined))


def _laid_down(lanes: Path, table: Table) -> Iterator[Fault | None]:
    """Keep the frames of the lane file by name; yield None for each, or what is wrong with it."""
    for cut in json_entries(lanes):
        if isinstance(cut, Fault):
            yield cut
            continue
        try:
            name = decoded(cut.text)["name"].encode()
            again = table.get(name)
            table.put([] if again else [(name, cut.where.encode() + b"\n" + cut.text)])
            yield Fault(cut.where, f"'{name.decode()}' stands twice; remove one") if again else None
        except DataError as error:
            yield fault_of(cut.where, error)


def _pair(cut: Cut, frames: _Frames, table: Table) -> Sample | Fault | None:
    """Return the joined frame, None where the lane file does not name it."""
    where = cut.where
    try:
        frame = decoded(cut.text)
        found = table.get(frame["name"].encode())
        if not found:
            return None
        lanes_where, _, text = found[0].partition(b"\n")
        sample = frames.sample(where, frame, None)
        where = lanes_where.decode()
        lines = lanes_in(decoded(text), sample.truth.width, sample.truth.height)
        assert isinstance(sample.truth, Detections)  # noqa: S101 - boxes alone were asked for
        return replace(sample, truth=Scene(lines, sample.truth))
    except DataError as error:
        return fault_of(where, error)


def _left_out(boxes: Path, without_lanes: int, lanes: Path, without_boxes: int) -> tuple[Remark, ...]:
    told = [(boxes, without_lanes, lanes), (lanes, without_boxes, boxes)]
    return tuple(
        Remark("unpaired frame", f"{count} frames of {one} are left out: {other.name} doesn't name them")
        for one, count, other in told
        if count
    )


def _add(sample: Sample, name: str, boxes: JsonList, lanes: JsonList) -> None:
    truth = sample.truth
    found = truth.objects if isinstance(truth, Scene) else truth
    lines = truth.lanes if isinstance(truth, Scene) else truth
    if not isinstance(found, Detections) and not isinstance(lines, Lanes):
        raise DataError(f"{sample.where}: this label has neither lane lines nor objects; BDD100K holds nothing else")
    if isinstance(found, Detections):
        boxes.add(frame_of(name, sample.tags, found.width, found.height, box_labels(found)))
    if isinstance(lines, Lanes):
        lanes.add(frame_of(name, sample.tags, lines.width, lines.height, lane_labels(lines)))


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_START)
    return b'"name"' in start and start.lstrip()[:1] in (b"[", b"{")
