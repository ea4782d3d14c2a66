"""The search: as much INT8 as pays on the target, and no more than the agreed accuracy bears.

Everything in INT8 first; then what each unit adds to the outputs' error and what it saves in the engine's own time;
then along the path of best assignments the fastest one that holds the floor, fitted anew, judged and timed for real.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.compress.quantize.candidate import Bench, fastest_form
from edgecnn.compress.quantize.correction.transplant import transplant
from edgecnn.compress.quantize.latency import Choice, LatencyModel, measure_latency, predict_latency
from edgecnn.compress.quantize.mixed import assignments
from edgecnn.compress.quantize.quantize import Quantizer, QuantizeReport, Settings
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.sensitivity import Disturbance, measure_sensitivity, picture_size
from edgecnn.compress.quantize.simulate import Calibration, Subset, outputs
from edgecnn.compress.quantize.workbench import Mix, Workbench
from edgecnn.core.errors import EngineError
from edgecnn.core.evidence import Trial, UnitDecision
from edgecnn.core.measure import Measurement
from edgecnn.core.progress import bar

CONTEST_FRAMES = 2
SENSITIVITY_FRAMES = 12
RACE_S, TRIAL_RACE_S, GROWTH_RACE_S, LAST_RACE_S = 2.0, 0.5, 0.5, 15.0
LATENCY_SHARE, SENSITIVITY_SHARE = 0.3, 0.3
"""Shares of the time allowed that timing layers and probing them may take."""
TRIALS_A_UNIT = 1.5
LEAST_GAIN = 0.001
"""Share of the time that another unit in INT8 has to save, by the latency model, to be tried."""
ALONG_ENDS, GROWTH_ENDS = 0.3, 0.15
"""Shares of the time that are left when no further mix of the path, or no further unit, is tried."""
FINALISTS = 5
TOO_SLOW = "the search found INT8 no faster here"
TOO_DEAR = "the search found INT8 to save too little time for the error it makes"


@dataclass(frozen=True, slots=True)
class Goal:
    """What has to hold: the judge's figure stays at `floor` or above; the search ends after about `seconds`."""

    floor: float
    seconds: float = 480.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ends with.

    Attributes:
        model: the quantized model, or None where FP32 is the best that is honest.
        form: the float form of it that was quantized; None with `model`.
        report: how it was quantized; None with `model`.
        score: the judge's figure of it.
        speedup: how many times as fast as the float model it is; None where its engine does not run here.
        trials: what was tried, in order.
        decisions: by unit, what was found and decided.
        notes: what the user must know, a line each.
    """

    model: onnx.ModelProto | None
    form: onnx.ModelProto | None
    report: QuantizeReport | None
    score: float
    speedup: Measurement | None
    trials: tuple[Trial, ...]
    decisions: dict[str, UnitDecision]
    notes: tuple[str, ...]


def search(
    models: Mapping[str, onnx.ModelProto],
    scheme: Scheme,
    calibration: Calibration,
    settings: Settings,
    bench: Bench,
    goal: Goal,
) -> Found:
    """Return the fastest assignment of INT8 and float that holds the floor.

    Args:
        models: one network in forms that compute the same; the first is the plain one. Where the engine runs here the
            form is taken whose INT8 version is fastest, else the first.
        scheme: the target's.
        calibration: frames that ranges and rounding come from.
        settings: how each candidate is quantized.
        bench: where candidates run, and who judges them.
        goal: what has to hold.

    Raises:
        InputError, DataError, EngineError, StageError: as `quantize` does.
    """
    return _Search(models, scheme, calibration, settings, bench, goal).run()


class _Search:
    def __init__(
        self,
        models: Mapping[str, onnx.ModelProto],
        scheme: Scheme,
        calibration: Calibration,
        settings: Settings,
        bench: Bench,
        goal: Goal,
    ) -> None:
        self.started = time.monotonic()
        self.models, self.plain, self.bench, self.goal = models, next(iter(models.values())), bench, goal
        self.scheme, self.calibration, self.settings = scheme, calibration, settings
        self.notes: list[str] = []
        self.trials: list[Trial] = []
        self.scores: dict[bytes, float] = {}
        self.quantizer = Quantizer(self._form(), scheme, calibration, settings)
        self.units = self.quantizer.bench.units

    def run(self) -> Found:
        """Search."""
        self.whole = self.quantizer.fitted()
        latency = self._latency()
        noise = self._noise()
        self._score(np.ones(len(self.units.names), np.bool_), latency)
        path = [choice for choice in assignments(latency, noise) if choice.any()]
        good = self._along(path, latency) or self._shrunk(path, latency, noise)
        good = self._grown(good, latency, noise)
        return self._found(self._fastest(good, latency), latency, noise)

    def _form(self) -> onnx.ModelProto:
        """Return the form of the network that is fastest in float and in INT8 together, as a mix of both will be."""
        if self.bench.engine is None or len(self.models) == 1:
            return self.plain
        frames = list(Subset(self.calibration, CONTEST_FRAMES))
        settings = self.settings
        quick = [
            Workbench(model, self.scheme, frames, settings.keep_float, settings.threads, "minmax").build().model
            for model in self.models.values()
        ]
        raced = self.bench.race([*self.models.values(), *quick], RACE_S * 2)
        name, gain = fastest_form(list(self.models), raced)
        if gain is not None:
            self.notes.append(f"rewritten: {name}; FP32 takes {gain[0]:.2f} and INT8 {gain[1]:.2f} of the time")
        return self.models[name]

    def _left(self) -> float:
        return self.goal.seconds - (time.monotonic() - self.started)

    def _built(self, names: Sequence[str]) -> Mix:
        """Return the units `names` in INT8, with the rounding that was learned with everything in INT8."""
        placed = self.quantizer.bench.build(names)
        transplant(self.whole.model, placed.model)
        return placed

    def _names(self, choice: Choice) -> list[str]:
        return [name for name, chosen in zip(self.units.names, choice, strict=True) if chosen]

    def _score(self, choice: Choice, latency: LatencyModel) -> float:
        key = choice.tobytes()
        if key in self.scores:
            return self.scores[key]
        model = self._mix(choice).model
        try:
            score = self.bench.score(model)
        except EngineError as error:
            self.notes.append(f"a mix of {int(choice.sum())} units in INT8 was refused and passed over: {error}")
            score = 0.0
        self.scores[key] = score
        self.trials.append(Trial(int(choice.sum()), len(choice), score, latency.time(choice)))
        return score

    def _latency(self) -> LatencyModel:
        if self.bench.engine is None:
            return predict_latency(self.units)
        ends = max(self._left() - LATENCY_SHARE * self.goal.seconds, ALONG_ENDS * self.goal.seconds)
        most = int(TRIALS_A_UNIT * len(self.units.names)) + 8
        with self.bench.stopwatch(self.quantizer.bench.model, TRIAL_RACE_S) as share:
            return measure_latency(
                self.units,
                lambda choice: share(self._mix(choice).model),
                lambda: self._left() > ends,
                most,
            )

    def _noise(self) -> NDArray[np.float64]:
        frames = list(Subset(self.calibration, SENSITIVITY_FRAMES))
        reference = outputs(self.quantizer.bench.model, frames, self.settings.threads)
        seconds = min(SENSITIVITY_SHARE * self.goal.seconds, max(self._left() - 0.3 * self.goal.seconds, 10.0))
        disturbance = Disturbance(frames, reference, picture_size(self.plain), self.settings.threads)
        return measure_sensitivity(
            self.units.names, lambda names: self._built(names).model, disturbance, len(frames), seconds
        )

    def _along(self, path: list[Choice], latency: LatencyModel) -> list[Choice]:
        """Return assignments that hold the floor, by halving towards the fastest, then around it as time allows."""
        held: dict[int, bool] = {}

        def holds(index: int) -> bool:
            held[index] = self._score(path[index], latency) >= self.goal.floor
            return held[index]

        low, high = -1, len(path)
        with bar("halve mixes", max(len(path).bit_length(), 1)) as shown:
            while high - low > 1 and (self._left() > 0 or not held):
                middle = (low + high) // 2
                low, high = (low, middle) if holds(middle) else (middle, high)
                shown.advance()
        for index in sorted(range(len(path)), key=lambda i: abs(i - high)):
            if self._left() > ALONG_ENDS * self.goal.seconds:
                holds(index)
        return [path[index] for index, good in held.items() if good]

    def _shrunk(self, path: list[Choice], latency: LatencyModel, noise: NDArray[np.float64]) -> list[Choice]:
        """Return the most exact mix of the path without the units that err most for what they save, until it holds."""
        if not path:
            return []
        best = path[-1].copy()
        order = [unit for unit in np.argsort(latency.savings / np.maximum(noise, 1e-12)) if best[unit]]
        with bar("drop layers", len(order)) as shown:
            for unit in order[:-1]:
                if self._left() < GROWTH_ENDS * self.goal.seconds:
                    break
                best[unit] = False
                shown.advance()
                if self._score(best, latency) >= self.goal.floor:
                    return [best]
        return []

    def _grown(self, good: list[Choice], latency: LatencyModel, noise: NDArray[np.float64]) -> list[Choice]:
        """Return the good assignments and what the fastest of them grows to, unit by unit, while the floor holds.

        Units are tried in the order of what they save for their noise. Where the engine runs here a unit stays only
        if the network is faster with it for real: a fitted saving is as good as the fit.
        """
        if not good:
            return []
        best = self._quickest(sorted(good, key=latency.time)[:FINALISTS])
        order = np.argsort(-latency.savings / np.maximum(noise, 1e-12))
        with bar("add layers", len(order)) as shown:
            for unit in order:
                shown.advance()
                grown = best.copy()
                grown[unit] = True
                gain = latency.time(best) - latency.time(grown)
                if best[unit] or gain < LEAST_GAIN or self._left() < GROWTH_ENDS * self.goal.seconds:
                    continue
                if self._score(grown, latency) >= self.goal.floor:
                    best = self._quickest([grown, best])
        return [*good, best]

    def _quickest(self, choices: Sequence[Choice]) -> Choice:
        """Return the assignment that wins a short race; where the engine does not run here, the first."""
        if self.bench.engine is None or len(choices) == 1:
            return choices[0]
        raced = self.bench.race([self._mix(choice).model for choice in choices], GROWTH_RACE_S * len(choices))
        return choices[int(np.argmax([one.value for one in raced]))]

    def _mix(self, choice: Choice) -> Mix:
        return self.whole if choice.all() else self._built(self._names(choice))

    def _fastest(
        self, good: list[Choice], latency: LatencyModel
    ) -> tuple[Choice, Mix, float, Measurement | None] | None:
        """Return the assignment that is fastest for real, its rounding learned anew where that judges no worse."""
        finals = []
        for choice in self._finalists(good, latency):
            placed = self._mix(choice)
            score = self._score(choice, latency)
            if not choice.all() and self._left() > 0:
                fitted = self.quantizer.fitted(self._names(choice))
                again = self.bench.score(fitted.model)
                placed, score = (fitted, again) if again >= score else (placed, score)
            finals.append((choice, placed, score))
        if not finals:
            return None
        if self.bench.engine is None:
            return (*finals[0], None)
        models = [self.plain, *(placed.model for _, placed, _ in finals)]
        raced = self.bench.race(models, RACE_S * len(models))[1:]
        final, speed = max(zip(finals, raced, strict=True), key=lambda pair: pair[1].value)
        if speed.value > 1 and (speed.low or speed.value) <= 1:
            # Faster as it seems, but not for certain: that is worth a longer look.
            speed = self.bench.race([self.plain, final[1].model], LAST_RACE_S)[1]
        return (*final, speed)

    def _finalists(self, good: list[Choice], latency: LatencyModel) -> list[Choice]:
        """Return what growth ended with, and the assignments that should be fastest beside it."""
        found = {choice.tobytes(): choice for choice in [*good[-1:], *sorted(good, key=latency.time)]}
        return list(found.values())[:FINALISTS]

    def _found(
        self,
        best: tuple[Choice, Mix, float, Measurement | None] | None,
        latency: LatencyModel,
        noise: NDArray[np.float64],
    ) -> Found:
        if best is None:
            self.notes.append(f"no mix of INT8 and float holds the floor of {self.goal.floor:g}; FP32 is what runs")
        elif best[3] is not None and (best[3].low or best[3].value) <= 1:
            self.notes.append(f"INT8 is not faster than FP32 here for certain: {best[3].text(2)}; FP32 is what runs")
            best = None
        choice = best[0] if best else np.zeros(len(noise), np.bool_)
        decisions = self._decisions(choice, latency, noise)
        common = (tuple(self.trials), decisions, (*self.notes, *self.quantizer.notes))
        if best is None:
            return Found(None, None, None, 100.0, None, *common)
        model, report = self.quantizer.finish(best[1])
        report = _with_reasons(report, decisions)
        return Found(model, self.quantizer.bench.model, report, best[2], best[3], *common)

    def _decisions(self, choice: Choice, latency: LatencyModel, noise: NDArray[np.float64]) -> dict[str, UnitDecision]:
        found = {}
        total = max(float(noise.sum()), 1e-30)
        for index, name in enumerate(self.units.names):
            saving, power = float(latency.savings[index]), float(noise[index])
            reason = _reason(bool(choice[index]), saving, power / total, latency.how)
            found[name] = UnitDecision("int8" if choice[index] else "float", saving, power, reason, latency.how)
        return found


def _reason(chosen: bool, saving: float, share: float, how: str) -> str:  # noqa: FBT001 - what was decided
    origin = "" if how == "measured" else f" ({how})"
    if saving <= 0 and not chosen:
        return f"INT8 takes {-100 * saving:.2f} % of the network's time more{origin}"
    verb = "saves" if chosen else "would save"
    return f"INT8 {verb} {100 * saving:.2f} % of the network's time{origin} for {100 * share:.1f} % of the error"


def _with_reasons(report: QuantizeReport, decisions: Mapping[str, UnitDecision]) -> QuantizeReport:
    """Return the report with the kind of reason beside each unit that the search left in float."""
    reasons = dict(report.left_in_float)
    for name in reasons.keys() & decisions.keys():
        reasons[name] = TOO_DEAR if decisions[name].saving > 0 else TOO_SLOW
    return replace(report, left_in_float=reasons)
