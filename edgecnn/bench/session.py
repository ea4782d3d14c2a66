"""Session: everything measured together on one machine, interleaved: subjects, scenarios, cold starts and probes."""

import math
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.bench import coldstart, figures, null_system
from edgecnn.bench.camera import Camera
from edgecnn.bench.clock import SystemClock
from edgecnn.bench.disturbance import disturbances, mean_power_w, probe_table
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.environment import fingerprint, machine_name
from edgecnn.bench.interleave import interleave, schedule
from edgecnn.bench.model_system import METHOD, model_system
from edgecnn.bench.probes import Snapshot, snapshot
from edgecnn.bench.scenario import LEAD_IN, Scenario
from edgecnn.bench.series import Series
from edgecnn.bench.single_stream import SINGLE_STREAM, SingleStream
from edgecnn.bench.system import System
from edgecnn.core import progress
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import BenchRun
from edgecnn.core.measure import Measurement
from edgecnn.runtime.model import Model, load

PROBE_INTERVAL_S = 1.0
ScenarioName: TypeAlias = Literal["single", "camera"]


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to measure: `seconds` a scenario and subject, engine `threads` (0: the engine's own choice).

    `cold_starts` is 0 (none) or at least 6, the fewest that have an interval.
    """

    seconds: float = 10.0
    camera_fps: float = 30.0
    threads: int = 0
    scenarios: tuple[ScenarioName, ...] = ("single", "camera")
    cold_starts: int = 6
    seed: int = 0


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """An artefact of a bundle; `label` is the prefix of its samples, unique in the session."""

    label: str
    bundle: Path
    artefact: str


@final
@dataclass(slots=True)
class Outcome:
    """What a session found: runs by subject label, samples by prefix, and each subject's series by scenario name."""

    session: str
    environment: dict[str, Any]
    harness: dict[str, Measurement] = field(default_factory=dict)
    runs: dict[str, list[BenchRun]] = field(default_factory=dict)
    samples: dict[str, dict[str, NDArray[np.int64]]] = field(default_factory=dict)
    series: dict[str, dict[str, Series]] = field(default_factory=dict)


def measure(subjects: Sequence[Subject], plan: Plan) -> Outcome:
    """Measure all subjects and the null system interleaved.

    Raises:
        InputError: the plan or the subjects can't be measured.
        EngineError, BundleError, MissingExtraError: a subject can't be loaded.
    """
    _check(subjects, plan)
    environment: dict[str, Any] = {
        "machine": fingerprint(),
        "plan": msgspec.to_builtins(plan),
        "frames": METHOD,
        "lead_in": LEAD_IN,
    }
    outcome = Outcome(secrets.token_hex(8), environment)
    on = machine_name(environment["machine"])
    cold = _cold_starts(subjects, plan, on)
    models: dict[str, Model] = {}
    try:
        for subject in subjects:
            models[subject.label] = load(subject.bundle, artefact=subject.artefact, threads=plan.threads or None)
        _measure_loaded(models, plan, outcome)
        for label, model in models.items():
            outcome.runs[label] = _runs(label, model, outcome, on, cold.get(label, {}))
    finally:
        for model in models.values():
            model.close()
    return outcome


def _check(subjects: Sequence[Subject], plan: Plan) -> None:
    labels = [subject.label for subject in subjects]
    if not subjects or len(set(labels)) != len(labels) or null_system.NAME in labels:
        raise InputError("name at least one artefact to measure, each only once, and none 'null'")
    rates = (plan.seconds, plan.camera_fps)
    if not all(0 < rate < math.inf for rate in rates) or plan.threads < 0 or not plan.scenarios:
        raise InputError("bench needs seconds > 0, frames a second > 0, threads >= 0 and at least one scenario")
    if 0 < plan.cold_starts < 6:
        raise InputError(f"cold starts are measured at least 6 times or not at all (0), not {plan.cold_starts} times")


def _cold_starts(subjects: Sequence[Subject], plan: Plan, on: str) -> dict[str, dict[str, Measurement]]:
    if not plan.cold_starts:
        return {}
    rng = np.random.default_rng(plan.seed)
    starts: dict[str, list[dict[str, float]]] = {subject.label: [] for subject in subjects}
    with progress.bar("cold starts", plan.cold_starts * len(subjects)) as bar:
        for _ in range(plan.cold_starts):
            for i in rng.permutation(len(subjects)):
                subject = subjects[i]
                starts[subject.label].append(coldstart.cold_start(subject.bundle, subject.artefact, plan.threads))
                bar.advance()
    return {label: coldstart.summarize(found, on=on) for label, found in starts.items()}


def _scenarios(plan: Plan) -> list[Scenario]:
    found: list[Scenario] = []
    for name in dict.fromkeys(plan.scenarios):
        found += [SingleStream(), EngineOnly()] if name == "single" else [Camera(plan.camera_fps)]
    return found


def _measure_loaded(models: dict[str, Model], plan: Plan, outcome: Outcome) -> None:
    first = next(iter(models.values())).artefact
    null = null_system.null_system(first.inputs, first.outputs)
    systems: list[System] = [model_system(label, model) for label, model in models.items()]
    shots = [snapshot()]
    for scenario in _scenarios(plan):
        asked = systems if isinstance(scenario, Camera) else [*systems, null]
        found = _interleaved(scenario, asked, plan, shots)
        for label, series in found.items():
            outcome.series.setdefault(label, {})[scenario.name] = series
            outcome.samples[f"{label}/{scenario.name}"] = series.columns()
        if isinstance(scenario, SingleStream):
            outcome.harness |= null_system.overhead(found[null.name])
    shots.append(snapshot())
    outcome.environment["probes"] = probe_table(shots)
    outcome.environment["disturbances"] = list(disturbances(shots, os.cpu_count() or 1))
    outcome.environment["mean_power_w"] = mean_power_w(shots)


def _interleaved(scenario: Scenario, systems: list[System], plan: Plan, shots: list[Snapshot]) -> dict[str, Series]:
    cut = schedule(scenario, plan.seconds)
    with progress.bar(scenario.name.replace("_", " "), (cut.rounds + 1) * len(systems)) as bar:

        def after_block() -> None:
            bar.advance()
            if time.monotonic() - shots[-1].time_s >= PROBE_INTERVAL_S:
                shots.append(snapshot(command=None))

        return interleave(scenario, systems, cut, clock=SystemClock(), seed=plan.seed, after_block=after_block)


def _runs(label: str, model: Model, outcome: Outcome, on: str, cold: dict[str, Measurement]) -> list[BenchRun]:
    place = f"{model.artefact.engine}, {on}"
    runs = []
    for name, series in outcome.series[label].items():
        found = figures.summarize(series, on=place)
        runs.append(
            BenchRun(
                artefact=model.artefact.name,
                engine=model.artefact.engine,
                precision=model.artefact.precision,
                scenario=name,
                figures={**found.values, **(cold if name == SINGLE_STREAM else {})},
                samples=f"{label}/{name}",
                steady_from=found.steady_from,
                engine_facts=model.engine.facts(),
                notes=found.notes,
            )
        )
    return runs
