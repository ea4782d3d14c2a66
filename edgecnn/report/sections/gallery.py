"""Frames for the eye: what is true, what the reference finds, what the compressed network finds."""

from pathlib import Path
from typing import Any, Final

import cv2

from edgecnn.core.errors import DataError
from edgecnn.core.evidence import GalleryFrame, VerifyResult
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.results import Frame, result_from_json
from edgecnn.data.sample import read_image
from edgecnn.report import wording
from edgecnn.report.blocks import Absent, Gallery, Panel, Section, Shot, Text
from edgecnn.report.facts import ReportFacts
from edgecnn.report.verdict import chosen

# Width in pixels and JPEG quality, tried in this order until the whole gallery fits its share of the page.
_GRADES: Final = ((560, 80), (480, 76), (400, 72), (320, 66))
_BUDGET_BYTES: Final = 2_300_000
_LANES: Final = "White dots mark the true lines on every result; the car's own lane is tinted. "
_OBJECTS: Final = (
    "Of boxes, blue ones are found, dashed yellow ones missed, crossed orange ones false; corners mark the truth, "
    "hatching what is to be ignored. "
)
_LEGENDS: Final = {"lanes": _LANES, "objects": _OBJECTS, "scene": _LANES + _OBJECTS}


def build(facts: ReportFacts) -> Section | Absent:
    """Return the gallery that verify chose, with results drawn on."""
    verify, folder = facts.verify, facts.gallery
    if verify is None or folder is None or not verify.gallery:
        return Absent("No gallery: no labelled frames came with it.")
    if facts.task not in TASKS or not TASKS[facts.task].drawing:
        return Absent(f"No gallery: task '{facts.task}' has no drawing.")
    draw = resolve("drawing", TASKS[facts.task].drawing)
    names = _panels(facts, verify)
    frames = [(frame, read_image(inside(folder, frame.image))) for frame in verify.gallery]
    shots = _fitting([(frame, _drawn(draw, frame, picture, names)) for frame, picture in frames], verify)
    left_out = len(frames) - len(shots)
    legend = _LEGENDS.get(TASKS[facts.task].drawing, "")
    text = f"{legend}Frames were chosen by figure, not by hand: some ordinary, those that lost most, the hardest."
    if left_out:
        text += f" {left_out} more did not fit on the page."
    return Section("gallery", "Gallery", (Text(text), Gallery(tuple(shots))))


def _panels(facts: ReportFacts, verify: VerifyResult) -> list[str]:
    """Return whose results stand beside the truth: the reference and the compressed artefact of the verdict."""
    best = chosen(facts)
    judged = [verdict.artefact for verdict in verify.verdicts]
    compressed = [one.name for one in facts.artefacts if one.name in judged and one.precision != "fp32"]
    second = best.name if best is not None and best.name in compressed else next(iter(compressed), "")
    return [name for name in (verify.reference, second) if name]


def _drawn(draw: Any, frame: GalleryFrame, picture: Frame, names: list[str]) -> list[tuple[str, str, Frame]]:
    """Return (label, text, picture) of every panel of one frame at the largest width."""
    width = min(_GRADES[0][0], picture.shape[1])
    small = resized(picture, width)
    truth = result_from_json(frame.truth)
    panels = [("Ground truth", "labels", draw(small, truth))]
    for name in names:
        if name in frame.results:
            figure = f"{wording.number(frame.figures[name], 3)} on this frame" if name in frame.figures else ""
            panels.append((name, figure, draw(small, result_from_json(frame.results[name]), truth=truth)))
    return panels


def _fitting(drawn: list[tuple[GalleryFrame, list[tuple[str, str, Frame]]]], verify: VerifyResult) -> list[Shot]:
    """Encode at the best grade that fits; where even the last does not, as many frames as fit."""
    shots: list[Shot] = []
    for width, quality in _GRADES:
        shots = [_shot(frame, panels, verify, width, quality) for frame, panels in drawn]
        if sum(map(_size_bytes, shots)) <= _BUDGET_BYTES:
            return shots
    kept: list[Shot] = []
    for shot in shots:
        if sum(map(_size_bytes, [*kept, shot])) > _BUDGET_BYTES:
            break
        kept.append(shot)
    return kept


def _shot(
    frame: GalleryFrame, panels: list[tuple[str, str, Frame]], verify: VerifyResult, width: int, quality: int
) -> Shot:
    tags = ", ".join(frame.tags)
    encoded = tuple(Panel(label, jpeg(resized(picture, width), quality), text) for label, text, picture in panels)
    return Shot(
        frame.why, f"{tags + ' · ' if tags else ''}{verify.figure} of one frame, so without an interval", encoded
    )


def resized(picture: Frame, width: int) -> Frame:
    """Return the picture at most `width` pixels wide."""
    if picture.shape[1] <= width:
        return picture
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    small: Frame = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
    return small


def jpeg(picture: Frame, quality: int) -> bytes:
    """Return the bytes of a JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    if not done:
        raise DataError(f"OpenCV could not write a JPEG of {picture.shape[1]} x {picture.shape[0]} pixels")
    return data.tobytes()


def _size_bytes(shot: Shot) -> int:
    return sum(len(panel.jpeg) for panel in shot.panels)


def inside(folder: Path, name: str) -> Path:
    """Return the gallery file `name`, or raise `DataError` if it lies outside of the verify result."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DataError(f"{name}: a gallery picture must lie inside the verify result; run the verify stage again")
    return path
