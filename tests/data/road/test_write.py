"""Scenes on disk: read back as drawn, the same whatever the number of processes, never half there."""

import json
import os

import cv2
import numpy as np
import pytest

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Lanes, Scene
from edgecnn.data.formats.format import read
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.write import LABEL_FILE, write_scenes, write_tusimple
from edgecnn.data.sample import read_image

SCENES = RoadScenes(13, 160, 96)
PEOPLE = RoadScenes(13, 160, 96, ("square",), people=True)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_is_written_is_read_back_rounded(tmp_path):
    write_tusimple(tmp_path, SCENES, 6, start=998, workers=1)
    samples = list(read("tusimple", tmp_path))
    assert [sample.image.relative_to(tmp_path).as_posix() for sample in samples][1:3] == [
        "clips/0000/000999.jpg",
        "clips/0001/001000.jpg",
    ]
    for index, sample in enumerate(samples, 998):
        scene = SCENES.scene(index)
        assert sample.tags == scene.tags
        assert np.array_equal(sample.truth.rows, scene.lanes.rows)
        assert len(sample.truth.lines) == len(scene.lanes.lines)
        for back, drawn in zip(sample.truth.lines, scene.lanes.lines, strict=True):
            assert np.array_equal(back[:, 1], drawn[:, 1])
            assert np.abs(back[:, 0] - drawn[:, 0]).max() <= 0.5
        image = read_image(sample.image)
        assert np.abs(image.astype(int) - scene.image).mean() < 12


def test_processes_change_nothing(tmp_path):
    write_tusimple(tmp_path / "one", SCENES, 5, workers=1)
    write_tusimple(tmp_path / "two", SCENES, 5, workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_scenes_with_people_are_read_back_whole(tmp_path):
    write_scenes(tmp_path, PEOPLE, 3, start=999, workers=1)
    samples = list(read("scenes", tmp_path))
    assert [sample.image.relative_to(tmp_path).as_posix() for sample in samples[:2]] == [
        "images/0000/000999.jpg",
        "images/0001/001000.jpg",
    ]
    for index, sample in enumerate(samples, 999):
        scene = PEOPLE.scene(index)
        assert isinstance(sample.truth, Scene)
        objects = sample.truth.objects
        for name in ("boxes", "visible", "labels", "ignored", "names", "attributes"):
            assert np.array_equal(getattr(objects, name), getattr(scene.objects, name)), name
        assert sample.tags == scene.tags
        assert np.array_equal(cv2.imread(str(sample.masks), cv2.IMREAD_UNCHANGED), scene.masks)


def test_scenes_without_people_hold_lanes_only_and_all_of_them(tmp_path):
    write_scenes(tmp_path, SCENES, 2, workers=1)
    for index, sample in enumerate(read("scenes", tmp_path)):
        assert isinstance(sample.truth, Lanes)
        assert sample.masks is None
        drawn = SCENES.scene(index).lanes
        assert sample.truth.positions == drawn.positions
        assert all(np.array_equal(a, b) for a, b in zip(sample.truth.lines, drawn.lines, strict=True))


def test_parts_that_are_there_are_kept(tmp_path):
    write_scenes(tmp_path, SCENES, 4, workers=1, part=2)
    assert [path.name for path in sorted(tmp_path.glob("*.jsonl"))] == ["labels_000000.jsonl", "labels_000002.jsonl"]
    whole = files_of(tmp_path)
    (tmp_path / "labels_000002.jsonl").unlink()
    kept = (tmp_path / "images/0000/000001.jpg").stat().st_mtime_ns
    write_scenes(tmp_path, SCENES, 4, workers=1, part=2)
    assert files_of(tmp_path) == whole
    assert (tmp_path / "images/0000/000001.jpg").stat().st_mtime_ns == kept


def test_progress_ends_at_the_count(tmp_path):
    told = []
    write_tusimple(tmp_path, SCENES, 3, workers=1, progress=lambda done, count: told.append((done, count)))
    assert told[-1] == (3, 3)


def test_a_run_that_breaks_leaves_no_label_file(tmp_path):
    write_tusimple(tmp_path, SCENES, 2, workers=1)

    def stop(_done, _count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tusimple(tmp_path, SCENES, 2, workers=1, progress=stop)
    assert not (tmp_path / LABEL_FILE).exists()


def test_label_lines_are_whole_numbers_as_tusimples_are(tmp_path):
    write_tusimple(tmp_path, SCENES, 2, workers=1)
    for text in (tmp_path / LABEL_FILE).read_text().splitlines():
        record = json.loads(text)
        assert set(record) == {"lanes", "h_samples", "raw_file", "tags"}
        assert all(isinstance(x, int) for lane in record["lanes"] for x in [*lane, *record["h_samples"]])
        assert all(len(lane) == len(record["h_samples"]) for lane in record["lanes"])


@pytest.mark.parametrize("bad", [{"count": 0}, {"count": 1, "start": -1}, {"count": 1, "workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, bad):
    with pytest.raises(InputError, match="must be >="):
        write_tusimple(tmp_path, SCENES, **bad)


class Dying:
    """Scenes whose drawing ends the process, as the kernel does when memory runs out."""

    def scene(self, _index):
        os._exit(9)


def test_a_killed_process_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="use fewer workers"):
        write_tusimple(tmp_path, Dying(), 4, workers=2)
    assert not (tmp_path / LABEL_FILE).exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't be written to"):
        write_tusimple(tmp_path / "file", SCENES, 1, workers=1)
