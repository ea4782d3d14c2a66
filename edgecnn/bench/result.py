"""From a session's outcome to `bench.json`: ratios against every FP32 artefact, and samples beside it."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgecnn.bench import samples
from edgecnn.bench.engine_only import ENGINE_ONLY
from edgecnn.bench.interleave import paired_ratio, round_medians
from edgecnn.bench.null_system import NAME
from edgecnn.bench.session import Outcome
from edgecnn.bench.single_stream import SINGLE_STREAM
from edgecnn.core import evidence
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import BenchResult, BenchRun
from edgecnn.core.measure import Measurement


def result_of(outcome: Outcome, labels: Sequence[str]) -> BenchResult:
    """Return the result that speaks of the subjects `labels`; results of one outcome share its session."""
    return BenchResult(
        session=outcome.session,
        environment=outcome.environment,
        runs=tuple(run for label in labels for run in outcome.runs[label]),
        harness=outcome.harness,
        ratios={**ratios(outcome, labels, SINGLE_STREAM), **ratios(outcome, labels, ENGINE_ONLY)},
    )


def write(outcome: Outcome, labels: Sequence[str], result: Path, sample_file: Path) -> BenchResult:
    """Write the result and its samples (those of the null system too); the samples first."""
    prefixes = (*(f"{label}/" for label in labels), f"{NAME}/")
    samples.write(sample_file, {name: kept for name, kept in outcome.samples.items() if name.startswith(prefixes)})
    found = result_of(outcome, labels)
    evidence.write(result, found)
    return found


def ratios(outcome: Outcome, labels: Sequence[str], scenario: str) -> dict[str, Measurement]:
    """Return "A / B": how many times faster B is than A, for every FP32 artefact A, by artefact names.

    Names of ratios of the engine alone end in ", engine only". Pairs without enough rounds in common are left out.
    """
    runs = {label: run for label in labels for run in outcome.runs[label] if run.scenario == scenario}
    medians = {label: medians_of(outcome, label, run) for label, run in runs.items() if "p50_ms" in run.figures}
    if len(medians) < 2:
        return {}
    floats = [label for label in medians if runs[label].precision == "fp32"] or list(medians)
    suffix = ", engine only" if scenario == ENGINE_ONLY else ""
    found = {}
    for base, label in itertools.product(floats, medians):
        if label == base or (label in floats and floats.index(label) < floats.index(base)):
            continue
        try:
            ratio = paired_ratio(medians[base], medians[label], on=runs[label].figures["p50_ms"].on)
        except InputError:
            continue
        name = f"{runs[base].artefact} / {runs[label].artefact}{suffix}"
        found[name] = msgspec.structs.replace(ratio, method=f"{scenario}: {ratio.method}")
    return found


def medians_of(outcome: Outcome, label: str, run: BenchRun) -> dict[int, float]:
    """Return the median latency in ns of every judged round of `run`."""
    series = outcome.series[label][run.scenario]
    columns = series.columns()
    return round_medians(columns["latency_ns"], columns["round"], series.judged(run.steady_from))
