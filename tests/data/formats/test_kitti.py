"""KITTI's object labels: the readme's columns read and written, damage told by file and line."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_objects import boxes, entries, faults, picture, places, sample, told

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.kitti import line_of, object_of
from edgecnn.data.formats.object_labels import LabelledObject, labelled
from edgecnn.data.sample import Sample

WALKER = "Pedestrian 0.00 1 -0.20 10.50 8.25 20.75 40.00 1.89 0.48 1.20 1.84 1.47 8.41 0.01"
RIDER = "Cyclist 0.34 3 1.85 2.00 3.00 30.00 44.00 1.76 0.60 1.79 -5.20 1.58 9.20 -1.57"
REGION = "DontCare -1 -1 -10 50.00 10.00 60.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10"


def written(root, *lines, number=0, base="training"):
    path = root / base / f"label_2/{number:06d}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    picture(root / base / f"image_2/{number:06d}.png")
    return path


@pytest.mark.parametrize("base", ["training", ""])
def test_every_column_is_read(tmp_path, base):
    written(tmp_path, WALKER, RIDER, REGION, base=base)
    (found,) = entries("kitti", tmp_path)
    assert found.image == tmp_path / base / "image_2/000000.png"
    assert found.where.endswith("label_2/000000.txt:1")
    assert (found.truth.width, found.truth.height) == (64, 48)
    assert places(found) == [
        ((11.0, 8.75, 21.25, 40.5), "pedestrian", False),
        ((2.5, 3.5, 30.5, 44.5), "rider", False),
        ((50.5, 10.5, 60.5, 20.5), "ignore", True),
    ]
    assert found.truth.attributes[0] == {
        "truncated": 0.0,
        "occluded": 1,
        "alpha": -0.2,
        "dimensions": [1.89, 0.48, 1.2],
        "location": [1.84, 1.47, 8.41],
        "rotation_y": 0.01,
    }


@pytest.mark.parametrize("line", [WALKER, RIDER, REGION, f"{WALKER} 0.875"])
def test_a_line_read_and_written_is_the_same_line(tmp_path, line):
    one = object_of(line)
    again = line_of(one, sample(picture(tmp_path / "0.png")))
    assert again == line


def test_width_and_height_are_what_the_official_evaluation_takes(tmp_path):
    one = object_of(WALKER)
    assert one.box[2] - one.box[0] == pytest.approx(20.75 - 10.50)
    assert one.box[3] - one.box[1] == pytest.approx(40.00 - 8.25)


def test_types_beyond_the_list_keep_their_word(tmp_path):
    one = object_of("Traffic_light" + WALKER.removeprefix("Pedestrian"))
    assert one.name == "traffic light"
    assert line_of(one, sample(picture(tmp_path / "0.png"))).startswith("Traffic_light ")


def test_a_folder_written_is_read_again(tmp_path):
    source = tmp_path / "source"
    written(source, WALKER, REGION, number=7)
    written(source, RIDER, number=12)
    written(source, number=13)
    assert format_of("kitti").write(tmp_path / "copy", read("kitti", source)) == 3
    again = entries("kitti", tmp_path / "copy")
    assert [one.image.name for one in again] == ["000007.png", "000012.png", "000013.png"]
    assert list(map(told, again)) == list(map(told, entries("kitti", source)))
    assert (tmp_path / "copy/training/label_2/000007.txt").read_text() == f"{WALKER}\n{REGION}\n"


def test_labels_of_other_data_sets_say_what_boxes_tell(tmp_path):
    image = picture(tmp_path / "a/street.jpg")
    half_seen = LabelledObject((10, 10, 20, 30), "pedestrian", visible=(10, 10, 20, 18))
    half_out = LabelledObject((-10, 0, 10, 20), "other person")
    crowd = LabelledObject((30, 0, 40, 20), "people", ignore=True)
    format_of("kitti").write(tmp_path / "out", [sample(image, half_seen, half_out, crowd)])
    lines = (tmp_path / "out/training/label_2/000000.txt").read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["Pedestrian", "0.00", "2"],
        ["Other_person", "0.50", "0"],
        ["DontCare", "-1", "-1"],
    ]
    (again,) = entries("kitti", tmp_path / "out")
    assert [one.name for one in labelled(again.truth)] == ["pedestrian", "other person", "ignore"]


def test_labels_name_files_folders_and_lists(tmp_path):
    for number in range(3):
        written(tmp_path, WALKER, number=number)
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets/val.txt").write_text("000002\n\n000000\n")
    assert [one.image.stem for one in entries("kitti", tmp_path, ("ImageSets/val.txt",))] == ["000002", "000000"]
    assert [one.image.stem for one in entries("kitti", tmp_path, ("training/label_2/000001.txt",))] == ["000001"]
    assert len(entries("kitti", tmp_path, ("training/label_2",))) == 3
    (tmp_path / "ImageSets/bad.txt").write_text("000001\n../../secret\n000009\n")
    first, second = faults("kitti", tmp_path, ("ImageSets/bad.txt",))
    assert first.where == f"{tmp_path}/ImageSets/bad.txt:2"
    assert second.where.endswith("000009.txt:1")
    with pytest.raises(DataError, match="check the name of the list"):
        list(format_of("kitti").entries(tmp_path, ("ImageSets/none.txt",)))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Pedestrian 0.0 0 0 1 2 3", "7 columns"),
        (WALKER.replace("10.50", "ten"), "'ten' is no number"),
        (WALKER.replace("10.50", "nan"), "'nan' is no number"),
        (WALKER.replace("10.50", "1e300"), "is no number"),
        (WALKER.replace("10.50", "9999999"), "four numbers of pixels"),
        (WALKER.replace("10.50", "²"), "is no number"),
        ("\x00\xff" * 40, "columns"),
    ],
)
def test_a_broken_line_is_named_and_the_next_file_read(tmp_path, line, text):
    path = written(tmp_path, WALKER, line)
    written(tmp_path, RIDER, number=1)
    fault, good = format_of("kitti").entries(tmp_path)
    assert fault.where == f"{path}:2"
    assert text in fault.text
    assert good.truth.attributes[0]["occluded"] == 3


def test_scores_on_some_lines_only_are_refused(tmp_path):
    written(tmp_path, f"{WALKER} 0.5", RIDER)
    (fault,) = faults("kitti", tmp_path)
    assert "1 of 2 objects have a score" in fault.text


def test_a_missing_or_cut_picture_is_the_pictures_fault(tmp_path):
    written(tmp_path, WALKER)
    written(tmp_path, WALKER, number=1)
    (tmp_path / "training/image_2/000000.png").unlink()
    (tmp_path / "training/image_2/000001.png").write_bytes(b"")
    missing, empty = faults("kitti", tmp_path)
    assert (missing.kind, empty.kind) == ("missing picture", "broken picture")


def test_a_folder_without_labels_and_a_sample_without_objects_are_refused(tmp_path):
    with pytest.raises(DataError, match="label_2"):
        format_of("kitti").label_files(tmp_path)
    lanes = Sample(picture(tmp_path / "0.png"), Lanes((), 64, 48))
    with pytest.raises(DataError, match="no objects"):
        format_of("kitti").write(tmp_path / "out", [lanes])
    assert not (tmp_path / "out/training/label_2").exists()


words = st.sampled_from(["pedestrian", "rider", "sitting person", "car", "traffic light", "other person"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(boxes(), words, st.booleans(), st.integers(0, 3), st.floats(-3, 3).map(lambda v: round(v, 2))))
)
def test_any_objects_survive_a_line(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("kitti")
    objects = [
        LabelledObject(box, "ignore" if ignore else name, ignore, attributes={"occluded": occluded, "alpha": alpha})
        for box, name, ignore, occluded, alpha in drawn
    ]
    before = sample(picture(folder / "0.png"), *objects)
    format_of("kitti").write(folder / "out", [before])
    (after,) = entries("kitti", folder / "out")
    assert places(after) == places(before)
    for one, said in zip(labelled(after.truth), objects, strict=True):
        assert {key: one.attributes[key] for key in ("occluded", "alpha")} == said.attributes


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_no_line_makes_it_fail_otherwise(text):
    with contextlib.suppress(DataError):
        object_of(text)
