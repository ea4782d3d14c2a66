"""The frames on which most went wrong, for the eye."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import cv2

from edgecnn.core.errors import DataError
from edgecnn.core.evidence import GalleryFrame
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.sample import read_image
from edgecnn.metrics.people import MIN_SCORE
from edgecnn.verify.evaluation.fitting import Judged

FRAMES: Final = 8
_QUALITY: Final = 92


def worst(judged: Sequence[Judged], whole: Judged, out: Path, source: str) -> tuple[GalleryFrame, ...]:
    """Write the worst frames to `out`/gallery and return them with label and result, the worst of all first.

    Args:
        judged: metrics that rank: `people` by missed and false objects together, `tusimple` by accuracy.
        whole: whose labels and results are shown.
        out: an existing folder.
        source: what the results are called.
    """
    rankings = [_by_objects(one) for one in judged if one.metric.name == "people"]
    rankings += [_by_lanes(one) for one in judged if one.metric.name == "tusimple"]
    chosen: dict[int, str] = {}
    for ranking in rankings:
        for place, why in ranking[: -(-FRAMES // len(rankings))]:
            chosen[place] = f"{chosen[place]}; {why}" if place in chosen else why
    folder = out / "gallery"
    if chosen:
        folder.mkdir(exist_ok=True)
    return tuple(_frame(place, why, whole, folder, source) for place, why in chosen.items())


def _by_objects(judged: Judged) -> list[tuple[int, str]]:
    found = [(score.counts[1] + score.counts[2], place, score.counts) for place, score in enumerate(judged.scores)]
    found = sorted((one for one in found if one[0]), key=lambda one: (-one[0], one[1]))
    return [(place, f"{missed} missed, {wrong} false, {right} found") for _, place, (right, wrong, missed) in found]


def _by_lanes(judged: Judged) -> list[tuple[int, str]]:
    labelled = [place for place, sample in enumerate(judged.samples) if cast("Lanes", sample.truth).lines]
    found = sorted((judged.scores[place].accuracy, place) for place in labelled if judged.scores[place].accuracy < 1)
    return [(place, f"lanes {100 * accuracy:.1f} % accurate") for accuracy, place in found]


def _frame(place: int, why: str, whole: Judged, folder: Path, source: str) -> GalleryFrame:
    sample = whole.samples[place]
    name = f"{place:06d}.jpg"
    done, data = cv2.imencode(".jpg", read_image(sample.image), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise DataError(f"{sample.image}: OpenCV could not write it as a JPEG")
    (folder / name).write_bytes(data.tobytes())
    truth: Any = sample.truth
    return GalleryFrame(
        image=f"gallery/{name}",
        tags=sample.tags,
        why=why,
        figures={},
        truth=truth.to_json(),
        results={source: _deployed(whole.results[place]).to_json()},
    )


def _deployed(result: Any) -> Any:
    """Return what a robot acts on, which is what the frame was chosen by."""
    if isinstance(result, Scene):
        return replace(result, objects=_deployed(result.objects))
    return result.take(result.scores >= MIN_SCORE) if isinstance(result, Detections) else result
