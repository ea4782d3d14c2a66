"""Converting: every format into every other, nothing that the target can hold is lost, and what is lost is told."""

import itertools

import cv2
import numpy as np
import pytest
from made_lanes import points
from made_objects import picture

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import FORMATS
from edgecnn.core.results import Lanes, Scene
from edgecnn.data.check import check
from edgecnn.data.check_sample import parts
from edgecnn.data.convert import convert
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.object_labels import LabelledObject, detections
from edgecnn.data.sample import Sample

LANES = ("bdd100k", "culane", "llamas", "scenes", "tusimple")
OBJECTS = tuple(sorted(name for name in FORMATS if "objects" in format_of(name).holds))


@pytest.fixture
def scenes(tmp_path):
    """Two frames of lanes and people with all that our own format can say."""
    samples = []
    for number in range(2):
        image = picture(tmp_path / f"{number}.jpg", 320, 180, 60 + 50 * number)
        mask = tmp_path / f"{number}.png"
        cv2.imwrite(str(mask), np.zeros((180, 320), np.uint16))
        lines = (points((150.25, 70), (40, 179)), points((170, 70), (290.5, 179)), points((175, 75), (400, 160)))
        people = [
            LabelledObject((10 + number, 20, 40.5, 110), "pedestrian", visible=(10 + number, 20, 40.5, 60)),
            LabelledObject((100, 50, 120, 100), "pedestrian", ignore=True, visible=(100, 50, 120, 100)),
            LabelledObject((200, 40, 230, 130), "rider", visible=(200, 40, 230, 130)),
        ]
        drawn = ({"category": "double yellow"}, {"category": "single white", "laneStyle": "dashed"}, {})
        truth = Scene(Lanes(lines, 320, 180, (-1, 1, 2), attributes=drawn), detections(people, 320, 180))
        samples.append(Sample(image, truth, ("night", "rain", "worn"), f"made:{number}", mask))
    format_of("scenes").write(tmp_path / "scenes", samples)
    return tmp_path / "scenes"


def moved(scenes, name):
    return convert(scenes, scenes.parent / name, format_of(name))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_each_format_is_recognised_and_right_by_its_own_check(scenes, name):
    if name == "scenes":
        assert check(scenes).wrong == 0
        return
    done = moved(scenes, name)
    assert (done.source, done.target, done.frames) == ("scenes", name, 2)
    report = check(scenes.parent / name)
    assert (report.form, report.frames, dict(report.counts)) == (name, 2, {})
    assert not [path for path in scenes.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_the_target_cannot_hold_is_told_and_nothing_else(scenes, name):
    if name == "scenes":
        return
    told = "; ".join(moved(scenes, name).lost)
    holds = format_of(name).holds
    assert ("instance masks (2 of 2)" in told) == (name != "pascal_text")
    assert ("objects (6 of 6)" in told) == ("objects" not in holds)
    assert ("lane lines (6 of 6)" in told) == ("lanes" not in holds)
    assert ("lane attributes (4 of 6)" in told) == (name in ("culane", "llamas", "tusimple"))
    assert ("rain" in told) == ("rain" not in next(read(name, scenes.parent / name)).tags)
    assert "boxes moved" not in told or name in ("caltech", "citypersons", "kitti", "voc")


def test_culane_loses_nothing_of_a_lane_and_tusimple_half_a_pixel(scenes):
    assert moved(scenes, "culane").lost == (
        "tags (rain, worn)",
        "instance masks (2 of 2)",
        "lane attributes (4 of 6)",
        "objects (6 of 6)",
    )
    lost = moved(scenes, "tusimple").lost
    assert any(text.startswith("lane lines moved by up to 0.") for text in lost)
    back = next(read("culane", scenes.parent / "culane")).truth
    ours = next(read("scenes", scenes)).truth.lanes
    assert sorted(line.tolist() for line in back.lines) == sorted(line.tolist() for line in ours.lines)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(LANES, 2)))
def test_lanes_pass_between_all_lane_formats(scenes, one, other):
    first = scenes if one == "scenes" else scenes.parent / one
    if one != "scenes":
        moved(scenes, one)
    out = scenes.parent / f"{one}-{other}"
    convert(first, out, format_of(other))
    counts = [[len(parts(sample.truth)[0].lines) for sample in read(*both)] for both in ((one, first), (other, out))]
    assert counts == [[3, 3], [3, 3]]


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(OBJECTS, 2)))
def test_boxes_pass_between_all_object_formats(scenes, one, other):
    first = scenes if one == "scenes" else scenes.parent / one
    if one != "scenes":
        moved(scenes, one)
    out = scenes.parent / f"{one}-{other}"
    convert(first, out, format_of(other))
    was, now = ([parts(sample.truth)[1] for sample in read(*both)] for both in ((one, first), (other, out)))
    # The text form has no word for what is to be ignored.
    was = [found.take(~found.ignored) if other == "pascal_text" else found for found in was]
    was, now = ([found.boxes for found in side] for side in (was, now))
    assert np.abs(np.array(was) - np.array(now)).max() <= 1


def test_pictures_are_linked_and_not_encoded_again(scenes):
    moved(scenes, "culane")
    source, target = next(read("scenes", scenes)).image, next(read("culane", scenes.parent / "culane")).image
    assert source.samefile(target)
    moved(scenes, "llamas")
    png = next(read("llamas", scenes.parent / "llamas")).image
    assert np.array_equal(cv2.imread(str(png)), cv2.imread(str(source)))


def test_a_broken_label_ends_it_and_leaves_nothing(scenes):
    with (scenes / "labels.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match=r"labels\.jsonl:3"):
        moved(scenes, "culane")
    assert sorted(path.name for path in scenes.parent.iterdir()) == ["0.jpg", "0.png", "1.jpg", "1.png", "scenes"]


def test_formats_with_nothing_in_common_are_refused(scenes):
    moved(scenes, "culane")
    with pytest.raises(DataError, match="culane holds lanes, coco objects"):
        convert(scenes.parent / "culane", scenes.parent / "coco", format_of("coco"))


def test_a_folder_that_holds_something_is_left_alone(scenes):
    (scenes.parent / "culane").mkdir()
    moved(scenes, "culane")
    with pytest.raises(InputError, match="not an empty folder"):
        moved(scenes, "culane")


def test_a_set_without_entries_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/labels.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no entry to convert"):
        convert(tmp_path / "set", tmp_path / "out", format_of("tusimple"), "scenes")
    assert not (tmp_path / "out").exists()
