"""The worst frames of an evaluation, label and result side by side."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecnn.core.eval_evidence import EvalResult
from edgecnn.core.registry import DRAWINGS, resolve
from edgecnn.core.results import Detections, Scene, result_from_json
from edgecnn.data.sample import read_image
from edgecnn.report.blocks import Gallery, Panel, Section, Shot, Text
from edgecnn.report.sections.gallery import inside, jpeg, resized

_WIDTH, _QUALITY = 560, 78


def gallery(found: EvalResult, folder: Path) -> Section | None:
    """Return the worst frames, drawn; None where there are none."""
    if not found.gallery or found.drawing not in DRAWINGS:
        return None
    draw = resolve("drawing", found.drawing)
    shots = []
    for frame in found.gallery:
        picture = resized(read_image(inside(folder, frame.image)), _WIDTH)
        truth = result_from_json(frame.truth)
        panels = [Panel("Labels", jpeg(draw(picture, truth), _QUALITY))]
        for name, result in frame.results.items():
            shown = _named(result_from_json(result), truth)
            panels.append(Panel(name, jpeg(draw(picture, shown, truth=truth), _QUALITY)))
        shots.append(Shot(frame.why, ", ".join(frame.tags), tuple(panels)))
    text = "The frames on which most went wrong, the worst first; chosen by count, not by hand."
    return Section("gallery", "Worst frames", (Text(text), Gallery(tuple(shots))))


def _named(result: Any, truth: Any) -> Any:
    """Return the result with names for the label's classes, too: what is missed is of one that was not found."""
    if isinstance(result, Scene):
        return replace(result, objects=_named(result.objects, truth.objects))
    if isinstance(result, Detections):
        return replace(result, names=tuple(dict.fromkeys((*result.names, *truth.names))))
    return result
