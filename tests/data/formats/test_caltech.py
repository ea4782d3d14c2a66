"""Caltech Pedestrians: .vbb labels beside .seq videos or pictures taken from them."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_objects import boxes, entries, faults, picture, places, sample, told
from scipy.io import loadmat, savemat

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats import norpix
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.object_labels import LabelledObject
from edgecnn.data.sample import PictureError, Sample, read_image

WORDS = ["person", "people", "person-fa", "person?"]
WALKER = {"id": 1, "pos": [11, 6, 8, 20], "occl": 0, "lock": 0, "posv": [0, 0, 0, 0]}
HIDDEN = {"id": 1, "pos": [13, 6, 8, 20], "occl": 1, "lock": 1, "posv": [13, 6, 8, 10]}
CROWD = {"id": 2, "pos": [31.5, 11, 20, 10], "occl": 0, "lock": 0, "posv": [0, 0, 0, 0]}
POST = {"id": 3, "pos": [1, 1, 4, 9], "occl": 0, "lock": 0, "posv": [0, 0, 0, 0]}
UNSURE = {"id": 4, "pos": [50, 20, 4, 9], "occl": 0, "lock": 0, "posv": [0, 0, 0, 0]}


def vbb(root, frames, *, words=WORDS, count=60, video="set06/V000"):
    """Write a label file; `frames` holds the objects by number of the frame, from 0."""
    lists = np.empty((1, count), object)
    for number in range(count):
        lists[0, number] = np.zeros((0, 0))
    for number, objects in frames.items():
        made = np.empty((1, len(objects)), [(key, object) for key in ("id", "pos", "occl", "lock", "posv")])
        for place, one in enumerate(objects):
            made[0, place] = tuple(
                value if isinstance(value, str) else np.atleast_2d(np.asarray(value, float)) for value in one.values()
            )
        lists[0, number] = made
    labels = np.empty((1, len(words)), object)
    labels[0, :] = words
    many = np.zeros((1, len(words)))
    path = root / "annotations" / f"{video}.vbb"
    path.parent.mkdir(parents=True, exist_ok=True)
    annotation = {
        "nFrame": count, "objLists": lists, "maxObj": len(words), "objInit": many + 1, "objLbl": labels, "objStr": many,
        "objEnd": many, "objHide": many, "altered": 0, "log": 0, "logLen": 0,
    }  # fmt: skip
    savemat(path, {"A": annotation, "vers": 1.4}, appendmat=False)
    return path


def jpeg(shade, width=64, height=48):
    return cv2.imencode(".jpg", np.full((height, width, 3), shade, np.uint8))[1].tobytes()


def sequence(root, count=60, video="set06/V000"):
    path = root / f"videos/{video}.seq"
    path.parent.mkdir(parents=True, exist_ok=True)
    norpix.write_sequence(path, (jpeg(4 * number) for number in range(count)), 64, 48)
    return path


def test_every_30th_frame_of_a_video_is_read(tmp_path):
    path = vbb(tmp_path, {28: [UNSURE], 29: [WALKER, CROWD, POST, UNSURE], 59: [HIDDEN]})
    sequence(tmp_path)
    first, second = entries("caltech", tmp_path)
    assert first.image == tmp_path / "videos/set06/V000.seq/I00029.jpg"
    assert [one.where for one in (first, second)] == [f"{path}:30", f"{path}:60"]
    assert places(first) == [
        ((10, 5, 18, 25), "pedestrian", False),
        ((30.5, 10, 50.5, 20), "people", True),
        ((0, 0, 4, 9), "person-fa", False),
        ((49, 19, 53, 28), "person?", True),
    ]
    assert first.truth.attributes[0] == {"id": 1, "occl": 0, "lock": 0}
    assert second.truth.visible.tolist() == [[12, 5, 20, 15]]
    assert second.truth.visibility[0] == pytest.approx(0.5)
    assert [int(read_image(one.image)[20, 20, 0]) for one in (first, second)] == pytest.approx([4 * 29, 4 * 59], abs=2)


@pytest.mark.parametrize(
    "name", ["images/set06_V000_I{:05d}.jpg", "test/images/set06_V000_I{:05d}.png", "images/set06/V000/I{:05d}.jpg"]
)
def test_pictures_that_are_there_are_read(tmp_path, name):
    vbb(tmp_path, {2: [WALKER], 29: [CROWD]})
    for number in (29, 2):
        picture(tmp_path / name.format(number))
    first, second = entries("caltech", tmp_path)
    assert (first.truth.names[first.truth.labels[0]], second.truth.names[second.truth.labels[0]]) == (
        "pedestrian",
        "people",
    )
    assert first.image == tmp_path / name.format(2)


@pytest.mark.parametrize(
    ("occl", "posv", "visible"),
    [
        (0, [13, 6, 4, 4], [12, 5, 20, 25]),
        (1, [0, 0, 0, 0], [12, 5, 20, 25]),
        (1, [13, 6, 8, 20], [12, 5, 12, 5]),
        (1, [14, 7, 4, 10], [13, 6, 17, 16]),
    ],
)
def test_visible_parts_are_those_of_the_official_evaluation(tmp_path, occl, posv, visible):
    vbb(tmp_path / "a", {29: [HIDDEN | {"occl": occl, "posv": posv}]})
    picture(tmp_path / "a/images/set06_V000_I00029.jpg")
    (found,) = entries("caltech", tmp_path / "a")
    assert found.truth.visible.tolist() == [visible]
    format_of("caltech").write(tmp_path / "b", [found])
    (again,) = entries("caltech", tmp_path / "b")
    assert told(again) == told(found)
    record = loadmat(tmp_path / "b/annotations/set06/V000.vbb")["A"][0, 0]["objLists"][0, 29][0, 0]
    assert (record["occl"].item(), record["posv"].tolist()) == (occl, [posv])


def test_what_is_written_has_the_published_layout_and_keeps_its_names(tmp_path):
    vbb(tmp_path / "a", {29: [WALKER, CROWD], 59: [HIDDEN, POST]})
    vbb(tmp_path / "a", {29: [UNSURE]}, count=30, video="set07/V003")
    sequence(tmp_path / "a")
    sequence(tmp_path / "a", 30, "set07/V003")
    assert format_of("caltech").write(tmp_path / "b", read("caltech", tmp_path / "a")) == 3
    before, after = entries("caltech", tmp_path / "a"), entries("caltech", tmp_path / "b")
    assert list(map(told, after)) == list(map(told, before))
    assert [one.image.name for one in after] == [
        "set06_V000_I00029.jpg",
        "set06_V000_I00059.jpg",
        "set07_V003_I00029.jpg",
    ]
    made = loadmat(tmp_path / "b/annotations/set06/V000.vbb")
    annotation = made["A"][0, 0]
    assert annotation.dtype.names == (
        "nFrame", "objLists", "maxObj", "objInit", "objLbl", "objStr", "objEnd", "objHide", "altered", "log", "logLen",
    )  # fmt: skip
    assert annotation["nFrame"].item() == 60
    assert annotation["objLists"].shape == (1, 60)
    assert annotation["objLists"][0, 0].size == 0
    assert [str(one[0]) for one in annotation["objLbl"][0]] == ["person", "people", "person-fa"]
    assert annotation["objStr"].tolist() == [[30, 30, 60]]
    assert annotation["objEnd"].tolist() == [[60, 30, 60]]
    assert made["vers"].item() == 1.4


def test_other_pictures_become_every_30th_frame(tmp_path):
    objects = (LabelledObject((1, 2, 11, 32), "pedestrian"), LabelledObject((20, 2, 30, 32), "rider", ignore=True))
    samples = [sample(picture(tmp_path / f"{number}/a.png"), *objects) for number in range(62)]
    format_of("caltech").write(tmp_path / "out", samples)
    after = entries("caltech", tmp_path / "out")
    assert len(after) == 62
    assert [one.image.name for one in (after[0], after[1], after[-1])] == [
        "set00_V000_I00029.png",
        "set00_V000_I00059.png",
        "set00_V001_I00059.png",
    ]
    assert places(after[0]) == [((1, 2, 11, 32), "pedestrian", False), ((20, 2, 30, 32), "person?", True)]


def test_labels_name_sets_and_videos(tmp_path):
    for video in ("set06/V000", "set06/V001", "set07/V000"):
        vbb(tmp_path, {29: [WALKER]}, count=30, video=video)
        sequence(tmp_path, 30, video)
    assert len(entries("caltech", tmp_path)) == 3
    assert len(entries("caltech", tmp_path, ("annotations/set06",))) == 2
    assert len(entries("caltech", tmp_path, ("annotations/set07/V000.vbb",))) == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pos": [1, 2, 3]}, "object 1: 'pos' must be four numbers"),
        ({"pos": [1, 2, 3, np.nan]}, "object 1: 'pos' must be finite"),
        ({"pos": "here"}, "object 1: 'pos' must be numbers"),
        ({"id": 0}, "object 1: id 0 has no label"),
        ({"id": 9}, "object 1: id 9 has no label"),
        ({"id": [1, 2]}, "object 1: 'id' must be one number"),
        ({"occl": 1, "posv": [1, 2, 3, 1e9]}, "object 1: 'posv' must be four numbers"),
    ],
)
def test_a_broken_object_is_named_by_its_frame_and_the_next_one_read(tmp_path, change, text):
    path = vbb(tmp_path, {29: [WALKER | change], 59: [WALKER]})
    sequence(tmp_path)
    fault, good = format_of("caltech").entries(tmp_path)
    assert fault.where == f"{path}:30"
    assert text in fault.text
    assert len(good.truth) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"B": 1}, "'A' must be a struct"),
        ({"A": {"nFrame": 3}}, "'A' must be a struct"),
        ({"A": {"nFrame": 3, "objLists": 5, "objLbl": 1}}, "'A.objLists' must be a cell array"),
        (b"\x00" * 200, "no Matlab file"),
    ],
)
def test_a_broken_label_file_is_named_and_the_next_one_read(tmp_path, content, text):
    path = vbb(tmp_path, {})
    vbb(tmp_path, {29: [WALKER]}, count=30, video="set06/V001")
    sequence(tmp_path, 30, "set06/V001")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content, appendmat=False)
    fault, good = format_of("caltech").entries(tmp_path)
    assert fault.where == f"{path}:1"
    assert text in fault.text
    assert len(good.truth) == 1


def test_labels_without_pictures_are_the_pictures_fault(tmp_path):
    vbb(tmp_path, {29: [WALKER]})
    (fault,) = faults("caltech", tmp_path)
    assert (fault.kind, "put one there" in fault.text) == ("missing picture", True)
    assert not format_of("caltech").recognise(tmp_path / "annotations")
    with pytest.raises(DataError, match="annotations/set00"):
        format_of("caltech").label_files(tmp_path / "annotations")
    with pytest.raises(DataError, match="no objects"):
        format_of("caltech").write(tmp_path / "out", [Sample(picture(tmp_path / "0.png"), Lanes((), 64, 48))])


@pytest.mark.parametrize("gap", [0, 8])
def test_both_paddings_of_time_stamps_are_read(tmp_path, gap):
    path = sequence(tmp_path, 3)
    if not gap:
        data, frames = path.read_bytes(), [jpeg(4 * number) for number in range(3)]
        path.write_bytes(data[:1024] + b"".join(struct.pack("<I", len(one) + 4) + one + b"stamp..." for one in frames))
    found = norpix.open_sequence(path)
    assert [norpix.frame_at(found.name(number)) for number in range(3)] == [jpeg(0), jpeg(4), jpeg(8)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[:500], "no Norpix sequence"),
        (lambda data: b"AVI " + data[4:], "no Norpix sequence"),
        (lambda data: data[:1500], "cut off after frame"),
        (lambda data: data[:568] + struct.pack("<I", 100) + data[572:], "pictures of kind 100"),
        (lambda data: data[:572] + struct.pack("<I", 2**32 - 1) + data[576:], "can't be"),
        (lambda data: data[:1024] + struct.pack("<I", 2**31) + data[1028:], "cut off after frame 0"),
        (lambda data: data[:1024] + bytes(len(data) - 1024), "cut off after frame 0"),
    ],
)
def test_a_broken_sequence_is_named(tmp_path, change, text):
    path = sequence(tmp_path, 3)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        norpix.open_sequence(path)
    assert str(caught.value).startswith(str(path))
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["V000.seq/I00009.jpg", "V000.seq/x.jpg", "V000.seq/I.jpg", "V000.jpg/I00000.jpg"])
def test_frames_that_are_not_there_are_refused(tmp_path, name):
    path = sequence(tmp_path, 3)
    picture(path.with_name("V000.jpg"))
    with pytest.raises(PictureError):
        read_image(path.parent / name)


kinds = st.sampled_from([("pedestrian", False), ("people", True), ("person?", True), ("person-fa", False)])
person = st.tuples(boxes(), boxes(), kinds, st.integers(1, 5))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(person, max_size=3), max_size=3))
def test_any_people_survive(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("caltech")
    objects = [
        [LabelledObject(box, *kind, seen, None, {"id": key}) for box, seen, kind, key in people] for people in drawn
    ]
    before = [sample(picture(folder / f"{number}.png"), *people) for number, people in enumerate(objects)]
    format_of("caltech").write(folder / "out", before)
    after = list(entries("caltech", folder / "out")) if drawn else []
    assert [[line[:4] for line in told(one)] for one in after] == [[line[:4] for line in told(one)] for one in before]
