"""How far a compressed network decides what its FP32 original decides, for any CNN, without labels.

Not the raw error: an error of a per cent may change nothing, or every detection near its threshold. `decisions` says
what each output decides. The agreement of a network is that of its worst output.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.measure import Measurement, bootstrap
from edgecnn.metrics.decision_rules import rule_of
from edgecnn.metrics.decisions import (
    Counts,
    Rule,
    Seen,
    add_counts,
    beside,
    channel_axis,
    count_frame,
    relative,
    shift_frame,
)

AGREEMENT = "agreement"
FAR = 0.3
"""Relative error beyond which an output that is judged by its greatest values or its signs is another one altogether:
what is no classification, such as an embedding or a flow, looks like one from its values."""
METHOD = "percentile bootstrap over frames, 1000 resamples"

Outputs: TypeAlias = Mapping[str, NDArray[Any]]


class Judge(Protocol):
    """What a search asks whether a candidate is good enough."""

    def score(self, outputs: Iterable[Outputs]) -> float:
        """Return how good a candidate's outputs, one mapping a frame in the reference's order, are: percent."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One frame: by output the counts [K, 2], and squared error and squared reference."""

    counts: Mapping[str, Counts]
    squares: Mapping[str, tuple[float, float]]


@final
class AgreementJudge:
    """Compares outputs with the reference's.

    Args:
        references: the reference's outputs, one mapping a frame, each array with its batch axis. It is iterated here
            and again at each judging and is not held: give a list, or what reads from a disk.
        frame_size: (height, width) of the network's input where that is a picture; tells channels from places.

    Attributes:
        rules: by output, how it is judged.
        frames: number of reference frames.

    Raises:
        DataError: there is no frame, or a reference holds NaN or infinity.
    """

    def __init__(self, references: Iterable[Outputs], frame_size: tuple[int, int] | None = None) -> None:
        self._references = references
        seen: dict[str, Seen] = {}
        self.frames = 0
        for outputs in references:
            for name, array in outputs.items():
                if not np.isfinite(array).all():
                    raise DataError(f"the FP32 model's output '{name}' holds NaN or infinity on frame {self.frames}")
                if name not in seen:
                    seen[name] = Seen(array.shape, array.dtype, channel_axis(array.shape, frame_size))
                seen[name].add(array)
            self.frames += 1
        if not seen:
            raise DataError("no frame to judge agreement on; give at least one")
        self.rules: dict[str, Rule] = {name: rule_of(found) for name, found in seen.items()}
        self._beside = beside(self.rules, {name: found.shape for name, found in seen.items()})

    def score(self, outputs: Iterable[Outputs]) -> float:
        """Return the agreement in percent: that of the worst output."""
        return self.totals(self.records(outputs))[AGREEMENT]

    def records(self, outputs: Iterable[Outputs]) -> list[Record]:
        """Return a record a frame; `outputs` comes in the reference's order and is read one frame at a time.

        Raises:
            DataError: there are fewer or more frames than the reference had, or an output is missing.
        """
        found = []
        try:
            for wanted, given in zip(self._references, outputs, strict=True):
                counts = {
                    name: count_frame(rule, wanted[name], given[name], self._teller(name, wanted))
                    for name, rule in self.rules.items()
                }
                found.append(Record(counts, {name: relative(wanted[name], given[name]) for name in self.rules}))
        except (KeyError, ValueError) as error:
            raise DataError(f"outputs do not match the reference's frame by frame: {error}") from error
        return found

    def distance(self, outputs: Iterable[Outputs]) -> float:
        """Return how far a candidate's decisions moved, 0 for not at all; each output's root mean square.

        It tells apart disturbances too small to change the agreement, and squares of independent ones add up.

        Raises:
            DataError: as `records` does.
        """
        moved: dict[str, list[Counts]] = {name: [] for name in self.rules}
        try:
            for wanted, given in zip(self._references, outputs, strict=True):
                for name, rule in self.rules.items():
                    moved[name].append(shift_frame(rule, wanted[name], given[name], self._teller(name, wanted)))
        except (KeyError, ValueError) as error:
            raise DataError(f"outputs do not match the reference's frame by frame: {error}") from error
        parts = [self.rules[name].moved(add_counts(counts)) for name, counts in moved.items()]
        return float(np.sqrt(np.mean(np.square(parts))))

    def text(self, name: str) -> str:
        """Return in words how the output `name` is judged."""
        teller = self._beside.get(name)
        return self.rules[name].text + (f", where '{teller}' sees an object" if teller else "")

    def totals(self, records: Sequence[Record]) -> dict[str, float]:
        """Return `agreement` and each output's own as `agreement:<output>`, in percent, over `records`."""
        errors = self.rel_error(records)
        by_output = {
            name: min(
                rule.percent(add_counts(record.counts[name] for record in records)),
                100.0 if not rule.ranked or errors[name] <= FAR else max(100 * (1 - errors[name]), 0.0),
            )
            for name, rule in self.rules.items()
        }
        return {AGREEMENT: min(by_output.values())} | {f"{AGREEMENT}:{name}": v for name, v in by_output.items()}

    def worst(self, records: Sequence[Record]) -> str:
        """Return the output that agrees least."""
        totals = self.totals(records)
        return min(self.rules, key=lambda name: totals[f"{AGREEMENT}:{name}"])

    def rel_error(self, records: Sequence[Record]) -> dict[str, float]:
        """Return ||candidate - reference|| / ||reference|| of each output over all frames together."""
        found = {}
        for name in self.rules:
            error, power = (sum(record.squares[name][i] for record in records) for i in (0, 1))
            found[name] = float(np.sqrt(error / max(power, 1e-30)))
        return found

    def _teller(self, name: str, wanted: Outputs) -> tuple[Rule, NDArray[Any]] | None:
        teller = self._beside.get(name)
        return None if teller is None else (self.rules[teller], wanted[teller])

    def measure(self, records: Sequence[Record], on: str = "") -> dict[str, Measurement]:
        """Return the totals as measurements with bootstrap intervals; one frame alone has none."""
        values = self.totals(records)
        if len(records) == 1:
            return {name: Measurement(value, "%", 1, on=on) for name, value in values.items()}
        bounds = bootstrap(records, self.totals)
        return {
            name: Measurement(value, "%", len(records), *bounds[name], on=on, method=METHOD)
            for name, value in values.items()
        }
