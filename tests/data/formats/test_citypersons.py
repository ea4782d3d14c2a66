"""CityPersons in both published forms, JSON tree and Matlab files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_objects import boxes, entries, faults, picture, places, sample, told
from scipy.io import loadmat, savemat

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data import stage
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.object_labels import LabelledObject
from edgecnn.data.sample import Sample

STEM = "aachen_000000_000019"
ROWS = [
    [0, 0, 0, 64, 10, 30, 0, 0, 64, 10],
    [1, 10, 8, 9, 22, 24000, 10, 8, 9, 11],
    [2, 30, 8, 9, 22, 25001, 30, 8, 9, 22],
    [3, 40, 20, 8, 9, 24002, 40, 20, 8, 9],
    [4, 50, 20, 8, 9, 24003, 50, 20, 8, 9],
    [5, 0, 30, 20, 15, 24, 0, 30, 20, 15],
]
LABELS = ["ignore", "pedestrian", "rider", "sitting person", "person (other)", "person group"]
EXPECTED = [
    ((0, 0, 64, 10), "ignore", True),
    ((10, 8, 19, 30), "pedestrian", False),
    ((30, 8, 39, 30), "rider", False),
    ((40, 20, 48, 29), "sitting person", False),
    ((50, 20, 58, 29), "other person", False),
    ((0, 30, 20, 45), "people", True),
]


def tree():
    return {
        "imgHeight": 48,
        "imgWidth": 64,
        "objects": [
            {"instanceId": row[5], "bbox": row[1:5], "bboxVis": row[6:], "label": LABELS[row[0]]} for row in ROWS
        ],
    }


def json_form(root, content=None, *, split="train", stem=STEM, base="gtBbox_cityPersons_trainval/gtBboxCityPersons"):
    path = root / base / split / stem.split("_")[0] / f"{stem}_gtBboxCityPersons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tree() if content is None else content
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    picture(root / "leftImg8bit" / split / stem.split("_")[0] / f"{stem}_leftImg8bit.png")
    return path


def mat_form(root, *cells, name="anno_train", variable=None):
    made = np.empty((1, len(cells)), object)
    made[0, :] = [{"cityname": city, "im_name": image, "bbs": bbs} for city, image, bbs in cells]
    path = root / "annotations" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {variable or f"{name}_aligned": made})
    return path


def aachen(rows=ROWS):
    return "aachen", f"{STEM}_leftImg8bit.png", np.array(rows, float).reshape(-1, 10)


@pytest.mark.parametrize("base", ["gtBboxCityPersons", "gtBbox_cityPersons_trainval/gtBboxCityPersons"])
def test_every_label_of_the_tree_is_read(tmp_path, base):
    path = json_form(tmp_path, base=base)
    (found,) = entries("citypersons", tmp_path)
    assert found.image == tmp_path / f"leftImg8bit/train/aachen/{STEM}_leftImg8bit.png"
    assert found.where == f"{path}:1"
    assert places(found) == EXPECTED
    assert found.truth.visible[1].tolist() == [10, 8, 19, 19]
    assert found.truth.visibility[1] == pytest.approx(0.5)
    assert [one["instanceId"] for one in found.truth.attributes] == [row[5] for row in ROWS]


def test_both_forms_say_the_same(tmp_path):
    json_form(tmp_path / "json")
    mat_form(tmp_path / "mat", aachen())
    picture(tmp_path / f"mat/leftImg8bit/train/aachen/{STEM}_leftImg8bit.png")
    (one,), (other,) = entries("citypersons", tmp_path / "json"), entries("citypersons_mat", tmp_path / "mat")
    assert told(one) == told(other)
    assert one.truth.names == other.truth.names


@pytest.mark.parametrize("form", ["citypersons", "citypersons_mat"])
def test_what_is_written_is_read_again_in_its_own_place(tmp_path, form):
    for split, stem in (("train", STEM), ("val", "lindau_000001_000019")):
        json_form(tmp_path / "a", split=split, stem=stem)
    assert format_of(form).write(tmp_path / "b", read("citypersons", tmp_path / "a")) == 2
    before, after = entries("citypersons", tmp_path / "a"), entries(form, tmp_path / "b")
    assert list(map(told, after)) == list(map(told, before))
    assert [one.image.relative_to(tmp_path / "b") for one in after] == [
        one.image.relative_to(tmp_path / "a") for one in before
    ]
    if form == "citypersons":
        (path, _) = format_of(form).label_files(tmp_path / "b")
        assert json.loads(path.read_text()) == tree()


def test_the_matlab_layout_is_the_published_one(tmp_path):
    json_form(tmp_path / "a")
    format_of("citypersons_mat").write(tmp_path / "b", read("citypersons", tmp_path / "a"))
    cell = loadmat(tmp_path / "b/annotations/anno_train.mat")["anno_train_aligned"]
    assert cell.shape == (1, 1)
    record = cell[0, 0]
    assert record["cityname"][0][0][0] == "aachen"
    assert record["im_name"][0][0][0] == f"{STEM}_leftImg8bit.png"
    assert record["bbs"][0][0].tolist() == ROWS


@pytest.mark.parametrize("form", ["citypersons", "citypersons_mat"])
def test_what_is_no_person_is_left_out_and_ignored_people_become_regions(tmp_path, form):
    objects = (
        LabelledObject((1, 2, 11, 32), "car"),
        LabelledObject((20, 2, 30, 32), "pedestrian", ignore=True),
        LabelledObject((40, 2, 50, 32), "pedestrian"),
    )
    format_of(form).write(tmp_path / "out", [sample(picture(tmp_path / "a.jpg"), *objects)])
    (after,) = entries(form, tmp_path / "out")
    assert places(after) == [((20, 2, 30, 32), "ignore", True), ((40, 2, 50, 32), "pedestrian", False)]
    assert after.image.suffix == ".png"
    with pytest.raises(DataError, match="no objects"):
        format_of(form).write(tmp_path / "none", [Sample(after.image, Lanes((), 64, 48))])


def test_labels_choose_a_split(tmp_path):
    json_form(tmp_path)
    json_form(tmp_path, split="val", stem="lindau_000001_000019")
    base = "gtBbox_cityPersons_trainval/gtBboxCityPersons"
    (one,) = entries("citypersons", tmp_path, (f"{base}/val",))
    assert "lindau" in one.image.name
    digests = stage._label_digests("citypersons", tmp_path, (f"{base}/val",))
    assert list(digests) == [f"{base}/val/lindau/lindau_000001_000019_gtBboxCityPersons.json"]
    (same,) = entries("citypersons", tmp_path, (str(one.where.split(":")[0]).removeprefix(f"{tmp_path}/"),))
    assert told(same) == told(one)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t["objects"][1].update(label="dog"), "objects[1]: label 'dog' is none of"),
        (lambda t: t["objects"][1].update(bbox=[1, 2, 3]), "objects[1]: 'bbox' must be four numbers"),
        (lambda t: t["objects"][1].update(bbox=[1, 2, 3, 1e99]), "objects[1]: 'bbox' must be four numbers"),
        (lambda t: t["objects"][1].update(bboxVis="all"), "$.objects[1].bboxVis"),
        (lambda t: t["objects"][1].pop("bbox"), "$.objects[1]"),
        (lambda t: t.update(imgWidth=0), "0 x 48 pixels"),
        (lambda t: t.pop("objects"), "missing required field"),
    ],
)
def test_a_broken_json_file_is_named_and_the_next_one_read(tmp_path, change, text):
    broken = tree()
    change(broken)
    path = json_form(tmp_path, broken)
    json_form(tmp_path, split="val", stem="lindau_000001_000019")
    fault, good = format_of("citypersons").entries(tmp_path)
    assert fault.where == f"{path}:1"
    assert text in fault.text
    assert places(good) == EXPECTED


@pytest.mark.parametrize("text", ["", "{", "[" * 50_000, '{"objects": ' + "[" * 50_000, "\x00", "nan"])
def test_what_is_no_json_is_named(tmp_path, text):
    path = json_form(tmp_path, text)
    (fault,) = faults("citypersons", tmp_path)
    assert fault.where == f"{path}:1"
    assert "no CityPersons label file" in fault.text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (("aachen", f"{STEM}_leftImg8bit.png", np.ones((2, 9))), "'bbs' must have 10 columns"),
        (("aachen", f"{STEM}_leftImg8bit.png", "none"), "'bbs' must be numbers"),
        (("aachen", f"{STEM}_leftImg8bit.png", np.full((1, 10), np.nan)), "'bbs' must be finite"),
        (("aachen", f"{STEM}_leftImg8bit.png", np.full((1, 10), 7.0)), "class 7 is none of 0 to 5"),
        (
            ("aachen", f"{STEM}_leftImg8bit.png", np.array([[1, 2, 3, 1e9, 5, 0, 1, 1, 1, 1.0]])),
            "row 1 of 'bbs': the box",
        ),
        (("aachen", 5.0, np.ones((1, 10))), "'im_name' must be text"),
        (("aachen", "../../../etc/passwd", np.ones((1, 10))), "must be a path below"),
        (("aachen", "bonn_000000_000019_leftImg8bit.png", np.ones((1, 10))), "can't be read"),
    ],
)
def test_a_broken_cell_is_named_and_the_next_one_read(tmp_path, cell, text):
    path = mat_form(tmp_path, cell, aachen())
    picture(tmp_path / f"leftImg8bit/train/aachen/{STEM}_leftImg8bit.png")
    fault, good = format_of("citypersons_mat").entries(tmp_path)
    assert fault.where == f"{path}:1"
    assert text in fault.text
    assert places(good) == EXPECTED


def test_pictures_without_people_have_empty_rows(tmp_path):
    mat_form(tmp_path, aachen([]), ("aachen", f"{STEM}_leftImg8bit.png", np.zeros((0, 0))), name="anno_val")
    picture(tmp_path / f"leftImg8bit/val/aachen/{STEM}_leftImg8bit.png")
    assert [len(one.truth) for one in entries("citypersons_mat", tmp_path)] == [0, 0]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"other": 1.0}, "one variable 'anno_train_aligned'"),
        ({"anno_x": 1.0}, "'anno_x' must be a cell array"),
        ({"anno_x": "text"}, "'anno_x' must be a cell array"),
        ({"anno_a": 1.0, "anno_b": 1.0}, "one variable"),
    ],
)
def test_a_matlab_file_of_something_else_is_named(tmp_path, content, text):
    path = mat_form(tmp_path, aachen())
    savemat(path, content)
    (fault,) = faults("citypersons_mat", tmp_path)
    assert fault.where == f"{path}:1"
    assert text in fault.text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_makes_a_matlab_file_fail_otherwise(tmp_path_factory, changes):
    root = tmp_path_factory.mktemp("mat")
    path = mat_form(root, aachen(), aachen([]))
    data = bytearray(path.read_bytes())
    for share, byte in changes:
        data[int(share * len(data))] = byte
    path.write_bytes(bytes(data))
    for one in format_of("citypersons_mat").entries(root):
        assert "\n" not in one.text


people = st.tuples(
    boxes(whole=True), boxes(whole=True), st.sampled_from([name for _, name, _ in EXPECTED]), st.integers(0, 10**6)
)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["citypersons", "citypersons_mat"]), st.lists(people, max_size=5))
def test_any_people_survive(tmp_path_factory, form, drawn):
    folder = tmp_path_factory.mktemp("people")
    objects = [
        LabelledObject(box, name, name in {"ignore", "people"}, seen, None, {"instanceId": key})
        for box, seen, name, key in drawn
    ]
    before = sample(picture(folder / "0.png"), *objects)
    format_of(form).write(folder / "out", [before])
    (after,) = entries(form, folder / "out")
    assert told(after) == told(before)
