"""From figures to a table and to yes or no: is edgecnn as accurate as its best peer, and as fast as its fastest?"""

from collections.abc import Iterable
from dataclasses import dataclass

from edgecnn.core.measure import Measurement

LEVEL = 0.5
"""Percentage points of agreement within which a peer counts as being at the best peer's accuracy."""
MORE_ERROR = 1.02
"""Relative error up to this factor of another's counts as equal: it is measured on a few frames."""
SLOWER = 1.05
UNSTEADY = 1.5
"""A ratio whose interval's ends are this factor apart says nothing: the machine was busy with something else."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One contender on one model.

    Attributes:
        model, group, contender: what was quantized, where it is run, by whom; `ours` tells edgecnn.
        agreement: with FP32, percent, by decisions; None after a failure.
        rel_error: ||outputs - FP32's|| / ||FP32's|| of the worst output.
        lost: points lost against FP32: of the task's figure where there are labels (`labelled`), else of agreement.
        judged: percent by the model's own judge, where it has one; it then decides instead of `agreement`.
        speedup: times faster than FP32 in the same engine; None where it is run for accuracy alone.
        seconds: that quantizing took.
        notes: what else a reader must know; a failure's error.
    """

    model: str
    group: str
    contender: str
    ours: bool
    agreement: float | None
    rel_error: float | None
    lost: Measurement | None
    labelled: bool
    judged: float | None
    speedup: Measurement | None
    seconds: float
    notes: tuple[str, ...]

    @property
    def accuracy(self) -> float | None:
        """The percentage that verdicts go by; with labels, what the task's figure keeps of FP32's."""
        if self.labelled and self.lost is not None:
            return 100 - self.lost.value
        return self.judged if self.judged is not None else self.agreement


def table(figures: Iterable[Figures]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| model | run in | contender | points lost | agreement % | own judge % | rel. error | x FP32 | s | notes |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for f in figures:
        cells = [f.model, f.group, f.contender, _measured(f.lost), _text(f.agreement, 1), _text(f.judged, 1)]
        cells += [_text(f.rel_error, 4), _measured(f.speedup), _text(f.seconds, 1), "; ".join(f.notes)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def verdicts(figures: list[Figures]) -> list[str]:
    """Return a line a model and group: accuracy, latency and time against the peers that ran."""
    lines = []
    for model, group in dict.fromkeys((f.model, f.group) for f in figures):
        there = [f for f in figures if (f.model, f.group) == (model, group) and f.accuracy is not None]
        ours, peers = [f for f in there if f.ours], [f for f in there if not f.ours]
        if not ours:
            lines.append(f"{model}, {group}: edgecnn failed")
        elif not peers:
            lines.append(f"{model}, {group}: no peer gave a model that runs")
        else:
            lines.extend(f"{model}, {group}, {f.contender}: {_verdict(f, peers)}" for f in ours)
    return lines


def _verdict(ours: Figures, peers: list[Figures]) -> str:
    best = max(peers, key=lambda f: (f.accuracy or 0, -(f.rel_error or 0)))
    least = min(f.rel_error or 0 for f in peers)
    more, less = _yes((ours.accuracy or 0) >= (best.accuracy or 0)), _yes((ours.rel_error or 0) <= MORE_ERROR * least)
    said = [
        f"accuracy at least best peer's: {more} ({ours.accuracy:.1f} against {best.accuracy:.1f} of {best.contender})",
        f"error at most the least peer's: {less} ({ours.rel_error:.4f} against {least:.4f})",
    ]
    level = [f for f in peers if (f.accuracy or 0) >= (best.accuracy or 0) - LEVEL and f.speedup is not None]
    if ours.speedup is not None and level:
        fastest = max(level, key=lambda f: f.speedup.value if f.speedup is not None else 0)
        assert fastest.speedup is not None  # noqa: S101 - `level` holds no other
        held = _steady(ours.speedup, fastest.speedup, ours.speedup.value * SLOWER >= fastest.speedup.value)
        said.append(
            f"latency at most {SLOWER}x the fastest peer's at that accuracy: {held} "
            f"({ours.speedup.value:.2f}x FP32 against {fastest.speedup.value:.2f}x of {fastest.contender})"
        )
    if ours.speedup is not None:
        said.append(f"not slower than FP32: {_steady(ours.speedup, ours.speedup, ours.speedup.value >= 1)}")
    return "; ".join(said)


def _steady(first: Measurement, second: Measurement, held: bool) -> str:  # noqa: FBT001 - told at once what it is
    wide = any(one.low is None or one.high is None or one.high > UNSTEADY * one.low for one in (first, second))
    return "not measurable here" if wide else _yes(held)


def _yes(held: bool) -> str:  # noqa: FBT001 - the whole of its argument
    return "yes" if held else "NO"


def _measured(value: Measurement | None) -> str:
    if value is None:
        return ""
    interval = "" if value.low is None or value.high is None else f" [{value.low:.2f}, {value.high:.2f}]"
    return f"{value.value:.2f}{interval}"


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
