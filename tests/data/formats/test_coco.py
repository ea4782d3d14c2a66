"""COCO's instances files: read as published, streamed, written with the ids they came with."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_objects import boxes, entries, faults, picture, places, sample, told

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.coco import read_results
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.object_labels import LabelledObject, labelled
from edgecnn.data.sample import Sample

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
]


def annotation(key, image, bbox, category=1, **more):
    base = {"id": key, "image_id": image, "category_id": category, "bbox": bbox, "area": 60.5, "iscrowd": 0}
    return base | {"segmentation": [[1.5, 2.5, 9.0, 2.5, 9.0, 8.0]]} | more


def tree():
    return {
        "info": {"year": 2017, "version": "1.0"},
        "licenses": [{"id": 1, "name": "none"}],
        "images": [
            {"id": 139, "file_name": "000000000139.jpg", "width": 64, "height": 48, "license": 1},
            {"id": 285, "file_name": "000000000285.jpg", "width": 64, "height": 48},
            {"id": 724, "file_name": "000000000724.jpg", "width": 64, "height": 48},
        ],
        "annotations": [
            annotation(9, 724, [1.33, 2.01, 38.65, 20.7], 90),
            annotation(3, 139, [5, 6, 10, 20]),
            annotation(4, 139, [0, 0, 64, 30], iscrowd=1, segmentation={"counts": [3, 4], "size": [48, 64]}),
            annotation(5, 724, [12.345678, 1, 2, 3]),
        ],
        "categories": CATEGORIES,
    }


def written(root, tree, name="annotations/instances_val2017.json", pictures="val2017"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    for number in (139, 285, 724):
        picture(root / pictures / f"{number:012d}.jpg")
    return path


def test_pictures_come_in_order_with_their_own_annotations(tmp_path):
    path = written(tmp_path, tree())
    first, empty, last = entries("coco", tmp_path)
    assert first.image == tmp_path / "val2017/000000000139.jpg"
    assert first.where == f"{path}:images[0]"
    assert first.truth.names == ("pedestrian", "toothbrush")
    assert places(first) == [((5, 6, 15, 26), "pedestrian", False), ((0, 0, 64, 30), "pedestrian", True)]
    assert len(empty.truth) == 0
    assert places(last) == [
        ((1.33, 2.01, 39.98, 22.71), "toothbrush", False),
        ((12.35, 1, 14.35, 4), "pedestrian", False),
    ]
    assert first.truth.attributes[1]["segmentation"] == {"counts": [3, 4], "size": [48, 64]}
    assert first.truth.attributes[0] == {
        "id": 3,
        "image_id": 139,
        "category_id": 1,
        "category": "person",
        "area": 60.5,
        "iscrowd": 0,
        "segmentation": [[1.5, 2.5, 9.0, 2.5, 9.0, 8.0]],
    }


@pytest.mark.parametrize("folder", ["images", "", "annotations", "val2017", "images/val2017"])
def test_pictures_are_found_where_people_keep_them(tmp_path, folder):
    written(tmp_path, tree(), pictures=folder)
    assert all(one.image.is_file() for one in entries("coco", tmp_path))


def test_what_is_written_is_the_same_file_again(tmp_path):
    before = tree()
    written(tmp_path / "a", before)
    assert format_of("coco").write(tmp_path / "b", read("coco", tmp_path / "a")) == 3
    after = json.loads((tmp_path / "b/annotations/instances_default.json").read_text())
    key = lambda one: one["id"]  # noqa: E731
    assert sorted(after["annotations"], key=key) == sorted(before["annotations"], key=key)
    assert [(one["id"], one["file_name"]) for one in after["images"]] == [
        (one["id"], one["file_name"]) for one in before["images"]
    ]
    assert {one["id"]: one["name"] for one in after["categories"]} == {1: "person", 90: "toothbrush"}
    again = entries("coco", tmp_path / "b")
    assert list(map(told, again)) == list(map(told, entries("coco", tmp_path / "a")))
    assert again[0].image == tmp_path / "b/images/000000000139.jpg"


def test_visible_boxes_tags_and_ignored_people_survive(tmp_path):
    objects = (
        LabelledObject((1, 2, 11, 32), "pedestrian", visible=(1, 2, 11, 12), attributes={"truncated": 0.5}),
        LabelledObject((20, 2, 30, 32), "people", ignore=True),
    )
    one = sample(picture(tmp_path / "x/frame.png"), *objects, tags=("night",), names=("pedestrian", "rider"))
    two = sample(picture(tmp_path / "y/frame.png"))
    assert format_of("coco").write(tmp_path / "out", [one, two]) == 2
    first, second = entries("coco", tmp_path / "out")
    assert first.tags == ("night",)
    assert [line[:4] for line in told(first)] == [
        ((1, 2, 11, 32), "pedestrian", False, (1, 2, 11, 12)),
        ((20, 2, 30, 32), "people", True, (20, 2, 30, 32)),
    ]
    assert first.truth.attributes[0]["truncated"] == 0.5
    assert set(first.truth.names) == {"pedestrian", "rider", "people"}
    assert first.image.name != second.image.name


def test_ids_that_stand_twice_are_numbered_anew(tmp_path):
    one = LabelledObject((1, 2, 11, 32), "pedestrian", attributes={"id": 7, "image_id": 5, "category_id": 3})
    two = LabelledObject((1, 2, 11, 32), "car", attributes={"id": 7, "image_id": 5, "category_id": 3})
    samples = [sample(picture(tmp_path / f"{name}.png"), thing) for name, thing in (("a", one), ("b", two))]
    format_of("coco").write(tmp_path / "out", samples)
    made = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    assert [one["id"] for one in made["images"]] == [5, 6]
    assert [one["id"] for one in made["annotations"]] == [7, 8]
    assert [one["id"] for one in made["categories"]] == [3, 4]
    assert not faults("coco", tmp_path / "out")


def test_sizes_that_are_not_told_come_from_the_pictures(tmp_path):
    told_not = tree()
    for image in told_not["images"]:
        del image["width"], image["height"]
    written(tmp_path, told_not)
    assert {(one.truth.width, one.truth.height) for one in entries("coco", tmp_path)} == {(64, 48)}


@pytest.mark.parametrize(
    ("change", "where", "text"),
    [
        (lambda t: t["annotations"][1].update(bbox=[1, 2, 3]), "annotations[1]", "'bbox' must be four numbers"),
        (lambda t: t["annotations"][1].update(bbox=[1, 2, "3", 4]), "annotations[1]", "'bbox' must be four numbers"),
        (lambda t: t["annotations"][1].update(bbox=[1, 2, 1e30, 4]), "annotations[1]", "'bbox' must be four numbers"),
        (lambda t: t["annotations"][1].update(bbox=7), "annotations[1]", "'bbox' must be four numbers"),
        (lambda t: t["annotations"][1].update(vis_bbox=None), "annotations[1]", "'vis_bbox' must be four numbers"),
        (lambda t: t["annotations"][1].update(category_id=2), "annotations[1]", "category_id 2 is not among"),
        (lambda t: t["annotations"][1].update(category_id=[1]), "annotations[1]", "is not among 'categories'"),
        (lambda t: t["annotations"][1].update(image_id=140), "annotations[1]", "image_id 140 is not among 'images'"),
        (lambda t: t["annotations"][1].update(image_id=None), "annotations[1]", "needs an 'id' and an 'image_id'"),
        (lambda t: t["annotations"][1].update(id=9), "annotations[1]", "id 9 stands twice"),
        (lambda t: t["annotations"].insert(1, 5), "annotations[1]", "needs an 'id' and an 'image_id'"),
        (lambda t: t["images"][1].update(id=139), "images[1]", "id 139 stands twice"),
        (lambda t: t["images"][1].update(width=-64), "images[1]", "'width' and 'height' must be"),
        (lambda t: t["images"][1].update(height=10**9), "images[1]", "'width' and 'height' must be"),
        (lambda t: t["images"][1].update(file_name="../../etc/passwd"), "images[1]", "must be a path below"),
        (lambda t: t["images"][1].update(file_name="a\0b"), "images[1]", "must be a path below"),
        (lambda t: t["images"].insert(1, []), "images[1]", "needs an 'id' and a 'file_name'"),
    ],
)
def test_a_broken_entry_is_named_and_the_rest_is_read(tmp_path, change, where, text):
    broken = tree()
    change(broken)
    path = written(tmp_path, broken)
    found = faults("coco", tmp_path)
    assert [one.where for one in found if text in one.text] == [f"{path}:{where}"]
    assert len(list(format_of("coco").entries(tmp_path))) > len(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps(tree())[:900], "not JSON, within its first 900 bytes"),
        (json.dumps(tree() | {"categories": []}), "no 'categories'"),
        (json.dumps(tree() | {"categories": [{"id": 1}]}), "categories[0] needs an 'id' and a 'name'"),
        (json.dumps(tree() | {"categories": [CATEGORIES[0]] * 2}), "id 1 stands twice"),
        (json.dumps(tree()).replace('"area": 60.5', '"area": ' + "[" * 100_000), "200 deep"),
        (json.dumps(tree()).replace("2017", "[" * 500).replace("1.5", "x"), "not JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, said):
    path = written(tmp_path, text)
    found = faults("coco", tmp_path, ("annotations/instances_val2017.json",))
    assert found[-1].where == str(path)
    assert said in found[-1].text


def test_other_json_is_not_taken_for_it(tmp_path):
    for name, other in (("a", [1]), ("b", {"images": [{"id": 1}]}), ("c", {"objects": [], "imgWidth": 5}), ("d", 3)):
        (tmp_path / f"{name}.json").write_text(json.dumps(other))
    (tmp_path / "e.json").write_text("{")
    (tmp_path / "f.json").write_bytes(b"\xff\x00")
    assert not format_of("coco").recognise(tmp_path)
    with pytest.raises(DataError, match="instances_"):
        format_of("coco").label_files(tmp_path)
    (tmp_path / "g.json").write_text(json.dumps(tree()))
    assert format_of("coco").recognise(tmp_path)
    assert format_of("coco").label_files(tmp_path) == [tmp_path / "g.json"]


def test_results_are_read_by_picture(tmp_path):
    instances = written(tmp_path, tree())
    path = tmp_path / "results.json"
    result = {"image_id": 724, "category_id": 1, "bbox": [1.5, 2, 3, 4], "score": 0.75}
    path.write_text(json.dumps([result, result | {"image_id": 139, "category_id": 90, "score": 1}]))
    found = dict(read_results(path, instances))
    assert list(found) == ["000000000139.jpg", "000000000285.jpg", "000000000724.jpg"]
    assert [len(one) for one in found.values()] == [1, 0, 1]
    assert found["000000000724.jpg"].boxes.tolist() == [[1.5, 2, 4.5, 6]]
    assert found["000000000724.jpg"].scores.tolist() == [0.75]
    assert found["000000000139.jpg"].names[found["000000000139.jpg"].labels[0]] == "toothbrush"
    for change, text in (
        ({"image_id": 1}, "image_id 1 is not among"),
        ({"category_id": 7}, "category_id 7"),
        ({"bbox": []}, "four numbers"),
        ({"score": "high"}, "needs 'image_id'"),
    ):
        path.write_text(json.dumps([result, result | change]))
        with pytest.raises(DataError, match=r"results.json:\[1\]") as caught:
            list(read_results(path, instances))
        assert text in str(caught.value)


def test_a_sample_without_objects_is_refused(tmp_path):
    lanes = Sample(picture(tmp_path / "0.png"), Lanes((), 64, 48))
    with pytest.raises(DataError, match="no objects"):
        format_of("coco").write(tmp_path / "out", [lanes])
    assert not (tmp_path / "out/annotations/instances_default.json").exists()


def test_memory_does_not_grow_with_the_file(tmp_path):
    def most(count):
        root = tmp_path / str(count)
        big = tree()
        big["images"] = [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48} for n in range(count)]
        big["annotations"] = [annotation(n, n, [1, 2, 3, 4], segmentation=[[1.5] * 200]) for n in range(count)]
        (root / "annotations").mkdir(parents=True)
        (root / "annotations/instances_x.json").write_text(json.dumps(big))
        del big
        tracemalloc.start()
        assert sum(1 for _ in format_of("coco").entries(root)) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(1500) < most(150) + 200_000


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(boxes(), st.sampled_from(["pedestrian", "people", "car", "Ümlaut"]), st.booleans()), max_size=4
        ),
        max_size=3,
    )
)
def test_any_objects_survive(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("coco")
    before = [
        sample(picture(folder / f"{n}.png"), *(LabelledObject(*one) for one in objects))
        for n, objects in enumerate(drawn)
    ]
    format_of("coco").write(folder / "out", before)
    after = [
        [(one.box, one.name, one.ignore) for one in labelled(found.truth)] for found in entries("coco", folder / "out")
    ]
    assert after == [[(box, name.lower(), ignore) for box, name, ignore in objects] for objects in drawn]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "image_id", "bbox", "name"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["images", "annotations", "categories"]), st.lists(json_values, max_size=3), max_size=3
    )
)
def test_nothing_makes_it_fail_but_faults(tmp_path_factory, made):
    root = tmp_path_factory.mktemp("odd")
    (root / "a.json").write_text(json.dumps(made))
    format_of("coco").recognise(root)
    for one in format_of("coco").entries(root, ("a.json",)):
        assert "\n" not in getattr(one, "text", "")
