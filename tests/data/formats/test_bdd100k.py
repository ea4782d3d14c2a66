"""The BDD100K layout: frames joined by name, boxes that count whole pixels, what is broken named by file and line."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lanes import lane_samples, points, same_lines
from made_objects import picture

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Lanes, Scene, Tensors
from edgecnn.data.formats.bdd100k import FORMAT
from edgecnn.data.formats.format import Fault, format_of, read
from edgecnn.data.formats.object_labels import LabelledObject, detections
from edgecnn.data.sample import Sample

# A frame of det_20, and the same of the lane markings: an edge on either side of a line, and a kerb.
BOXES = {
    "name": "a.jpg",
    "attributes": {"weather": "rainy", "timeofday": "night", "scene": "city street"},
    "timestamp": 10000,
    "labels": [
        {
            "id": "0",
            "attributes": {"occluded": True, "truncated": False, "trafficLightColor": "NA"},
            "category": "pedestrian",
            "box2d": {"x1": 10.5, "y1": 20, "x2": 19.5, "y2": 59},
        },
        {
            "id": "1",
            "attributes": {"occluded": False, "truncated": False, "crowd": True},
            "category": "rider",
            "box2d": {"x1": 0, "y1": 0, "x2": 9, "y2": 9},
        },
    ],
}


def marking(*vertices, category="single white", types=None, **attributes):
    told = {"laneDirection": "parallel", "laneStyle": "solid", **attributes}
    poly2d = [{"vertices": [list(one) for one in vertices], "types": types or "L" * len(vertices), "closed": False}]
    return {"id": "7", "attributes": told, "category": category, "poly2d": poly2d}


LANES = {
    "name": "a.jpg",
    "labels": [
        marking((500, 719), (560, 400)),
        marking((520, 719), (562, 400)),
        marking((900, 719), (700, 400), category="road curb"),
    ],
}


@pytest.fixture
def root(tmp_path):
    """The published folders with two frames of train, one of which has neither boxes nor lanes."""
    picture(tmp_path / "images/100k/train/a.jpg", 1280, 720)
    picture(tmp_path / "images/100k/train/b.jpg", 1280, 720)
    empty = {"name": "b.jpg", "attributes": {"weather": "undefined"}, "labels": None}
    write(tmp_path, "det_20/det_train.json", [BOXES, empty])
    write(tmp_path, "lane/polygons/lane_train.json", [{"name": "b.jpg"}, LANES])
    return tmp_path


def write(root, name, tree, indent=2):
    path = root / "labels" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree, indent=indent))
    return path


def test_boxes_and_lanes_are_joined_by_name(root):
    assert FORMAT.recognise(root)
    first, second = read("bdd100k", root)
    assert first.image == root / "images/100k/train/a.jpg"
    assert first.where == f"{root}/labels/det_20/det_train.json:2"
    assert first.tags == ("night", "rain", "street")
    assert isinstance(first.truth, Scene)
    assert len(first.truth.lanes.lines) == 1
    assert first.truth.lanes.lines[0][[0, -1]].tolist() == [[561, 400], [510, 719]]
    assert (second.truth.lanes.lines, len(second.truth.objects), second.tags) == ((), 0, ())
    assert first.remarks == second.remarks == ()


def test_x2_and_y2_are_the_last_pixels_of_a_box(root):
    objects = next(read("bdd100k", root)).truth.objects
    assert objects.boxes.tolist() == [[10.5, 20, 20.5, 60], [0, 0, 10, 10]]
    assert [objects.names[label] for label in objects.labels] == ["pedestrian", "rider"]
    assert objects.ignored.tolist() == [False, True]
    assert objects.attributes[0] == {"id": "0", "occluded": True, "truncated": False, "trafficLightColor": "NA"}


def test_one_file_alone_says_nothing_of_what_the_other_holds(root):
    (boxes, *_) = read("bdd100k", root, ("labels/det_20/det_train.json",))
    assert isinstance(boxes.truth, Detections)
    (_, lanes) = read("bdd100k", root, ("labels/lane/polygons/lane_train.json",))
    assert isinstance(lanes.truth, Lanes)


def test_frames_that_one_file_does_not_name_are_left_out_and_counted(root):
    write(root, "lane/polygons/lane_train.json", [LANES, {"name": "c.jpg"}, {"name": "d.jpg"}])
    (only,) = read("bdd100k", root)
    assert only.image.name == "a.jpg"
    assert [remark.text.partition(" of ")[0] for remark in only.remarks] == ["1 frames", "2 frames"]


def test_the_form_of_2018_holds_both_in_one_list(tmp_path):
    picture(tmp_path / "images/100k/val/a.jpg", 1280, 720)
    lane = {
        "category": "lane",
        "attributes": {"laneDirection": "parallel", "laneStyle": "dashed", "laneTypes": "single white"},
        "poly2d": [{"vertices": [[500, 700], [560, 400]], "types": "LL", "closed": False}],
    }
    cross = {**lane, "attributes": {**lane["attributes"], "laneTypes": "crosswalk"}}
    area = {"category": "drivable area", "poly2d": [{"vertices": [[0, 0], [1, 1]], "types": "LL", "closed": True}]}
    person = {"category": "person", "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}
    frame = {"name": "a.jpg", "labels": [lane, cross, area, person, {**person, "category": "motor"}]}
    write(tmp_path, "bdd100k_labels_images_val.json", [frame])
    (one,) = read("bdd100k", tmp_path)
    assert len(one.truth.lanes.lines) == 1
    objects = one.truth.objects
    assert [objects.names[label] for label in objects.labels] == ["pedestrian", "motorcycle"]


def test_the_form_of_one_file_a_picture_is_read(tmp_path):
    picture(tmp_path / "images/100k/val/a-b.jpg", 1280, 720)
    line = {"category": "lane/single white", "attributes": {"direction": "parallel", "style": "solid"}}
    curve = [[0, 700, "L"], [0, 600, "C"], [100, 500, "C"], [100, 400, "L"]]
    across = {**line, "attributes": {"direction": "vertical"}, "poly2d": [[0, 500, "L"], [500, 502, "L"]]}
    box = {"category": "car", "id": 3, "attributes": {}, "box2d": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}}
    tree = {"name": "a-b", "attributes": {"weather": "clear"}, "frames": [{"timestamp": 10000, "objects": [box]}]}
    tree["frames"][0]["objects"] += [{**line, "poly2d": curve}, across]
    write(tmp_path, "100k/val/a-b.json", tree)
    assert FORMAT.recognise(tmp_path)
    (one,) = read("bdd100k", tmp_path)
    assert (one.image.name, one.tags) == ("a-b.jpg", ("clear",))
    assert len(one.truth.objects) == 1
    (bezier,) = one.truth.lanes.lines
    assert bezier[[0, 8, -1]].tolist() == [[100, 400], [50, 550], [0, 700]]


def test_a_list_in_an_object_and_sizes_in_frames_are_read(root):
    path = write(root, "det_20/det_train.json", {"frames": [{**BOXES, "size": {"width": 640, "height": 360}}]})
    (one,) = read("bdd100k", root, (str(path),))
    assert (one.truth.width, one.truth.height) == (640, 360)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 5}, "'name' of its picture"),
        ({"name": "../../a.jpg"}, "must be a path below"),
        ({"labels": {}}, "'labels' must be a list"),
        ({"labels": [{"id": 1}]}, "label 0 needs a 'category'"),
        ({"labels": [{"category": "car", "attributes": []}]}, None),
        ({"labels": [{"category": "car", "attributes": [1]}]}, "label 0 needs a 'category'"),
        ({"labels": [{"category": "car", "box2d": {"x1": 1, "x2": 2, "y1": 3}}]}, "label 0: 'box2d'"),
        ({"labels": [{"category": "car", "box2d": [1, 2, 3, 4]}]}, "label 0: 'box2d'"),
        ({"size": {"width": 0, "height": 1}}, "'size' must hold"),
        ({"frames": [{}, {}]}, "videos are not read"),
    ],
)
def test_a_broken_frame_of_boxes_is_named_by_file_and_line(root, change, words):
    write(root, "det_20/det_train.json", [{**BOXES, "name": "b.jpg", "labels": []}, {**BOXES, **change}], indent=None)
    entries = list(FORMAT.entries(root, ("labels/det_20/det_train.json",)))
    assert isinstance(entries[0], Sample)
    if words is None:
        assert isinstance(entries[1], Sample)
    else:
        assert entries[1].where == f"{root}/labels/det_20/det_train.json:1"
        assert words in entries[1].text


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ({**LANES["labels"][0], "poly2d": None}, "needs 'poly2d'"),
        ({**LANES["labels"][0], "poly2d": [[1, 2]]}, "is [x, y, type]"),
        ({**LANES["labels"][0], "poly2d": [{"types": "LL"}]}, "needs 'vertices'"),
        (marking((1, 2), (3,)), "each of 'vertices' is [x, y]"),
        (marking((1, 2), (3, "x")), "'vertices' must be a list of numbers"),
        (marking((1, 2), (3, 4), types="L"), "one letter in 'types'"),
        (marking((1, 2), (3, 4), types="LC"), "nor a curve (CCC)"),
        (marking((1, 2), (3, 4), types="LX"), "nor a curve (CCC)"),
    ],
)
def test_a_broken_marking_is_named_by_the_lane_file_and_line(root, label, words):
    write(root, "lane/polygons/lane_train.json", [{"name": "a.jpg", "labels": [label]}, {"name": "b.jpg"}])
    fault, good = FORMAT.entries(root)
    assert fault.where == f"{root}/labels/lane/polygons/lane_train.json:2"
    assert words in fault.text
    assert isinstance(good, Sample)


def test_a_file_cut_off_is_a_fault_behind_its_whole_frames(root):
    path = root / "labels/det_20/det_train.json"
    path.write_text(path.read_text()[:-30])
    entries = list(FORMAT.entries(root))
    assert [type(entry) for entry in entries] == [Fault, Sample]
    assert "ends inside this entry" in entries[0].text


def test_a_name_that_stands_twice_among_the_lanes_is_a_fault(root):
    write(root, "lane/polygons/lane_train.json", [LANES, {"name": "b.jpg"}, LANES], indent=None)
    assert "'a.jpg' stands twice" in next(FORMAT.entries(root)).text


def test_folders_without_labels_say_what_is_missing(tmp_path):
    assert not FORMAT.recognise(tmp_path)
    with pytest.raises(DataError, match="neither labels/det_20"):
        next(FORMAT.entries(tmp_path))


def test_what_is_written_has_the_published_form(tmp_path):
    image = picture(tmp_path / "a.jpg", 1280, 720)
    person = LabelledObject((10, 20, 20.5, 60), "pedestrian", ignore=True, attributes={"id": "9", "occluded": True})
    lanes = Lanes((points((600, 400), (500, 719)),), 1280, 720)
    scene = Scene(lanes, detections([person], 1280, 720))
    assert FORMAT.write(tmp_path / "set", [Sample(image, scene, ("urban", "dusk", "fog", "curve"))]) == 1
    (frame,) = json.loads((tmp_path / "set/labels/det_20/det_train.json").read_text())
    assert frame["name"] == "000000.jpg"
    assert frame["attributes"] == {"weather": "foggy", "scene": "city street", "timeofday": "dawn/dusk"}
    (label,) = frame["labels"]
    assert (label["id"], label["category"]) == ("9", "pedestrian")
    assert label["box2d"] == {"x1": 10, "y1": 20, "x2": 19.5, "y2": 59}
    assert label["attributes"] == {"occluded": True, "ignored": True}
    (frame,) = json.loads((tmp_path / "set/labels/lane/polygons/lane_train.json").read_text())
    (label,) = frame["labels"]
    assert label["poly2d"] == [{"vertices": [[500, 719], [600, 400]], "types": "LL", "closed": False}]
    assert not list((tmp_path / "set").rglob("*.part"))


def test_only_what_is_known_is_written(tmp_path):
    image = picture(tmp_path / "a.jpg", 1280, 720)
    FORMAT.write(tmp_path / "lanes", [Sample(image, Lanes((), 1280, 720))])
    assert not (tmp_path / "lanes/labels/det_20").exists()
    assert isinstance(next(read("bdd100k", tmp_path / "lanes")).truth, Lanes)
    FORMAT.write(tmp_path / "boxes", [Sample(image, detections([], 1280, 720))])
    assert not (tmp_path / "boxes/labels/lane").exists()
    with pytest.raises(DataError, match="neither lane lines nor objects"):
        FORMAT.write(tmp_path / "none", [Sample(image, Tensors({}, 1, 1))])


@pytest.mark.parametrize("target", ["bdd100k", "scenes"])
def test_colour_and_style_of_lane_lines_survive(root, tmp_path, target):
    first = next(sample for sample in read("bdd100k", root) if sample.truth.lanes.lines)
    assert first.truth.lanes.attributes == ({"category": "single white", "laneStyle": "solid"},)
    format_of(target).write(tmp_path / "set", [first])
    (back,) = read(target, tmp_path / "set")
    assert back.truth.lanes.attributes == first.truth.lanes.attributes


def test_scenes_survive_the_round_trip(tmp_path_factory):
    image = picture(tmp_path_factory.mktemp("bdd") / "a.jpg", 160, 90)
    numbers = st.floats(-300, 300, width=32)
    things = st.builds(
        LabelledObject,
        st.tuples(numbers, numbers, numbers, numbers),
        st.sampled_from(["pedestrian", "car", "other person", "trailer"]),
        attributes=st.fixed_dictionaries({"id": st.text(max_size=3), "occluded": st.booleans()}),
    )

    @given(lane_samples(image), st.lists(things, max_size=3))
    @settings(max_examples=15)
    def round_trip(sample, objects):
        out = tmp_path_factory.mktemp("set")
        truth = Scene(sample.truth, detections(objects, 160, 90))
        FORMAT.write(out, [Sample(image, truth, ("day", "snow"))])
        (back,) = read("bdd100k", out)
        # Lines of less than a row are not lane lines of BDD100K's.
        lines = [line for line in truth.lanes.lines if np.ptp(line[:, 1]) >= 1]
        assert same_lines(lines, back.truth.lanes.lines)
        assert np.abs(back.truth.objects.boxes - truth.objects.boxes).max(initial=0) < 1e-3
        assert [back.truth.objects.names[k] for k in back.truth.objects.labels] == [one.name for one in objects]
        assert list(back.truth.objects.attributes) == [one.attributes for one in objects]
        assert back.tags == ("day", "snow")

    round_trip()
