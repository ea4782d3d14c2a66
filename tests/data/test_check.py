"""What `data check` counts and finds: every kind of fault, with file and line, and it goes on behind each."""

import json

import cv2
import numpy as np
import pytest
from made_lanes import points
from made_objects import picture

from edgecnn.core.errors import DataError
from edgecnn.core.registry import FORMATS, Entry
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.check import check, count
from edgecnn.data.check_sample import findings
from edgecnn.data.formats.format import format_of
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import Sample

ROWS = [40, 50, 60, 70]
LINE = {"lanes": [[5, 15, 25, 35]], "h_samples": ROWS, "tags": ["night"]}


@pytest.fixture
def root(tmp_path):
    """A TuSimple set of two good frames, each a picture of its own shade."""
    add(tmp_path, "a", LINE)
    add(tmp_path, "b", {**LINE, "lanes": []})
    return tmp_path


def add(root, name, record, width=160, height=90):
    shade = len(list(root.rglob("*.jpg"))) * 9
    picture(root / f"clips/{name}/1.jpg", width, height, shade)
    with (root / "label_data.json").open("a") as file:
        file.write(json.dumps({"raw_file": f"clips/{name}/1.jpg", **record}) + "\n")


def kinds(root, **options):
    return dict(check(root, **options).counts)


def test_what_it_holds_is_counted(root):
    report = check(root)
    assert (report.form, report.frames, report.empty, report.lanes, report.objects) == ("tusimple", 2, 1, 1, None)
    assert dict(report.tags) == {"night": 2}
    assert dict(report.sizes) == {"160x90": 2}
    assert report.wrong == 0


def test_every_fault_is_listed_with_its_line_and_gone_on_behind(root):
    with (root / "label_data.json").open("a") as file:
        file.write("{\n")
    add(root, "c", {**LINE, "raw_file": "clips/none/1.jpg"})
    add(root, "d", LINE)
    (root / "clips/d/1.jpg").write_bytes((root / "clips/d/1.jpg").read_bytes()[:-40])
    add(root, "e", {**LINE, "lanes": [[300, 310, 320, 330], [-2, 5, -2, -2]]})
    add(root, "f", {**LINE, "h_samples": [40, 60, 50, 70]})
    add(root, "g", {**LINE, "raw_file": "clips/a/1.jpg"})
    report = check(root)
    found = {kind: [one.where.rpartition(":")[2] for one in listed] for kind, listed in report.listed.items()}
    assert found == {
        "broken label": ["3"],
        "missing picture": ["4"],
        "broken picture": ["5"],
        "short lane": ["6"],
        "lane outside": ["6"],
        "lane rows": ["7"],
        "duplicate picture": ["8"],
    }
    assert report.frames == 6
    assert f"{root}/label_data.json:1" in report.listed["duplicate picture"][0].text


def test_missing_pictures_are_told_from_broken_ones_where_a_folder_has_others(root):
    with (root / "label_data.json").open("a") as file:
        file.write(json.dumps({**LINE, "raw_file": "clips/a/2.jpg"}) + "\n")
    assert kinds(root) == {"missing picture": 1}


def test_the_same_bytes_under_two_names_are_found(root):
    (root / "clips/b/1.jpg").write_bytes((root / "clips/a/1.jpg").read_bytes())
    assert kinds(root) == {"duplicate content": 1}


def test_a_picture_of_another_size_than_its_label_says_is_found(root):
    picture(root / "clips/a/2.jpg", 80, 45, 200)
    with (root / "label_data.json").open("a") as file:
        file.write(json.dumps({**LINE, "raw_file": "clips/a/2.jpg"}) + "\n")
    (found,) = check(root).listed["picture size"]
    assert "80x45 pixels, the label speaks of 160x90" in found.text


def test_only_the_first_of_a_kind_are_listed_and_all_counted(root):
    with (root / "label_data.json").open("a") as file:
        file.write("{\n" * 7)
    report = check(root, most=2)
    assert report.counts["broken label"] == 7
    assert len(report.listed["broken label"]) == 2
    told = report.to_json()
    assert told["wrong"]["broken label"]["count"] == 7
    assert json.loads(json.dumps(told)) == told


def test_a_set_without_entries_is_wrong(tmp_path):
    (tmp_path / "label_data.json").write_text("\n")
    assert kinds(tmp_path, form="tusimple", labels=("label_data.json",)) == {"no entries": 1}


def test_a_mask_of_another_size_is_found(tmp_path):
    image, mask = picture(tmp_path / "a.jpg", 160, 90), tmp_path / "m.png"
    cv2.imwrite(str(mask), np.zeros((9, 16), np.uint16))
    format_of("scenes").write(tmp_path / "set", [Sample(image, Lanes((), 160, 90), masks=mask)])
    assert kinds(tmp_path / "set") == {"mask size": 1}


def test_samples_are_kept_evenly_and_the_same_each_time(root):
    for number in range(20):
        add(root, f"more{number}", LINE)
    kept = [sample.image.parent.name for sample in check(root, keep=5).shown]
    assert len(set(kept)) == 5
    assert kept != ["a", "b", "more0", "more1", "more2"]
    assert kept == [sample.image.parent.name for sample in check(root, keep=5).shown]
    assert check(root).shown == []


def test_progress_counts_every_entry(root):
    told = []
    check(root, reach=told.append)
    assert told == [1, 2] == list(range(1, count(format_of("tusimple"), root) + 1))


def boxes(*corners, visible=(), attributes=()):
    return Detections(
        np.array(corners, np.float32).reshape(-1, 4),
        np.zeros(0, np.float32),
        np.zeros(len(corners), np.int64),
        160,
        90,
        ("pedestrian",),
        np.array(visible, np.float32).reshape(-1, 4),
        attributes=attributes,
    )


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        (boxes((5, 5, 5, 9)), "degenerate box"),
        (boxes((5, 9, 7, 8)), "degenerate box"),
        (boxes((5, np.nan, 7, 8)), "degenerate box"),
        (boxes((-9, 5, -1, 8)), "box outside"),
        (boxes((5, 90, 7, 99)), "box outside"),
        (boxes((5, 5, 9, 9), visible=[(5, 5, 30, 9)]), "visible box"),
        (boxes((5, 5, 9, 9), (6, 6, 9, 9), attributes=({"id": 1}, {"id": 1})), "duplicate id"),
        (boxes((5, 5, 9, 9), (6, 6, 9, 9), attributes=({"instanceId": 1}, {"instanceId": 1})), "duplicate id"),
        (Lanes((points((5, 5)),), 160, 90), "short lane"),
        (Lanes((points((5, 5), (np.inf, 9)),), 160, 90), "lane outside"),
        (Lanes((points((5, 9), (6, 9)),), 160, 90), "lane rows"),
        (Lanes((points((5, 9), (6, 99)),), 160, 90), "lane outside"),
        (Lanes((points((-90, 9), (-6, 20)),), 160, 90), "lane outside"),
    ],
)
def test_what_is_wrong_within_a_label_is_found(truth, kind):
    assert [one.kind for one in findings(truth, "x:1")] == [kind]
    scene = Scene(truth, boxes()) if isinstance(truth, Lanes) else Scene(Lanes((), 160, 90), truth)
    assert [one.kind for one in findings(scene, "x:1")] == [kind]


def test_what_reaches_over_the_edge_is_not_wrong():
    good = boxes((-9, -9, 5, 200), (1, 1, 9, 9), visible=[(0, 0, 5, 90), (1, 1, 9, 9)])
    assert list(findings(good, "")) == []
    assert list(findings(Lanes((points((-500, 20), (3, 90.5)),), 160, 90), "")) == []


def test_no_format_is_one_line_that_lists_what_was_looked_for(tmp_path):
    with pytest.raises(DataError) as caught:
        recognise(tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    assert all(f"{name}: " in text for name in ("tusimple", "culane", "bdd100k", "llamas", "coco", "scenes"))


def test_a_format_whose_extra_is_missing_is_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "coco", Entry("no_such_package.coco:FORMAT", "formats"))
    with pytest.raises(DataError, match=r"coco: not looked for, .*pip install 'edgecnn\[formats\]'"):
        recognise(tmp_path)


def test_two_formats_in_one_folder_have_to_be_told_apart(root):
    format_of("scenes").write(root, [])
    (root / "labels.jsonl").write_text('{"image": "a", "width": 1, "height": 1, "lanes": {"lines": []}}\n')
    with pytest.raises(DataError, match="could be any of scenes, tusimple; say which with --format"):
        recognise(root)
    assert recognise(root, "tusimple").name == "tusimple"


def test_unknown_formats_and_folders_are_named(root):
    with pytest.raises(DataError, match="did you mean 'culane'"):
        recognise(root, "culan")
    with pytest.raises(DataError, match="no such folder"):
        recognise(root / "none")
