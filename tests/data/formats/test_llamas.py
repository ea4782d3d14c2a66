"""The LLAMAS layout: markers become the columns that the data set's own script makes of them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lanes import lane_samples, points
from made_objects import picture, sample

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import Fault, read
from edgecnn.data.formats.llamas import FORMAT, four_lanes
from edgecnn.data.formats.llamas_markers import Marker, line_of
from edgecnn.data.sample import Sample


def marker(start, end, ahead=10.0):
    """One marker as the data set writes it: every number is a string."""
    return {
        "lane_marker_id": "lane_marker_1",
        "pixel_start": {"x": str(start[0]), "y": str(start[1])},
        "pixel_end": {"x": str(end[0]), "y": str(end[1])},
        "world_start": {"x": "-1.5", "y": "1.6", "z": str(ahead)},
        "world_end": {"x": "-1.5", "y": "1.6", "z": str(ahead + 3)},
    }


# Two dashes on the left line, two on the right; the third lane has but one marker, the fourth covers ten rows.
LABEL = {
    "image_name": "140_0001",
    "projection_matrix": [[1000.0, 0, 640], [0, 1000.0, 350], [0, 0, 1]],
    "lanes": [
        {"lane_id": "l0", "markers": [marker((500, 600), (540, 500), 8.0), marker((560, 450), (580, 400), 20.0)]},
        {"lane_id": "r1", "markers": [marker((800, 600), (760, 500), 8.0), marker((740, 450), (720, 400), 20.0)]},
        {"lane_id": "l3", "markers": [marker((100, 600), (300, 500))]},
        {"lane_id": "r0", "markers": [marker((650, 600), (652, 590)), marker((651, 595), (652, 590))]},
    ],
}


@pytest.fixture
def root(tmp_path):
    """One labelled picture of 1276x717 in colour."""
    write(tmp_path, LABEL)
    picture(tmp_path / "color_images/valid/drive-1/140_0001_color_rect.png", 1276, 717)
    return tmp_path


def write(root, label, name="140_0001"):
    path = root / f"labels/valid/drive-1/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(label if isinstance(label, str) else json.dumps(label, indent="\t"))


def test_markers_are_read_and_lanes_named(root):
    assert FORMAT.recognise(root)
    (one,) = read("llamas", root)
    lanes = one.truth
    assert one.image.name == "140_0001_color_rect.png"
    assert one.where == f"{root}/labels/valid/drive-1/140_0001.json:1"
    assert (lanes.width, lanes.height) == (1276, 717)
    # The short ones are left out, and r1 is then the nearest line on the right.
    assert lanes.positions == (-1, 1)
    assert lanes.rows[[0, -1]].tolist() == [300, 716]
    columns = four_lanes(lanes)
    assert columns.shape == (4, 717)
    assert (columns[[0, 3]] == -1).all()
    # Rows of a dash, of the gap between dashes, above the last dash, and of the nearest dash carried to the bottom.
    assert columns[1, [600, 550, 475, 450, 400, 399]].tolist() == [500, 520, 550, 560, 580, -1]
    assert columns[1, 716] == round(500 - 116 * 0.4)
    assert columns[2, [600, 550, 716]].tolist() == [800, 780, round(800 + 116 * 0.4)]


def test_a_line_that_leaves_at_the_side_ends_there():
    line = line_of([Marker((30, 500), (130, 400), 5.0), Marker((180, 350), (230, 300), 9.0)], 1276, 717)
    assert line[-1].tolist() == [0, 530]
    line = line_of([Marker((1200, 500), (1100, 400), 5.0), Marker((1000, 300), (990, 290), 9.0)], 1276, 717)
    assert line[-1].tolist() == [1276, 576]


def test_where_markers_overlap_a_row_takes_their_mean():
    line = line_of([Marker((100, 50), (100, 40), 5.0), Marker((110, 50), (110, 40), 6.0)], 200, 60)
    assert line[:, 0].tolist() == [105] * 11


def test_grey_pictures_do_where_there_are_no_others(root):
    (root / "color_images/valid/drive-1/140_0001_color_rect.png").unlink()
    picture(root / "grayscale_images/valid/drive-1/140_0001_gray_rect.png", 1276, 717)
    (one,) = read("llamas", root)
    assert one.image.name == "140_0001_gray_rect.png"


def test_labels_may_be_files_or_folders(root):
    write(root, LABEL, "140_0002")
    picture(root / "color_images/valid/drive-1/140_0002_color_rect.png", 1276, 717)
    assert len(list(read("llamas", root, ("labels/valid",)))) == 2
    assert len(list(read("llamas", root, ("labels/valid/drive-1/140_0002.json",)))) == 1
    assert [path.name for path in FORMAT.label_files(root)] == ["140_0001.json", "140_0002.json"]


def broken(**changes):
    lane = {"lane_id": "l0", "markers": [{**marker((5, 60), (6, 50)), **changes}]}
    return {**LABEL, "lanes": [lane]}


@pytest.mark.parametrize(
    ("label", "line", "words"),
    [
        ('{\n"lanes": [\n}', 3, "not JSON"),
        ("[]", 1, "a list of 'lanes'"),
        ({"lanes": {}}, 1, "a list of 'lanes'"),
        ({"lanes": [{"markers": []}]}, 1, "'lane_id' is l or r"),
        ({"lanes": [{"lane_id": "m2", "markers": []}]}, 1, "'lane_id' is l or r"),
        ({"lanes": [{"lane_id": "l0"}]}, 1, "'markers' must be a list"),
        (broken(pixel_start={"x": "5"}), 1, "marker 0 needs pixel_start"),
        (broken(pixel_end={"x": "5", "y": "a"}), 1, "marker 0 needs pixel_start"),
        (broken(world_start={}), 1, "world_start with z"),
    ],
)
def test_a_broken_label_is_named_by_file_and_line(root, label, line, words):
    write(root, label)
    write(root, LABEL, "140_0002")
    picture(root / "color_images/valid/drive-1/140_0002_color_rect.png", 1276, 717)
    fault, good = FORMAT.entries(root)
    assert isinstance(fault, Fault)
    assert fault.where == f"{root}/labels/valid/drive-1/140_0001.json:{line}"
    assert words in fault.text
    assert isinstance(good, Sample)


def test_a_missing_picture_is_a_fault_of_its_kind(root):
    write(root, LABEL, "140_0000")
    (root / "color_images/valid/drive-1/140_0001_color_rect.png").unlink()
    assert {entry.kind for entry in FORMAT.entries(root)} == {"missing picture"}


def test_folders_without_labels_say_what_is_missing(tmp_path):
    assert not FORMAT.recognise(tmp_path)
    with pytest.raises(DataError, match="no labels/"):
        next(FORMAT.entries(tmp_path))


def test_what_is_written_has_the_published_form(tmp_path):
    image = picture(tmp_path / "a.jpg", 1276, 717)
    lanes = Lanes((points((640, 300), (300.4, 716)), points((660, 300), (1000, 716))), 1276, 717)
    assert FORMAT.write(tmp_path / "set", [Sample(image, lanes)]) == 1
    record = json.loads((tmp_path / "set/labels/train/0000/000000.json").read_text())
    assert [lane["lane_id"] for lane in record["lanes"]] == ["l0", "r0"]
    first = record["lanes"][0]["markers"][0]
    assert first["pixel_start"] == {"x": "300", "y": "716"}
    # The written positions in the world fall on the written pixels.
    matrix = np.array(record["projection_matrix"])
    seen = matrix @ [float(first["world_start"][axis]) for axis in "xyz"]
    assert np.abs(seen[:2] / seen[2] - [300, 716]).max() < 0.1
    (back,) = read("llamas", tmp_path / "set")
    assert back.image == tmp_path / "set/color_images/train/0000/000000_color_rect.png"
    for line, new in zip(lanes.lines, back.truth.lines, strict=True):
        assert np.abs(np.interp(new[:, 1], line[:, 1], line[:, 0]) - new[:, 0]).max() <= 1.01
        assert new[[0, -1], 1].tolist() == [300, 716]


def test_a_label_without_lanes_is_refused(tmp_path):
    with pytest.raises(DataError, match="no lane lines"):
        FORMAT.write(tmp_path / "set", [sample(picture(tmp_path / "a.jpg"))])


def test_lines_that_are_long_enough_survive_the_round_trip(tmp_path_factory):
    image = picture(tmp_path_factory.mktemp("llamas") / "a.png", 160, 90)

    @given(st.lists(lane_samples(image), min_size=1, max_size=2))
    @settings(max_examples=15)
    def round_trip(samples):
        out = tmp_path_factory.mktemp("set")
        FORMAT.write(out, samples)
        for one, back in zip(samples, read("llamas", out), strict=True):
            for new in back.truth.lines:
                ours = [line for line in one.truth.lines if _near(line, new)]
                assert ours

    round_trip()


def _near(line, new):
    """Whether every drawn row of `new` that `line` has lies within two pixels of it, or a pixel of one of its rows."""
    rows = new[(new[:, 1] >= line[0, 1] + 1) & (new[:, 1] <= line[-1, 1] - 1)]
    steep = np.abs(np.diff(line[:, 0]) / np.diff(line[:, 1])).max()
    inside = rows[(rows[:, 0] > 1) & (rows[:, 0] < 158)]
    apart = np.abs(np.interp(inside[:, 1], line[:, 1], line[:, 0]) - inside[:, 0])
    return bool((apart <= 2 + 11 * steep).all())
