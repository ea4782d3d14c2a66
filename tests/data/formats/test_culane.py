"""The CULane layout: read and written as published, what is broken is named by file and line."""

import os
import subprocess
import sys
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lanes import lane_samples, points, same_lines
from made_objects import picture, sample

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.culane import FORMAT, predicted, read_lines
from edgecnn.data.formats.format import Fault, read
from edgecnn.data.sample import Sample

# Two lines as the data set has them: from the bottom up, each line with a blank at its end, x also outside.
LINES = "-20.4835 590 19.3893 580 58.1682 570 \n1170.27 590 1151.37 580 1130.68 570 1110.6 560 \n"
FLAGS = "/laneseg_label_w16/driver_1/clip.MP4/00000.png 1 0 1 0"


@pytest.fixture
def root(tmp_path):
    """Three pictures as published: one of train, one of val, one of test at night."""
    (tmp_path / "list/test_split").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        clip = tmp_path / f"driver_{number + 1}/clip.MP4"
        picture(clip / "00000.jpg", 1640, 590)
        (clip / "00000.lines.txt").write_text(LINES if split != "val" else "")
        (tmp_path / f"list/{split}.txt").write_text(f"/driver_{number + 1}/clip.MP4/00000.jpg\n")
    (tmp_path / "list/train_gt.txt").write_text(f"/driver_1/clip.MP4/00000.jpg {FLAGS}\n")
    for number, name in enumerate(("normal", "crowd")):
        (tmp_path / f"list/test_split/test{number}_{name}.txt").write_text("")
    (tmp_path / "list/test_split/test8_night.txt").write_text("driver_3/clip.MP4/00000.jpg \n")
    return tmp_path


def faults(root, labels=()):
    return [entry for entry in FORMAT.entries(root, labels) if isinstance(entry, Fault)]


def test_lists_lines_sizes_and_conditions_are_read(root):
    assert FORMAT.recognise(root)
    train, val, test = read("culane", root)
    assert train.image == root / "driver_1/clip.MP4/00000.jpg"
    assert train.where == f"{root}/list/train_gt.txt:1"
    assert (train.truth.width, train.truth.height, train.truth.positions) == (1640, 590, (-1, 1))
    assert train.truth.lines[0][-1].tolist() == [np.float32(-20.4835), 590]
    assert train.truth.lines[1][:, 1].tolist() == [560, 570, 580, 590]
    assert val.truth.lines == ()
    assert (train.tags, test.tags) == ((), ("night",))
    assert [path.name for path in FORMAT.label_files(root)] == ["train_gt.txt", "val.txt", "test.txt"]


def test_a_list_of_conditions_can_be_read_by_itself(root):
    (night,) = read("culane", root, ("list/test_split/test8_night.txt",))
    assert night.tags == ("night",)
    for name in ("train.txt", "train_gt.txt", "val.txt", "test.txt"):
        (root / "list" / name).unlink()
    assert len(list(read("culane", root))) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3\n", r"lines\.txt:1: 3 numbers"),
        ("1 2 3 4\n1 2 x 4\n", r"lines\.txt:2: not a list of numbers"),
        ("\n1 2 3 nan\n", r"lines\.txt:2: only finite"),
        ("1 2 3 1e99\n", r"lines\.txt:1: only finite"),
    ],
)
def test_a_broken_line_is_named_by_file_and_number(root, text, words):
    (root / "driver_1/clip.MP4/00000.lines.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        list(read("culane", root))
    assert len(list(FORMAT.entries(root))) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"/driver_1/clip.MP4/00000.jpg {FLAGS} 1", "four flags"),
        (f"/driver_1/clip.MP4/00000.jpg {FLAGS[:-1]}7", "four flags"),
        ("/driver_1/clip.MP4/00000.jpg /mask.png", "four flags"),
        ("/../secret.jpg", "must be a path below"),
        ("/driver_1/none.jpg", r"none\.lines\.txt: no such file"),
    ],
)
def test_a_broken_list_entry_is_named_by_file_and_number(root, line, words):
    (root / "list/train_gt.txt").write_text(f"/driver_1/clip.MP4/00000.jpg {FLAGS}\n{line}\n")
    (fault,) = faults(root, ("list/train_gt.txt",))
    assert fault.where == f"{root}/list/train_gt.txt:2"
    assert words.replace("\\", "") in fault.text
    assert fault.kind == "broken label"


def test_bytes_that_are_no_text_are_a_fault(root):
    (root / "list/val.txt").write_bytes(b"/driver_2/\xff\xfe.jpg\n")
    assert "not text" in faults(root)[0].text


def test_a_picture_that_is_missing_is_told_apart_from_a_broken_label(root):
    (root / "driver_1/clip.MP4/00000.jpg").unlink()
    (fault,) = faults(root)
    assert fault.kind == "missing picture"


def test_odd_lines_are_put_right_and_remarked(root):
    (root / "driver_1/clip.MP4/00000.lines.txt").write_text("5 50\n7 70 6 60 8 65\n9 80 9 80 8 70\n")
    first = next(read("culane", root))
    assert [remark.kind for remark in first.remarks] == ["short lane", "lane rows", "lane rows"]
    assert [line.tolist() for line in first.truth.lines] == [[[6, 60], [8, 65], [7, 70]], [[8, 70], [9, 80]]]


def test_predictions_may_lack_a_file_labels_may_not(root):
    assert predicted(root / "none.lines.txt", 1640, 590).lines == ()
    found = predicted(root / "driver_1/clip.MP4/00000.lines.txt", 1640, 590)
    assert found.positions == (-1, 1)
    with pytest.raises(DataError, match="can't be read"):
        read_lines(root / "none.lines.txt")


def test_folders_without_lists_say_what_is_missing(tmp_path):
    assert not FORMAT.recognise(tmp_path)
    with pytest.raises(DataError, match=r"no list/train_gt\.txt"):
        next(FORMAT.entries(tmp_path))


def test_what_is_written_has_the_published_form(tmp_path):
    image = picture(tmp_path / "a.png", 1640, 590)
    lines = (points((600.5, 300), (100, 589)), points((800, 300), (900, 400)), points((900, 300), (1700, 590)))
    assert FORMAT.write(tmp_path / "set", [Sample(image, Lanes(lines, 1640, 590), ("night", "rain"))]) == 1
    out = tmp_path / "set"
    name = "clips/0000/000000"
    assert (out / "list/train_gt.txt").read_text() == f"/{name}.png /laneseg_label_w16/{name}.png 0 1 1 1\n"
    assert (out / "list/train.txt").read_text() == f"/{name}.png\n"
    assert (out / "list/test_split/test8_night.txt").read_text() == f"{name}.png\n"
    text = (out / f"{name}.lines.txt").read_text()
    assert text == "100 589 600.5 300 \n900 400 800 300 \n1700 590 900 300 \n"
    mask = cv2.imread(str(out / f"laneseg_label_w16/{name}.png"), cv2.IMREAD_UNCHANGED)
    assert (mask.shape, mask.dtype) == ((590, 1640), np.uint8)
    assert mask[350, [514, 850, 1030]].tolist() == [2, 3, 4]
    assert set(np.unique(mask)) == {0, 2, 3, 4}
    # 16 pixels across the line, as the data set's name for the masks says.
    across = (mask[350] == 3).sum() * np.cos(np.arctan(1))
    assert 15 <= across <= 18
    assert not list(out.rglob("*.part"))
    assert (out / f"{name}.png").samefile(image)


def test_a_label_without_lanes_is_refused(tmp_path):
    with pytest.raises(DataError, match="no lane lines"):
        FORMAT.write(tmp_path / "set", [sample(picture(tmp_path / "a.jpg"))])
    assert not (tmp_path / "set/list/train.txt").exists()


def test_lines_survive_the_round_trip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("culane")
    image = picture(folder / "a.jpg", 160, 90)

    @given(st.lists(lane_samples(image), min_size=1, max_size=2))
    @settings(max_examples=15)
    def round_trip(samples):
        out = tmp_path_factory.mktemp("set")
        assert FORMAT.write(out, samples) == len(samples)
        for one, back in zip(samples, read("culane", out), strict=True):
            assert same_lines(one.truth.lines, back.truth.lines)

    round_trip()


def many(root, count):
    """A set of `count` pictures; those of a folder share their label file, and only the first of them is there."""
    (root / "list/test_split").mkdir(parents=True)
    lines = "\n".join(" ".join(f"{700 + d * y / 3:.3f} {y}" for y in range(590, 290, -10)) for d in (-1, 1))
    with (root / "list/test.txt").open("w") as file, (root / "list/test_split/test8_night.txt").open("w") as night:
        for number in range(count):
            folder = root / f"driver_{number // 1000:03d}"
            if number % 1000 == 0:
                label = picture(folder / "00000.jpg").with_name("label.txt")
                label.write_text(lines)
            os.link(label, folder / f"{number % 1000:05d}.lines.txt")
            file.write(f"/{folder.name}/{number % 1000:05d}.jpg\n")
            night.write(f"{folder.name}/{number % 1000:05d}.jpg\n")
    return root


def test_samples_are_not_held(tmp_path):
    root = many(tmp_path, 3000)
    tracemalloc.start()
    assert sum(1 for _ in read("culane", root)) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Two lines of 30 points alone are 480 bytes a sample; what Python keeps of path names while it runs is 2 MB.
    assert peak < 3_000_000


@pytest.mark.slow
def test_100000_entries_stay_under_300_mib(tmp_path):
    root = many(tmp_path / "set", 100_000)
    code = (
        "import resource; from pathlib import Path; from edgecnn.data.formats.format import read; "
        f"n = sum(1 for _ in read('culane', Path({str(root)!r}))); "
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    count, kibibytes = map(int, done.stdout.split())
    assert count == 100_000
    assert kibibytes < 300 * 1024
