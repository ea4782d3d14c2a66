"""What pycocotools itself says of the same boxes, beside our own figures."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import xywh
from edgecnn.metrics.coco import FIGURES, stated_areas


def figures(pairs: Sequence[tuple[Detections, Detections]]) -> dict[str, float]:
    """Return pycocotools' twelve figures of (found, true) a frame, by our names; -1 stands where there is nothing."""
    names = sorted({name for pair in pairs for one in pair for name in one.names})
    labels: list[dict[str, Any]] = []
    finds: list[dict[str, Any]] = []
    for image, (found, true) in enumerate(pairs, 1):
        rows = zip(xywh(true), stated_areas(true), true.labels, true.ignored, strict=True)
        for box, area, label, ignored in rows:
            about = {"bbox": box.tolist(), "area": float(area), "iscrowd": int(ignored)}
            number = names.index(true.names[label]) + 1
            labels.append({"id": len(labels) + 1, "image_id": image, "category_id": number, **about})
        for box, score, label in zip(xywh(found), found.scores, found.labels, strict=True):
            about = {"bbox": box.tolist(), "score": float(score)}
            finds.append({"image_id": image, "category_id": names.index(found.names[label]) + 1, **about})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image} for image in range(1, len(pairs) + 1)],
            "categories": [{"id": place, "name": name} for place, name in enumerate(names, 1)],
            "annotations": labels,
        }
        truth.createIndex()
        judged = COCOeval(truth, truth.loadRes(finds), "bbox") if finds else None
        if judged is not None:
            judged.evaluate()
            judged.accumulate()
            judged.summarize()
    stats = [-1.0 if not labels else 0.0] * len(FIGURES) if judged is None else judged.stats.tolist()
    return dict(zip(FIGURES, stats, strict=True))
