"""A TuSimple submission beside its labels, as the published evaluator reads both: columns of x, absent ones too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes, Result
from edgecnn.data.formats.lane_labels import numbers
from edgecnn.data.formats.text_lines import json_lines, json_object, text_lines
from edgecnn.data.sample import Sample
from edgecnn.metrics.tusimple import REFERENCE_HEIGHT, REFERENCE_WIDTH, FrameScore, frame_score
from edgecnn.verify.evaluation.answers import LANES, Answers, Names

KEYS = ("raw_file", "lanes", "run_time")


def tusimple_answers(path: Path, samples: Sequence[Sample]) -> Answers:
    """Return the lanes of a submission in the order of `samples`.

    The labels' own columns are read again where the data set is TuSimple's: a label's line without a point in any row
    is none to us and one to the published evaluator.

    Raises:
        DataError: a line is broken, is for no picture of the data set, or its lanes don't have its label's rows.
    """
    names, found = Names(samples), dict[int, dict[str, Any]]()
    for where, tree in _records(path):
        place = names.place(tree["raw_file"])
        if place is None:
            raise DataError(f"{where}: '{tree['raw_file']}' is no picture of the data set")
        if place in found:
            raise DataError(f"{where}: '{tree['raw_file']}' stands twice; remove one line")
        found[place] = tree | {"where": where}
    if not found:
        raise DataError(f"{path}: no line")
    labels = _labels(samples)
    scores, results = [], list[Result]()
    for place, sample in enumerate(samples):
        score, lanes = _frame(found.get(place), labels.get(sample.where), sample)
        scores.append(score)
        results.append(lanes)
    absent = len(samples) - len(found)
    notes = (f"{absent} pictures have no line; they count as nothing found",) if absent else ()
    return Answers(LANES, f"TuSimple submission {path}", results, scored={"tusimple": scores}, notes=notes)


def _frame(tree: dict[str, Any] | None, label: dict[str, Any] | None, sample: Sample) -> tuple[FrameScore, Result]:
    truth = sample.truth
    if not isinstance(truth, Lanes):
        raise DataError(f"{sample.where}: this label has no lane lines for a TuSimple submission")
    rows = truth.rows
    if not len(rows):
        raise DataError(f"{sample.where}: this label names no rows (h_samples) that a submission's lanes could have")
    across = REFERENCE_WIDTH / truth.width
    scaled = rows.astype(np.float64) * (REFERENCE_HEIGHT / truth.height)
    true = _lanes(label, rows, sample.where) if label is not None else _of_lines(truth)
    given = _lanes(tree, rows, tree["where"]) if tree is not None else []
    time_ms = float(tree["run_time"]) if tree is not None else 0.0
    score = frame_score([_scaled(x, across) for x in given], [_scaled(x, across) for x in true], scaled, time_ms)
    lines = [np.stack([x[x >= 0], rows[x >= 0]], 1).astype(np.float32) for x in given if (x >= 0).sum() >= 2]
    return score, Lanes(tuple(lines), truth.width, truth.height, positions(lines, truth.width, truth.height))


def _records(path: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for where, tree in json_lines(path):
        for key in KEYS:
            if key not in tree:
                raise DataError(f"{where}: key '{key}' is missing; a submission has {', '.join(KEYS)}")
        if not isinstance(tree["raw_file"], str) or not isinstance(tree["run_time"], int | float):
            raise DataError(f"{where}: 'raw_file' must be a path and 'run_time' milliseconds")
        found.append((where, tree))
    return found


def _labels(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """Return the label lines of TuSimple's data set by file and line."""
    files = dict.fromkeys(sample.where.rpartition(":")[0] for sample in samples)
    found = {}
    for name in files:
        if name.endswith(".json") and Path(name).is_file():
            for where, line in text_lines(Path(name)):
                if line.lstrip().startswith(b"{") and b'"h_samples"' in line:
                    found[where] = json_object(line, where)
    return found


def _lanes(tree: dict[str, Any], rows: NDArray[np.float32], where: str) -> list[NDArray[np.float64]]:
    if not isinstance(tree["lanes"], list):
        raise DataError(f"{where}: 'lanes' must be a list of lists of numbers")
    found = []
    for number, lane in enumerate(tree["lanes"]):
        x = numbers(lane, f"{where}: lane {number}").astype(np.float64)
        if len(x) != len(rows):
            raise DataError(f"{where}: lane {number} has {len(x)} values for {len(rows)} h_samples; they must match")
        found.append(x)
    return found


def _of_lines(truth: Lanes) -> list[NDArray[np.float64]]:
    found = []
    for line in truth.lines:
        x = np.interp(truth.rows, line[:, 1], line[:, 0], left=-2.0, right=-2.0)
        found.append(np.asarray(x, np.float64))
    return found


def _scaled(x: NDArray[np.float64], across: float) -> NDArray[np.float64]:
    return np.where(x >= 0, x * across, -2.0)
