"""Pascal VOC's XML and PASCAL's older text form (Penn-Fudan, INRIA)."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_objects import boxes, entries, faults, picture, places, sample, told

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.formats.object_labels import LabelledObject, labelled
from edgecnn.data.sample import Sample

XML = """<annotation>
	<folder>VOC2012</folder>
	<filename>2007_000027.jpg</filename>
	<source><database>The VOC2007 Database</database></source>
	<size>
		<width>64</width>
		<height>48</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>person</name>
		<pose>Frontal</pose>
		<truncated>1</truncated>
		<occluded>0</occluded>
		<difficult>0</difficult>
		<bndbox><xmin>10</xmin><ymin>5</ymin><xmax>20</xmax><ymax>40</ymax></bndbox>
		<part><name>head</name><bndbox><xmin>11</xmin><ymin>5</ymin><xmax>14</xmax><ymax>9</ymax></bndbox></part>
	</object>
	<object>
		<name>diningtable</name>
		<difficult>1</difficult>
		<bndbox><ymin>1</ymin><xmin>1</xmin><ymax>48</ymax><xmax>64</xmax></bndbox>
	</object>
</annotation>
"""
TEXT = """# Compatible with PASCAL Annotation Version 1.00
Image filename : "PennFudanPed/PNGImages/FudanPed00001.png"
Image size (X x Y x C) : 64 x 48 x 3
Database : "The Penn-Fudan-Pedestrian Database"
Objects with ground truth : 2 { "PASpersonWalking" "PASpersonWalking" }
# Note there may be some objects not included in the ground truth list for they are severe-occluded
# or have very small size.
# Top left pixel co-ordinates : (1, 1)
# Details for pedestrian 1 ("PASpersonWalking")
Original label for object 1 "PASpersonWalking" : "PennFudanPed"
Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (16, 10) - (30, 43)
Pixel mask for object 1 "PASpersonWalking" : "PennFudanPed/PedMasks/FudanPed00001_mask.png"

# Details for pedestrian 2 ("PASpersonWalking")
Original label for object 2 "PASpersonWalking" : "PennFudanPed"
Bounding box for object 2 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (41, 12) - (53, 48)
Pixel mask for object 2 "PASpersonWalking" : "PennFudanPed/PedMasks/FudanPed00001_mask.png"
"""


def voc(root, text=XML, name="2007_000027"):
    path = root / f"Annotations/{name}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    picture(root / f"JPEGImages/{name}.jpg")
    return path


def fudan(root, text=TEXT, name="FudanPed00001"):
    path = root / f"Annotation/{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    picture(root / f"PNGImages/{name}.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[9:43, 15:30], mask[11:48, 40:53] = 1, 2
    (root / "PedMasks").mkdir(exist_ok=True)
    cv2.imwrite(str(root / f"PedMasks/{name}_mask.png"), mask)
    return path


def test_everything_of_an_object_is_read(tmp_path):
    path = voc(tmp_path)
    (found,) = entries("voc", tmp_path)
    assert found.image == tmp_path / "JPEGImages/2007_000027.jpg"
    assert found.where == f"{path}:1"
    assert places(found) == [((9, 4, 20, 40), "pedestrian", False), ((0, 0, 64, 48), "diningtable", True)]
    assert found.truth.attributes[0] == {
        "name": "person",
        "pose": "Frontal",
        "truncated": 1,
        "occluded": 0,
        "difficult": 0,
        "part": [{"name": "head", "bndbox": {"xmin": 11, "ymin": 5, "xmax": 14, "ymax": 9}}],
    }


def test_what_is_written_is_read_again(tmp_path):
    voc(tmp_path / "a")
    assert format_of("voc").write(tmp_path / "b", read("voc", tmp_path / "a")) == 1
    (before,), (after,) = entries("voc", tmp_path / "a"), entries("voc", tmp_path / "b")
    assert places(after) == places(before)
    assert after.truth.attributes[0] == before.truth.attributes[0]
    assert after.image.name == "2007_000027.jpg"
    (listed,) = entries("voc", tmp_path / "b", ("ImageSets/Main/default.txt",))
    assert told(listed) == told(after)


def test_lists_name_a_split(tmp_path):
    for name in ("one", "two", "three"):
        voc(tmp_path, XML.replace("2007_000027", name), name)
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/person_val.txt").write_text("two  1\none -1\n../x 1\nfour 1\n")
    found = list(format_of("voc").entries(tmp_path, ("ImageSets/Main/person_val.txt",)))
    assert [one.image.stem for one in found[:2]] == ["two", "one"]
    assert found[2].where.endswith("person_val.txt:3")
    assert found[3].where.endswith("four.xml:1")
    assert len(entries("voc", tmp_path, ("Annotations",))) == 3
    assert len(entries("voc", tmp_path, ("Annotations/one.xml",))) == 1


def test_a_picture_called_otherwise_or_a_size_left_out_are_looked_up(tmp_path):
    text = XML.replace("2007_000027.jpg", "elsewhere.jpg").replace("<width>64", "<width>0")
    voc(tmp_path, text)
    (found,) = entries("voc", tmp_path)
    assert (found.truth.width, found.truth.height) == (64, 48)


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>\n'
    "<annotation><filename>&c;</filename></annotation>"
)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (XML.replace("<xmin>10</xmin>", ""), 11, "'bndbox' must be four numbers"),
        (XML.replace("<xmin>10</xmin>", "<xmin>ten</xmin>"), 11, "'bndbox' must be four numbers"),
        (XML.replace("<xmin>10</xmin>", "<xmin>1e99</xmin>"), 11, "'bndbox' must be four numbers"),
        (XML.replace("<name>diningtable</name>", ""), 20, "without 'name'"),
        (XML.replace("bndbox>", "box>"), 11, "without 'bndbox'"),
        (XML[:-10], 25, "not XML"),
        (XML.replace("</size>", "</sizes>"), 9, "not XML"),
        (XML.replace("annotation>", "note>"), 1, "must be 'annotation', not 'note'"),
        (XML.replace("2007_000027.jpg", "../../secret.jpg"), 1, "must be a path below"),
        (ENTITIES, 1, "a document type"),
        ("<annotation>" + "<a>" * 100_000, 1, "32 deep"),
        (b"\xff\xfe\x00", 1, "not XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', 1, "not XML"),
        ("", 1, "not XML"),
    ],
)
def test_a_broken_file_is_named_by_its_line_and_the_next_one_read(tmp_path, text, line, said):
    path = voc(tmp_path, text)
    voc(tmp_path, XML, "2008_000001")
    fault, good = format_of("voc").entries(tmp_path)
    assert fault.where == f"{path}:{line}"
    assert said in fault.text
    assert "\n" not in fault.text
    assert len(good.truth) == 2


def test_missing_pictures_are_told_apart(tmp_path):
    voc(tmp_path)
    (tmp_path / "JPEGImages/2007_000027.jpg").unlink()
    (fault,) = faults("voc", tmp_path)
    assert fault.kind == "missing picture"


def test_people_and_masks_of_penn_fudan(tmp_path):
    root = tmp_path / "PennFudanPed"
    path = fudan(root)
    (found,) = entries("pascal_text", root)
    assert found.image == root / "PNGImages/FudanPed00001.png"
    assert found.masks == root / "PedMasks/FudanPed00001_mask.png"
    assert found.where == f"{path}:1"
    assert places(found) == [((15, 9, 30, 43), "pedestrian", False), ((40, 11, 53, 48), "pedestrian", False)]
    assert found.truth.attributes[0] == {"label": "PASpersonWalking", "original": "PennFudanPed"}
    mask = cv2.imread(str(found.masks), cv2.IMREAD_UNCHANGED)
    for number, (left, top, right, bottom) in enumerate(found.truth.boxes.astype(int), 1):
        rows, columns = np.nonzero(mask == number)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (left, top, right, bottom)


def test_a_file_that_counts_from_zero_says_so(tmp_path):
    inria = TEXT.replace("(1, 1)", "(0, 0)").replace("PASpersonWalking", "PASperson").replace("# Compatible with", "#")
    inria = "\n".join(line for line in inria.splitlines() if "mask" not in line)
    path = tmp_path / "Train/annotations/crop1.txt"
    path.parent.mkdir(parents=True)
    path.write_text(inria.replace("PennFudanPed/PNGImages/FudanPed00001", "Train/pos/crop1"))
    picture(tmp_path / "Train/pos/crop1.png")
    (found,) = entries("pascal_text", tmp_path)
    assert places(found)[0] == ((16, 10, 31, 44), "pedestrian", False)
    assert found.image == tmp_path / "Train/pos/crop1.png"
    assert format_of("pascal_text").recognise(tmp_path)


def test_people_and_masks_are_written_again(tmp_path):
    fudan(tmp_path / "PennFudanPed")
    before = entries("pascal_text", tmp_path / "PennFudanPed")
    format_of("pascal_text").write(tmp_path / "PennFudanPed2", before)
    (after,) = entries("pascal_text", tmp_path / "PennFudanPed2")
    assert told(after) == told(before[0])
    masks = [cv2.imread(str(one.masks), cv2.IMREAD_UNCHANGED) for one in (after, before[0])]
    assert (masks[0] == masks[1]).all()


def test_what_is_ignored_is_left_out_with_its_mask(tmp_path):
    mask = np.zeros((48, 64), np.uint16)
    mask[2:32, 1:11], mask[2:32, 20:30] = 1, 2
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    objects = (LabelledObject((1, 2, 11, 32), "people", ignore=True), LabelledObject((20, 2, 30, 32), "sitting person"))
    one = sample(picture(tmp_path / "a.png"), *objects)
    masked = Sample(one.image, one.truth, (), "", tmp_path / "mask.png")
    format_of("pascal_text").write(tmp_path / "out", [masked])
    (after,) = entries("pascal_text", tmp_path / "out")
    assert places(after) == [((20, 2, 30, 32), "sitting person", False)]
    written = cv2.imread(str(after.masks), cv2.IMREAD_UNCHANGED)
    assert sorted(np.unique(written)) == [0, 1]
    assert (written[2:32, 20:30] == 1).all()


@pytest.mark.parametrize(
    ("change", "line", "text"),
    [
        (("(16, 10)", "(sixteen, 10)"), 11, "no box in"),
        (("(16, 10)", "(999999999, 10)"), 11, "four numbers"),
        (("PennFudanPed/PNGImages", "/etc"), 1, "must be a path below"),
        (("FudanPed00001.png", "FudanPed00009.png"), 1, "can't be read"),
    ],
)
def test_a_broken_text_is_named_by_its_line(tmp_path, change, line, text):
    path = fudan(tmp_path, TEXT.replace(*change))
    (fault,) = faults("pascal_text", tmp_path)
    assert fault.where == f"{path}:{line}"
    assert text in fault.text


@pytest.mark.parametrize("form", ["voc", "pascal_text"])
def test_folders_without_labels_and_samples_without_objects_are_refused(tmp_path, form):
    assert not format_of(form).recognise(tmp_path)
    with pytest.raises(DataError, match="give the folder"):
        format_of(form).label_files(tmp_path)
    lanes = Sample(picture(tmp_path / "0.png"), Lanes((), 64, 48))
    with pytest.raises(DataError, match="no objects"):
        format_of(form).write(tmp_path / "out", [lanes])


things = st.tuples(
    boxes(), st.sampled_from(["pedestrian", "sitting person", "car", "traffic light", 'a "<&> \x01name']), st.booleans()
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(things, max_size=4), st.dictionaries(st.text("ab<\x02é", min_size=1), st.text("x<&\x0b ]>é\t", max_size=6))
)
def test_any_objects_survive_xml(tmp_path_factory, drawn, said):
    folder = tmp_path_factory.mktemp("voc")
    objects = [LabelledObject(*one, attributes=said) for one in drawn]
    format_of("voc").write(folder / "out", [sample(picture(folder / "0.png"), *objects)])
    (after,) = entries("voc", folder / "out")
    assert places(after) == [(box, name.replace("\x01", ""), ignore) for box, name, ignore in drawn]


@settings(max_examples=30, deadline=None)
@given(st.lists(things, max_size=4))
def test_any_objects_survive_text(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("text")
    objects = [LabelledObject(*one) for one in drawn if "\x01" not in one[1]]
    format_of("pascal_text").write(folder / "out", [sample(picture(folder / "0.png"), *objects)])
    (after,) = entries("pascal_text", folder / "out")
    assert [(one.box, one.name) for one in labelled(after.truth)] == [
        (one.box, one.name) for one in objects if not one.ignore
    ]
