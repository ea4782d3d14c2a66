"""The TuSimple layout: what is written is read, what is broken is named by file and line."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lanes import lane_samples, points
from made_objects import picture
from made_objects import sample as labelled_objects

from edgecnn.core.errors import DataError
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import read
from edgecnn.data.formats.lane_labels import even_rows
from edgecnn.data.formats.tusimple import FORMAT, label_record, predictions, write_labels
from edgecnn.data.sample import Sample

ROWS = [100, 110, 120, 130]
GOOD = {"lanes": [[-2, 50, 40, 30], [90, 100, 110, -2]], "h_samples": ROWS, "raw_file": "clips/a/1.jpg"}


@pytest.fixture
def root(tmp_path):
    """A folder with one picture of 160x144 and no labels."""
    (tmp_path / "clips/a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "clips/a/1.jpg"), np.zeros((144, 160, 3), np.uint8))
    return tmp_path


def labelled(root, *lines, name="label_data.json"):
    (root / name).write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return root


def test_lines_carry_points_rows_size_positions_and_tags(root):
    (sample,) = read("tusimple", labelled(root, {**GOOD, "tags": ["day", "curve"]}))
    lanes = sample.truth
    assert sample.image == root / "clips/a/1.jpg"
    assert sample.tags == ("day", "curve")
    assert (lanes.width, lanes.height) == (160, 144)
    assert lanes.lines[0].tolist() == [[50, 110], [40, 120], [30, 130]]
    assert lanes.lines[1].tolist() == [[90, 100], [100, 110], [110, 120]]
    assert lanes.rows.tolist() == ROWS
    assert lanes.positions == (-1, 1)


def test_row_grids_may_differ_between_files_and_blank_lines_are_skipped(root):
    labelled(root, GOOD, "", name="b.json")
    labelled(root, {**GOOD, "h_samples": [10, 20], "lanes": [[5, 6]]}, name="a.json")
    assert [len(sample.truth.rows) for sample in read("tusimple", root)] == [2, 4]
    assert [len(sample.truth.rows) for sample in read("tusimple", root, ("b.json",))] == [4]


def test_lines_of_fewer_than_two_points_are_dropped_and_those_of_one_remarked(root):
    (sample,) = read(
        "tusimple", labelled(root, {**GOOD, "lanes": [[-2, -2, -2, -2], [-2, 7, -2, -2], GOOD["lanes"][0]]})
    )
    assert len(sample.truth.lines) == 1
    assert [(remark.kind, remark.text.split(":")[0]) for remark in sample.remarks] == [("short lane", "lane 1")]


def test_rows_that_turn_back_are_sorted_and_remarked(root):
    (sample,) = read("tusimple", labelled(root, {**GOOD, "h_samples": [100, 120, 110, 130]}))
    assert sample.truth.lines[1].tolist() == [[90, 100], [110, 110], [100, 120]]
    assert [remark.kind for remark in sample.remarks] == ["lane rows", "lane rows"]


def test_faults_are_told_and_gone_on_behind(root):
    labelled(root, GOOD, "{", GOOD, {**GOOD, "raw_file": "clips/none/1.jpg"})
    entries = list(FORMAT.entries(root))
    assert [type(entry).__name__ for entry in entries] == ["Sample", "Fault", "Sample", "Fault"]
    assert [entry.kind for entry in entries[1::2]] == ["broken label", "missing picture"]
    assert [entry.where for entry in entries] == [f"{root}/label_data.json:{line}" for line in (1, 2, 3, 4)]


def test_rows_in_falling_order_come_back_sorted(root):
    (sample,) = read("tusimple", labelled(root, {**GOOD, "h_samples": ROWS[::-1], "lanes": [[30, 40, 50, -2]]}))
    assert sample.truth.lines[0].tolist() == [[50, 110], [40, 120], [30, 130]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"lanes": [[1, 2], ', "not JSON"),
        ("[1, 2]", "must be a JSON object, not list"),
        ({"lanes": [], "raw_file": "clips/a/1.jpg"}, "key 'h_samples' is missing"),
        ({**GOOD, "lanes": [[1, 2, 3]]}, "lane 0 has 3 values for 4 h_samples"),
        ({**GOOD, "lanes": [[1, 2, 3, "x"]]}, "lane 0 must be a list of numbers"),
        ({**GOOD, "lanes": [[1, 2, 3, None]]}, "lane 0 must be a list of numbers"),
        ({**GOOD, "lanes": [[1, 2, 3, True]]}, "lane 0 must be a list of numbers"),
        ({**GOOD, "lanes": [5]}, "lane 0 must be a list of numbers"),
        ({**GOOD, "lanes": "none"}, "'lanes' must be a list"),
        ({**GOOD, "h_samples": "all"}, "'h_samples' must be a list of numbers"),
        ('{"lanes": [[NaN, 1]], "h_samples": [1, 2], "raw_file": "clips/a/1.jpg"}', "finite"),
        ({**GOOD, "raw_file": 7}, "'raw_file' must be the path"),
        ({**GOOD, "tags": "day"}, "'tags' must be a list of words"),
    ],
)
def test_a_broken_line_is_named_by_file_and_number(root, line, words):
    labelled(root, GOOD, line)
    samples = read("tusimple", root)
    next(samples)
    with pytest.raises(DataError, match=rf"label_data\.json:2: .*{words}") as caught:
        next(samples)
    assert "\n" not in str(caught.value)


def test_a_damaged_first_line_is_reported_not_skipped(root):
    labelled(root, '{"lanes": [[1, 2]], "h_samples": [1, 2], "raw_fi')
    with pytest.raises(DataError, match=r"label_data\.json:1: not JSON"):
        next(read("tusimple", root))


def test_other_json_files_are_no_labels(root):
    (root / "notes.json").write_text('{"author": "x"}')
    predictions(root / "pred.json", [], ROWS)
    labelled(root, GOOD)
    assert len(list(read("tusimple", root))) == 1


def test_folders_without_labels_say_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"no \*\.json label file"):
        next(read("tusimple", tmp_path))
    with pytest.raises(DataError, match="no such folder"):
        next(read("tusimple", tmp_path / "none"))
    with pytest.raises(DataError, match="check the label file's name"):
        next(read("tusimple", tmp_path, ("none.json",)))


def test_a_missing_picture_is_an_error(root):
    with pytest.raises(DataError, match="can't be read"):
        next(read("tusimple", labelled(root, {**GOOD, "raw_file": "clips/b/2.jpg"})))


def test_labels_survive_the_round_trip(root):
    line = np.array([[50.4, 110], [40.6, 120], [30, 130]], np.float32)
    lanes = Lanes((line,), 160, 144, (-1,), rows=np.array(ROWS, np.float32))
    write_labels(root / "label_data.json", [label_record(lanes, "clips/a/1.jpg", ("rain",))])
    (sample,) = read("tusimple", root)
    assert sample.truth.lines[0].tolist() == [[50, 110], [41, 120], [30, 130]]
    assert sample.truth.positions == (-1,)
    assert sample.tags == ("rain",)
    assert [path.name for path in root.iterdir() if path.is_file()] == ["label_data.json"]


def test_predictions_take_the_submission_form_between_and_beyond_points(root):
    line = np.array([[10, 105], [30, 125]], np.float32)
    predictions(root / "pred.json", [("clips/a/1.jpg", Lanes((line,), 160, 144), 4.5678)], ROWS)
    record = json.loads((root / "pred.json").read_text())
    assert record == {"raw_file": "clips/a/1.jpg", "lanes": [[-2, 15, 25, -2]], "run_time": 4.568}


def test_what_is_written_has_the_published_form(tmp_path):
    image = picture(tmp_path / "a.jpg", 1280, 720)
    lanes = Lanes((points((600, 265), (300.4, 565)), points((1000, 400), (1400, 600))), 1280, 720)
    assert FORMAT.write(tmp_path / "set", [Sample(image, lanes, ("night",))] * 2) == 2
    lines = (tmp_path / "set/label_data.json").read_text().splitlines()
    record = json.loads(lines[1])
    assert record["raw_file"] == "clips/0000/000001.jpg"
    assert record["tags"] == ["night"]
    # TuSimple's own rows where a label brings none; -2 beyond a line's ends and where it has left the frame.
    assert record["h_samples"] == list(range(160, 720, 10))
    assert record["lanes"][0][10:12] == [-2, 595]
    assert [x for x in record["lanes"][1] if x >= 0] == list(range(1000, 1280, 20))
    assert (tmp_path / "set/clips/0000/000001.jpg").read_bytes() == image.read_bytes()


def test_rows_follow_lines_that_begin_higher_and_smaller_frames():
    lanes = Lanes((points((5, 11), (9, 80)),), 160, 90)
    assert even_rows(lanes).tolist() == list(range(11, 90))
    assert even_rows(Lanes((), 160, 90)).tolist() == list(range(20, 90))


def test_a_label_without_lanes_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(DataError, match="no lane lines"):
        FORMAT.write(tmp_path / "set", [labelled_objects(picture(tmp_path / "a.jpg"))])
    assert not (tmp_path / "set/label_data.json").exists()


def test_written_lines_are_within_half_a_pixel(tmp_path_factory):
    image = picture(tmp_path_factory.mktemp("tusimple") / "a.jpg", 160, 90)

    @given(st.lists(lane_samples(image), min_size=1, max_size=2))
    @settings(max_examples=15)
    def round_trip(samples):
        out = tmp_path_factory.mktemp("set")
        FORMAT.write(out, samples)
        for one, back in zip(samples, read("tusimple", out), strict=True):
            rows = even_rows(one.truth)
            assert back.truth.rows.tolist() == rows.tolist()
            kept = [line for line in one.truth.lines if len(_read_at(line, rows)) > 1]
            assert len(back.truth.lines) == len(kept)
            for line, new in zip(kept, back.truth.lines, strict=True):
                assert np.abs(_read_at(line, rows) - new).max() <= 0.501

    round_trip()


def _read_at(line, rows):
    """The points of `line` at those of `rows` where it is in a frame 160 pixels wide, once rounded."""
    rows = rows[(rows >= line[0, 1]) & (rows <= line[-1, 1])]
    x = np.interp(rows, line[:, 1], line[:, 0])
    found = np.stack([x, rows], 1)
    return found[(np.rint(x) >= 0) & (np.rint(x) < 160)]
