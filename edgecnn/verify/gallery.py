"""The frames a person should look at: the worst for the compressed artefacts, the worst of all, and ordinary ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.core.evidence import GalleryFrame
from edgecnn.data.sample import Sample, image_bytes
from edgecnn.metrics.metric import Metric
from edgecnn.verify.accuracy import Scores, per_frame

ORDINARY, WORST, LOST = 4, 2, 2


def gallery(
    out: Path, samples: Sequence[Sample], found: dict[str, Scores], reference: str, metric: Metric, figure: str
) -> tuple[GalleryFrame, ...]:
    """Copy the chosen frames to `out`/gallery and return them with every artefact's result."""
    values = {name: per_frame(metric, scores.scores, figure) for name, scores in found.items()}
    if not metric.higher_is_better[figure]:
        values = {name: -value for name, value in values.items()}
    folder = out / "gallery"
    folder.mkdir()
    frames = []
    for index, why in _choose(values, reference).items():
        sample = samples[index]
        name = f"gallery/{index:06d}{sample.image.suffix}"
        (out / name).write_bytes(image_bytes(sample.image))
        frames.append(
            GalleryFrame(
                image=name,
                tags=sample.tags,
                why=why,
                figures={artefact: float(abs(v[index])) for artefact, v in values.items() if not np.isnan(v[index])},
                truth=sample.truth.to_json(),
                results={artefact: scores.results[index].to_json() for artefact, scores in found.items()},
            )
        )
    return tuple(frames)


def _choose(values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]], reference: str) -> dict[int, str]:
    base = values[reference]
    spread = np.linspace(0, len(base) - 1, ORDINARY).astype(int)
    chosen = {int(i): "ordinary" for i in spread}
    lost = np.max(
        [base - value for name, value in values.items() if name != reference] or [np.zeros_like(base)], axis=0
    )
    chosen |= {int(i): "most lost by compression" for i in np.argsort(-lost, kind="stable")[:LOST] if lost[i] > 0}
    return chosen | {int(i): "hardest" for i in np.argsort(base, kind="stable")[:WORST]}
