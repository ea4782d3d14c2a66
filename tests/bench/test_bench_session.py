import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from bench_bundle import INPUTS, OUTPUTS, make_bundle

from edgecnn.bench import coldstart, result, samples
from edgecnn.bench.clock import SystemClock
from edgecnn.bench.interleave import interleave, schedule
from edgecnn.bench.null_system import null_system, overhead
from edgecnn.bench.session import Plan, Subject, measure
from edgecnn.bench.single_stream import SingleStream
from edgecnn.bench.stage import BenchStage
from edgecnn.core import evidence
from edgecnn.core.errors import EngineError, InputError, StageError, TensorError
from edgecnn.core.evidence import BenchResult
from edgecnn.core.recipe import BenchSection
from edgecnn.core.registry import resolve
from edgecnn.core.stage import Job

NAMES = ["onnxruntime-fp32", "openvino-fp32"]


class RecipeStub(msgspec.Struct):
    """Only what the stage reads."""

    bench: BenchSection


@pytest.fixture(scope="module")
def measured(tiny_bundle, tmp_path_factory):
    """The stage itself, on both engines, with everything on."""
    out = tmp_path_factory.mktemp("out")
    (tiny_bundle.parent / "compile").mkdir()
    (tiny_bundle.parent / "compile" / "bundle").symlink_to(tiny_bundle)
    recipe = RecipeStub(BenchSection(seconds=1.5, camera_fps=100.0, threads=1))
    stage = BenchStage()
    stage.run(Job(recipe, {"compile": tiny_bundle.parent / "compile"}, out, out))
    stage.ensures(out)
    return out


def test_every_artefact_is_measured_under_every_scenario(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    assert {(run.artefact, run.scenario) for run in found.runs} == {
        (name, scenario) for name in NAMES for scenario in ("single_stream", "engine_only", "camera")
    }
    for run in found.runs:
        assert run.figures["p50_ms"].value > 0
        assert run.figures["p50_ms"].low <= run.figures["p50_ms"].high
        assert run.engine_facts
        assert run.figures["p50_ms"].how == "measured"
    machine = found.environment["machine"]
    assert machine["packages"]["onnxruntime"]
    assert set(found.environment["probes"]) == {"before", "during", "after"}


def test_the_split_cold_start_and_memory_are_given_apart(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    for run in found.runs:
        if run.scenario == "single_stream":
            parts = [run.figures[f"{part}_p50_ms"].value for part in ("pre", "engine", "post")]
            assert 0.5 * run.figures["p50_ms"].value < sum(parts) < 1.5 * run.figures["p50_ms"].value
            assert run.figures["cold_start_ms"].value > run.figures["cold_load_ms"].value > 0
            assert run.figures["first_inference_ms"].n == 6
            # NumPy, OpenCV and an engine take tens of MiB; a parent's size carried over would show in all alike.
            assert 20 < run.figures["peak_memory_mib"].value < 2000
            assert run.figures["peak_memory_mib"].unit == "MiB"
        else:
            assert "cold_load_ms" not in run.figures


def test_camera_books_balance(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    for run in (run for run in found.runs if run.scenario == "camera"):
        kept = samples.read(measured / "samples.npz", run.samples)
        judged = (kept["round"] >= 0) & (kept["lead_in"] == 0)
        judged[: run.steady_from or 0] = False
        produced = judged.sum() + kept["dropped"][judged].sum()
        assert run.figures["produced_frames"].value == produced
        assert run.figures["dropped_pct"].value == pytest.approx(100 * kept["dropped"][judged].sum() / produced)


def test_a_percentile_without_enough_samples_is_absent_and_named(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    for run in (run for run in found.runs if run.scenario == "camera"):
        assert "p99_ms" not in run.figures
        assert any(note.startswith("p99 refused") and "662 needed" in note for note in run.notes)


def test_raw_samples_give_the_figures_again(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    for run in found.runs:
        kept = samples.read(measured / "samples.npz", run.samples)
        assert all(column.dtype == np.int64 for column in kept.values())
        judged = (kept["round"] >= 0) & (kept["lead_in"] == 0)
        judged[: run.steady_from or 0] = False
        ordered = np.sort(kept["latency_ns"][judged])
        assert run.figures["p50_ms"].n == len(ordered)
        assert run.figures["p50_ms"].value == pytest.approx(ordered[-(-len(ordered) // 2) - 1] / 1e6, rel=1e-12)
    assert samples.read(measured / "samples.npz", "null/single_stream")["engine_ns"].size


def test_ratios_and_the_cost_of_the_harness(measured):
    found = evidence.read(measured / "bench.json", BenchResult)
    pair = [name for name in found.ratios if not name.endswith(", engine only")]
    assert len(pair) == 1
    slow, fast = pair[0].split(" / ")
    assert {slow, fast} == set(NAMES)
    assert found.ratios[pair[0]].low <= found.ratios[pair[0]].value <= found.ratios[pair[0]].high
    assert 0 < found.harness["null_query_us"].value <= found.harness["null_period_us"].value


def test_a_result_goes_through_json_unchanged(measured, tmp_path):
    found = evidence.read(measured / "bench.json", BenchResult)
    evidence.write(tmp_path / "again.json", found)
    assert evidence.read(tmp_path / "again.json", BenchResult) == found
    assert len(json.dumps(found.environment)) < 20_000


def test_the_stage_refuses_a_result_without_samples_or_runs(measured, tmp_path):
    found = evidence.read(measured / "bench.json", BenchResult)
    evidence.write(tmp_path / "bench.json", msgspec.structs.replace(found, runs=()))
    with pytest.raises(StageError, match="no run was measured"):
        BenchStage().ensures(tmp_path)
    run = msgspec.structs.replace(found.runs[0], figures={})
    evidence.write(tmp_path / "bench.json", msgspec.structs.replace(found, runs=(run,)))
    (tmp_path / "samples.npz").write_bytes((measured / "samples.npz").read_bytes())
    with pytest.raises(StageError, match=r"raise bench\.seconds"):
        BenchStage().ensures(tmp_path)


def test_a_session_can_be_split_into_files_that_share_it(tiny_bundle, tmp_path):
    plan = Plan(seconds=0.5, scenarios=("single",), cold_starts=0, threads=1)
    subjects = [Subject(f"{side}/{NAMES[0]}", tiny_bundle, NAMES[0]) for side in "ab"]
    outcome = measure(subjects, plan)
    first, second = (
        result.write(outcome, [s.label], tmp_path / f"{s.label[0]}.json", tmp_path / f"{s.label[0]}.npz")
        for s in subjects
    )
    assert first.session == second.session
    assert first.runs[0].artefact == second.runs[0].artefact == NAMES[0]
    assert first.runs[0].samples != second.runs[0].samples
    assert samples.path_of(tmp_path / "a.json") == tmp_path / "a.npz"


@pytest.mark.parametrize(
    "plan",
    [
        Plan(seconds=0),
        Plan(seconds=float("nan")),
        Plan(seconds=float("inf")),
        Plan(camera_fps=-1),
        Plan(threads=-1),
        Plan(scenarios=()),
        Plan(cold_starts=3),
    ],
)
def test_a_plan_that_can_not_be_measured_is_refused(plan):
    with pytest.raises(InputError):
        measure([Subject("a", Path("nowhere"), "a")], plan)


def test_subjects_need_different_labels():
    with pytest.raises(InputError, match="each only once"):
        measure([Subject("a", Path("x"), "a"), Subject("a", Path("y"), "a")], Plan())


def test_cold_start_tells_what_the_fresh_process_said(tmp_path):
    bundle = make_bundle(tmp_path / "b", artefacts=("onnxruntime-fp32",))
    with pytest.raises(EngineError, match="no artefact 'other'"):
        coldstart.cold_start(bundle, "other", 1)


def test_null_engine_checks_and_answers_zeros():
    engine = resolve("engine", "null")({}, INPUTS, OUTPUTS, {"threads": 2})
    good = {"image": np.zeros((1, 32, 64, 3), np.uint8)}
    outputs = engine.infer(good)
    assert {name: array.shape for name, array in outputs.items()} == {"loc": (1, 10, 4, 2), "exist": (1, 2, 4, 2)}
    with pytest.raises(TensorError, match="must be uint8"):
        engine.infer({"image": np.zeros((1, 32, 64, 3), np.float32)})
    assert engine.infer(good)["loc"].sum() == 0
    with pytest.raises(ValueError, match="read-only"):
        outputs["loc"][...] = 1
    assert engine.facts()["computes"] is False
    engine.close()
    with pytest.raises(InputError, match="did you mean 'threads'"):
        resolve("engine", "null")({}, INPUTS, OUTPUTS, {"thread": 2})


def test_the_harness_costs_next_to_nothing():
    """Microseconds, where what it measures takes hundreds; with room for a slow machine."""
    system = null_system(INPUTS, OUTPUTS)
    series = interleave(SingleStream(), [system], schedule(SingleStream(), 0.2), clock=SystemClock(), seed=0)["null"]
    figures = overhead(series)
    assert figures["null_query_us"].unit == "us"
    assert 0 < figures["null_query_us"].value < 100
