"""The report of an evaluation says what was found in all three forms, and escapes what it was given."""

import json
import re

import pytest

from edgecnn.core import evidence
from edgecnn.core.eval_evidence import ConditionRow, ConditionTable, Curve, EvalResult
from edgecnn.core.evidence import GalleryFrame, Gate
from edgecnn.core.measure import Measurement
from edgecnn.report.eval_report import headline, write


def share(value):
    return Measurement(value, "", 40, value - 0.05, value + 0.05, method="bootstrap")


@pytest.fixture
def found(tmp_path):
    cv2, np = pytest.importorskip("cv2"), pytest.importorskip("numpy")
    (tmp_path / "gallery").mkdir()
    cv2.imwrite(str(tmp_path / "gallery/0.jpg"), np.full((120, 160, 3), 90, np.uint8))
    box = {"box": [10, 10, 40, 90], "label": "pedestrian"}
    objects = {"width": 160, "height": 120, "boxes": [box]}
    return EvalResult(
        source="predictions <b>.json",
        data="set",
        form="kitti",
        frames=40,
        objects=90,
        lines=0,
        figures={"people": {"ap50": share(0.8), "mr_reasonable": share(0.3)}, "coco": {"ap": share(0.4)}},
        lower_is_better=("people.mr_reasonable",),
        published={"pycocotools": {"ap": 0.4}},
        conditions=(ConditionTable("By condition", (ConditionRow("night", 4, 9, {"ap50": share(0.5)}),)),),
        curves=(
            Curve("miss_rate", "reasonable", (0.01, 0.1, 1.0), (0.8, 0.4, 0.0)),
            Curve("precision", "pedestrian, IoU 0.5", (0.2, 0.9), (1.0, 0.7)),
        ),
        gates=(Gate("x", "ap50[night]", 0.6, 0.5, passed=False, text="x: ap50[night] 0.5 (bound >= 0.6, missed)"),),
        gallery=(GalleryFrame("gallery/0.jpg", ("night",), "1 missed", {}, objects, {"x": objects | {"boxes": []}}),),
        drawing="objects",
    )


def test_all_three_forms_say_it(found, tmp_path):
    page, text, record = write(tmp_path, found)
    html, markdown = page.read_text(), text.read_text()
    for told in ("ap50", "By condition", "night", "Precision and recall", "Worst frames", "pycocotools"):
        assert told in html
    assert "<b>.json" not in html
    assert html.count("<svg") == 2
    assert html.count("data:image/jpeg") == 2
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", html)
    assert "| ap50 | 80.0 %" in markdown or "| ap50 | 80 %" in markdown
    assert json.loads(record.read_text())["frames"] == 40
    assert evidence.read(record, EvalResult) == found


def test_the_headline_is_the_gates(found):
    said = headline(found)
    assert said.word == "FAIL"
    assert any("missed" in one for one in said.details)
    assert "80 %" in said.sentence
