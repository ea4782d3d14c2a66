"""A against B from two result files: faster, slower, or no difference that matters, judged by interleaved rounds."""

from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.bench import samples
from edgecnn.bench.interleave import FEWEST_FOR_INTERVAL, paired_ratio, round_medians
from edgecnn.bench.single_stream import SINGLE_STREAM
from edgecnn.bench.statistics import RESAMPLES
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import BenchResult, BenchRun
from edgecnn.core.measure import Measurement

MARGIN = 0.01
Judgement: TypeAlias = Literal["faster", "slower", "no difference", "undecided"]


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is said of B against A. `ratio` is time of B / time of A: above 1, B is slower."""

    a: str
    b: str
    scenario: str
    ratio: Measurement
    verdict: Judgement
    interleaved: bool
    text: str
    notes: tuple[str, ...] = ()

    @property
    def regressed(self) -> bool:
        """Whether B is slower than A beyond the margin, with confidence."""
        return self.verdict == "slower"


class Taken(NamedTuple):
    """A result file, the run chosen from it, and its median latency in ns by round."""

    result: BenchResult
    run: BenchRun
    medians: dict[int, float]


def compare(
    a: Path,
    b: Path,
    *,
    artefact_a: str | None = None,
    artefact_b: str | None = None,
    scenario: str = SINGLE_STREAM,
    allow_separate: bool = False,
) -> Comparison:
    """Judge B against A by the medians of their rounds.

    Args:
        a: result file of the run that is the yardstick; its samples lie beside it.
        b: result file of the run that is judged.
        artefact_a: which artefact of `a`; needed only if it holds several.
        artefact_b: the same for `b`; `artefact_a` is meant if that is given alone and `b` has it.
        scenario: `single_stream`, `engine_only` or `camera`.
        allow_separate: compare runs that were not interleaved, and say so in the verdict.

    Raises:
        InputError: a file can't be read, the artefact is not clear, or the runs were not interleaved.
    """
    results = [_read(path) for path in (a, b)]
    interleaved = results[0].session == results[1].session
    if not interleaved and not allow_separate:
        raise InputError(
            f"{a} and {b} were not measured interleaved, so drift of the machine would count as a difference; "
            "measure both with 'edgecnn bench A --with B --out DIR', or say --allow-separate"
        )
    first = _take(a, results[0], artefact_a, scenario)
    second = _take(b, results[1], artefact_b or _shared(artefact_a, results[1], scenario), scenario)
    ratio = (
        paired_ratio(second.medians, first.medians) if interleaved else unpaired_ratio(second.medians, first.medians)
    )
    verdict = judge(ratio)
    notes = tuple(
        f"{name}: {note}"
        for name, taken in (("A", first), ("B", second))
        for note in (*taken.run.notes, *taken.result.environment.get("disturbances", ()))
    )
    return Comparison(
        a=first.run.artefact,
        b=second.run.artefact,
        scenario=scenario,
        ratio=ratio,
        verdict=verdict,
        interleaved=interleaved,
        text=_sentence(first.run.artefact, second.run.artefact, ratio, verdict, interleaved=interleaved),
        notes=tuple(dict.fromkeys(notes)),
    )


def judge(ratio: Measurement) -> Judgement:
    """Return what the interval of `ratio` (time of B / time of A) says against a margin of 1 % on either side."""
    if ratio.low is None or ratio.high is None:
        return "undecided"
    if ratio.low > 1 + MARGIN:
        return "slower"
    if ratio.high < 1 - MARGIN:
        return "faster"
    if ratio.low >= 1 - MARGIN and ratio.high <= 1 + MARGIN:
        return "no difference"
    return "undecided"


def unpaired_ratio(first: dict[int, float], second: dict[int, float]) -> Measurement:
    """Return how many times `second` fits into `first`, their rounds taken as unrelated.

    The 95 % interval is given where both have 5 rounds.

    Raises:
        InputError: fewer than two rounds in either.
    """
    if min(len(first), len(second)) < 2:
        raise InputError("a run has fewer than 2 rounds of samples after warm-up; measure for longer")
    value = float(np.median(list(first.values())) / np.median(list(second.values())))
    method = "ratio of medians over rounds, NOT interleaved, bootstrap over the rounds of each run"
    rounds = min(len(first), len(second))
    if rounds < FEWEST_FOR_INTERVAL:
        return Measurement(value, "x", rounds, method=method)
    rng = np.random.default_rng(0)
    resampled = [_medians_of_resamples(np.array(list(medians.values())), rng) for medians in (first, second)]
    low, high = np.quantile(resampled[0] / resampled[1], [0.025, 0.975])
    return Measurement(value, "x", rounds, float(low), float(high), method=method)


def _medians_of_resamples(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    medians: NDArray[np.float64] = np.median(values[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    return medians


def _read(path: Path) -> BenchResult:
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchResult)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: not a result file of 'edgecnn bench' ({error})") from error


def _shared(name: str | None, result: BenchResult, scenario: str) -> str | None:
    return name if any(run.artefact == name and run.scenario == scenario for run in result.runs) else None


def _take(path: Path, result: BenchResult, artefact: str | None, scenario: str) -> Taken:
    fitting = [run for run in result.runs if run.scenario == scenario and artefact in (None, run.artefact)]
    if len(fitting) != 1:
        known = ", ".join(sorted({f"{run.artefact} ({run.scenario})" for run in result.runs})) or "nothing"
        wanted = f"no {artefact or 'artefact'} under {scenario}" if not fitting else "several artefacts"
        raise InputError(f"{path}: {wanted}; say which with --artefact-a / --artefact-b (it holds {known})")
    run = fitting[0]
    kept = samples.read(samples.path_of(path), run.samples)
    if missing := {"latency_ns", "round", "lead_in"} - set(kept):
        raise InputError(f"{path}: its samples lack {', '.join(sorted(missing))}; measure again")
    judged = (kept["round"] >= 0) & (kept["lead_in"] == 0)
    judged[: run.steady_from or 0] = False
    return Taken(result, run, round_medians(kept["latency_ns"], kept["round"], judged))


def _sentence(a: str, b: str, ratio: Measurement, verdict: Judgement, *, interleaved: bool) -> str:
    percent = 100 * (ratio.value - 1)
    interval = f"{ratio.n} rounds, too few for an interval"
    if ratio.low is not None and ratio.high is not None:
        interval = f"{100 * (ratio.low - 1):+.1f} % to {100 * (ratio.high - 1):+.1f} %, {ratio.n} rounds"
    said = {
        "faster": f"{b} is faster than {a}: its time is {percent:+.1f} % ({interval})",
        "slower": f"{b} is slower than {a}: its time is {percent:+.1f} % ({interval})",
        "no difference": f"no difference beyond 1 % between {b} and {a}: {percent:+.1f} % ({interval})",
        "undecided": f"undecided between {b} and {a}: {percent:+.1f} % ({interval}); measure for longer",
    }[verdict]
    return said if interleaved else f"{said}; NOT interleaved: drift of the machine counts as a difference"
