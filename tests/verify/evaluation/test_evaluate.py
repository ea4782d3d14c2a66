"""Anybody's predictions against labels: each form, what is told of it, and what is refused."""

import json
import math

import cv2
import numpy as np
import pytest

from edgecnn.core.errors import DataError, InputError
from edgecnn.verify.evaluation.run import Question, evaluate

ROWS = list(range(160, 720, 10))


def picture(path, width=640, height=480):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


def ask(source, data, out=None, **more):
    return evaluate(Question(source, data, **more), out)


@pytest.fixture
def tusimple(tmp_path):
    """Two frames: two lines; two lines and one that is nowhere seen."""
    root = tmp_path / "tusimple"
    lanes = [[300] * 56, [700] * 56, [-2] * 56]
    rows = [
        {"raw_file": f"clips/{name}/20.jpg", "lanes": lanes[:count], "h_samples": ROWS, "tags": [tag]}
        for name, count, tag in (("a", 2, "day"), ("b", 3, "night"))
    ]
    for row in rows:
        picture(root / row["raw_file"], 1280, 720)
    (root / "label_data.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def submission(path, *frames):
    path.write_text(
        "".join(json.dumps({"raw_file": f, "lanes": lanes, "run_time": t}) + "\n" for f, lanes, t in frames)
    )
    return path


def test_a_tusimple_submission_is_judged_as_published(tusimple, tmp_path):
    """The all absent label line is matched by an all absent prediction, and counts as missed without one."""
    right = [[300] * 56, [700] * 56]
    path = submission(tmp_path / "p.json", ("clips/a/20.jpg", right, 10), ("clips/b/20.jpg", [*right, [-2] * 56], 10))
    assert ask(path, tusimple).figures["tusimple"]["accuracy"].value == 1.0
    path = submission(tmp_path / "q.json", ("clips/a/20.jpg", right, 10), ("clips/b/20.jpg", right, 10))
    figures = ask(path, tusimple).figures["tusimple"]
    assert figures["accuracy"].value == pytest.approx((1 + 2 / 3) / 2)
    assert figures["fn"].value == pytest.approx((0 + 1 / 3) / 2)
    assert figures["accuracy"].n == 2


def test_a_slow_answer_is_a_missed_one_and_a_missing_one_found_nothing(tusimple, tmp_path):
    right = [[300] * 56, [700] * 56]
    found = ask(submission(tmp_path / "p.json", ("clips/a/20.jpg", right, 201)), tusimple, metrics=("tusimple",))
    assert found.figures["tusimple"]["accuracy"].value == 0.0
    assert found.figures["tusimple"]["fn"].value == 1.0
    assert found.notes == ("1 pictures have no line; they count as nothing found",)
    assert [row.name for row in found.conditions[0].rows] == ["day", "night"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([("clips/c/20.jpg", [], 1)], "'clips/c/20.jpg' is no picture of the data set"),
        ([("clips/a/20.jpg", [], 1)] * 2, "stands twice"),
        ([("clips/a/20.jpg", [[1, 2]], 1)], "lane 0 has 2 values for 56 h_samples"),
        ([("20.jpg", [], 1)], "means several pictures"),
    ],
)
def test_a_wrong_submission_is_named_with_its_line(tusimple, tmp_path, lines, words):
    with pytest.raises(DataError, match=r"p\.json|several") as caught:
        ask(submission(tmp_path / "p.json", *lines), tusimple)
    assert words in str(caught.value)


@pytest.fixture
def culane(tmp_path):
    root = tmp_path / "culane"
    for name in ("a", "b"):
        picture(root / f"clips/{name}.jpg", 1640, 590)
        line = " ".join(f"{400 + 0.5 * (590 - y)} {y}" for y in range(590, 250, -10))
        (root / f"clips/{name}.lines.txt").write_text(line + "\n")
    (root / "list").mkdir()
    (root / "list/test.txt").write_text("/clips/a.jpg\n/clips/b.jpg\n")
    return root


def test_culane_counts_every_line_of_its_files(culane, tmp_path):
    """A blank line and one of a single point are lines that match nothing; a missing file found nothing."""
    folder = tmp_path / "found/clips"
    folder.mkdir(parents=True)
    (folder / "a.lines.txt").write_text((culane / "clips/a.lines.txt").read_text() + "\n500 590\n")
    found = ask(tmp_path / "found", culane, metrics=("culane", "tusimple"))
    figures = found.figures["culane"]
    assert (figures["precision"].value, figures["recall"].value) == (pytest.approx(1 / 3), 0.5)
    assert figures["false_lines"].value == 1.0
    assert "1 of 2 pictures have no prediction" in found.notes[0]


@pytest.fixture
def kitti(tmp_path):
    root = tmp_path / "kitti"
    rest = "100 100 120 160 1.8 0.5 0.8 0 0 20 0"
    for number in range(3):
        picture(root / f"training/image_2/{number:06d}.png")
        lines = [f"Pedestrian 0.00 {number} 0 {rest}", f"Car 0.00 0 0 {rest.replace('100 100 120', '300 100 420')}"]
        path = root / f"training/label_2/{number:06d}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return root


def kitti_results(folder, *rows):
    folder.mkdir()
    for number in range(3):
        (folder / f"{number:06d}.txt").write_text("".join(f"{row}\n" for row in rows))
    return folder


def test_kitti_results_and_the_classes_they_speak_of(kitti, tmp_path):
    row = "Pedestrian -1 -1 -10 100 100 120 160 -1 -1 -1 -1000 -1000 -1000 -10 0.9"
    found = ask(kitti_results(tmp_path / "p", row), kitti)
    assert list(found.figures) == ["people", "coco", "kitti"]
    assert found.figures["coco"]["ap"].value == pytest.approx(1.0)
    assert found.objects == 3
    assert found.figures["kitti"]["pedestrian_moderate_r11"].value > 0
    assert {curve.kind for curve in found.curves} == {"miss_rate", "precision"}
    occlusion = next(table for table in found.conditions if "occlusion" in table.title)
    assert [(row.name, row.objects) for row in occlusion.rows] == [
        ("occluded=0", 1),
        ("occluded=1", 1),
        ("occluded=2", 1),
    ]


def test_pycocotools_own_figures_stand_beside_ours(kitti, tmp_path):
    pytest.importorskip("pycocotools")
    row = "Pedestrian -1 -1 -10 101 103 122 161 -1 -1 -1 -1000 -1000 -1000 -10 0.9"
    found = ask(kitti_results(tmp_path / "p", row), kitti, metrics=("coco",))
    for name, measured in found.figures["coco"].items():
        assert measured.value == pytest.approx(found.published["pycocotools"][name], abs=1e-9)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Pedestrian 0 0 0 1 2 3 4 0 0 0 0 0 0 0", "no score; a result of KITTI has 16 columns"),
        ("Pedestrian 0 0", "3 columns"),
    ],
)
def test_a_wrong_kitti_result_is_named_with_its_line(kitti, tmp_path, row, words):
    with pytest.raises(DataError, match=r"000000\.txt:1: ") as caught:
        ask(kitti_results(tmp_path / "p", row), kitti)
    assert words in str(caught.value)


def own_lines(path, *frames):
    path.write_text("".join(json.dumps({"source": "x", "frame": f, "index": 0, "result": r}) + "\n" for f, r in frames))
    return path


def boxes(*rows):
    told = [{"box": box, "score": score, "label": label} for box, score, label in rows]
    return {"width": 640, "height": 480, "boxes": told}


def test_results_of_infer_and_the_worst_frames(kitti, tmp_path):
    """Pictures of KITTI's reader lie half a pixel off its numbers."""
    right = ([100.5, 100.5, 120.5, 160.5], 0.9, "pedestrian")
    wrong = ([500, 300, 540, 400], 0.8, "pedestrian")
    weak = ([200, 300, 240, 400], 0.1, "pedestrian")
    path = own_lines(
        tmp_path / "results.jsonl", ("000000.png", boxes(right)), ("000001.png", boxes(right, wrong, weak))
    )
    out = tmp_path / "out"
    out.mkdir()
    found = ask(path, kitti, out, rules=("recall >= 0.6", "people.precision[height>=50] > 0.9"))
    assert [gate.passed for gate in found.gates] == [True, False]
    assert [frame.why for frame in found.gallery] == ["0 missed, 1 false, 1 found", "1 missed, 0 false, 0 found"]
    assert len(found.gallery[0].results[found.source]["boxes"]) == 2
    assert all((out / frame.image).is_file() for frame in found.gallery)
    assert found.drawing == "objects"
    assert not found.passed


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([("nobody.png", boxes())], "'nobody.png' is no picture of"),
        ([("000000.png", {"boxes": 3})], "not a result in JSON form"),
    ],
)
def test_a_wrong_line_of_results_is_named(kitti, tmp_path, frames, words):
    with pytest.raises(DataError, match=r"results\.jsonl:1: ") as caught:
        ask(own_lines(tmp_path / "results.jsonl", *frames), kitti)
    assert words in str(caught.value)


def test_coco_results_of_their_own_data_set(tmp_path):
    pytest.importorskip("ijson")
    root = tmp_path / "coco"
    images = [{"id": 10 * i, "file_name": f"{i}.png", "width": 640, "height": 480} for i in (3, 1, 2)]
    for image in images:
        picture(root / "images" / image["file_name"])
    tree = {
        "images": images,
        "categories": [{"id": 1, "name": "pedestrian"}, {"id": 7, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 10, "category_id": 1, "bbox": [10.5, 20, 30, 60], "area": 900, "iscrowd": 0},
            {"id": 2, "image_id": 20, "category_id": 7, "bbox": [100, 20, 90, 60], "area": 5400, "iscrowd": 0},
        ],
    }
    (root / "annotations").mkdir()
    (root / "annotations/instances_val.json").write_text(json.dumps(tree))
    path = tmp_path / "p.json"
    path.write_text(json.dumps([{"image_id": 10, "category_id": 1, "bbox": [10.5, 20, 30, 60], "score": 0.5}]))
    figures = ask(path, root).figures["coco"]
    assert figures["ap"].value == pytest.approx(0.5)
    assert figures["ap_small"].value == pytest.approx(1.0)
    path.write_text(json.dumps([{"image_id": 99, "category_id": 1, "bbox": [1, 1, 1, 1], "score": 0.5}]))
    with pytest.raises(DataError, match="image_id 99"):
        ask(path, root)


def test_what_can_not_be_asked(kitti, tmp_path):
    path = own_lines(tmp_path / "results.jsonl", ("000000.png", boxes()))
    with pytest.raises(InputError, match=r"unknown metric 'cocoo' \(did you mean 'coco'"):
        ask(path, kitti, metrics=("cocoo",))
    with pytest.raises(InputError, match="metric 'culane' judges lanes; these answers are objects"):
        ask(path, kitti, metrics=("culane",))
    with pytest.raises(InputError, match=r"unknown figure 'recal' \(did you mean 'recall'"):
        ask(path, kitti, rules=("recal >= 0.5",))
    with pytest.raises(InputError, match="no such file or folder"):
        ask(tmp_path / "nothing", kitti)
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(DataError, match="neither a bundle nor predictions"):
        ask(tmp_path / "odd.json", kitti)


def test_nobody_there_is_undefined_and_told(kitti, tmp_path):
    for path in (kitti / "training/label_2").glob("*.txt"):
        path.write_text("")
    found = ask(
        own_lines(tmp_path / "results.jsonl", ("000000.png", boxes())), kitti, form="kitti", rules=("ap50 >= 0.1",)
    )
    assert found.figures["people"] == {}
    assert any("ap50" in note for note in found.notes)
    assert not found.passed
    assert math.isfinite(found.gates[0].value)
