"""How the time that a search may take is shared, so that what it ends with fits in as well."""

import time
from dataclasses import dataclass

import onnx

from edgecnn.compress.quantize.candidate import Bench
from edgecnn.compress.quantize.search import FINALISTS, LAST_RACE_S, RACE_S

MOST_CORRECTION_S = 30.0
CORRECTION_SHARE = 0.1
LEAST_SEARCH_SHARE = 0.6
"""Of a time too short for all, what the search itself gets: without it the finalists would be none."""
UNFORESEEN = 1.5
"""A quantized candidate takes this many times as long to be built and judged as the float model to be judged."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds that learning the rounding may take, once, and after which a search begins nothing new but its end."""

    correction_s: float
    search_s: float


def timed_score(bench: Bench, model: onnx.ModelProto) -> tuple[float, float]:
    """Return the judge's figure of the float model on `bench`, and the seconds it took to find.

    Raises:
        EngineError: the engine refused the model or a frame.
    """
    started = time.monotonic()
    score = bench.score(model)
    return score, time.monotonic() - started


def share_out(seconds: float, trial_s: float, *, raced: bool) -> Shares:
    """Return how `seconds` are shared where judging the float model has taken `trial_s` of them.

    Kept back for the end: a trial that had begun, a finalist whose rounding is learned and which is judged anew, and
    the races of the finalists where the engine runs here (`raced`).
    """
    correction = min(MOST_CORRECTION_S, CORRECTION_SHARE * seconds)
    race = RACE_S * (FINALISTS + 1) + LAST_RACE_S if raced else 0.0
    end = correction + 2 * UNFORESEEN * trial_s + race
    return Shares(correction, max(seconds - trial_s - end, LEAST_SEARCH_SHARE * seconds))
