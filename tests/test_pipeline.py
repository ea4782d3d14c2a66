"""The whole way in small: every stage real, resumed after kills, shared by two runs, damaged and mended."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecnn import pipeline
from edgecnn.cli import main
from edgecnn.core import evidence
from edgecnn.core.bundle import open_bundle
from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import VerifyResult
from edgecnn.core.recipe import load_recipe
from edgecnn.report.source import facts_of

TINY = Path(__file__).with_name("tiny.yaml")


def command(workdir, *extra):
    return [sys.executable, "-m", "edgecnn", "run", str(TINY), "--workdir", str(workdir), *extra]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    assert main.run(["run", str(TINY), "--workdir", str(workdir)]) == 0
    return workdir


def results(workdir):
    """Return the digest records of all finished stages by stage, without what measures time."""
    found = {}
    for path in (workdir / "store").glob("*.json"):
        record = json.loads(path.read_bytes())
        timed = {"train.json"}  # holds the seconds each epoch took
        found[record["stage"]] = {name: digest for name, digest in record["files"].items() if name not in timed}
    return found


DETERMINISTIC = ("data", "train", "export", "quantize", "compile")


def test_a_run_leaves_a_bundle_that_opens_and_a_report(finished):
    bundle = open_bundle(finished / "bundle")
    assert [a.name for a in bundle.manifest.artefacts] == [
        "openvino-fp32",
        "openvino-int8",
        "onnxruntime-fp32",
        "onnxruntime-int8",
    ]
    for artefact in bundle.manifest.artefacts:
        assert artefact.passed
        assert artefact.parity is not None
        assert artefact.accuracy["accuracy"].n == 8
        assert artefact.latency
    assert all((finished / "report" / name).stat().st_size > 0 for name in ("report.html", "report.md", "report.json"))
    assert json.loads((finished / "run.json").read_bytes())["passed"] is True


def test_a_second_run_does_nothing_again(finished, monkeypatch):
    before = results(finished)
    for name, entry in pipeline.STAGES.items():
        stage = pipeline.import_entry(entry, name)
        monkeypatch.setattr(stage, "run", lambda self, job: pytest.fail(f"{self.name} was done again"))
    pipeline.run(load_recipe(TINY), finished)
    assert results(finished) == before


def test_a_damaged_result_is_made_anew_and_the_same(finished):
    before = results(finished)
    record = next((finished / "store").glob("compile-*.json"))
    victim = next((finished / "store" / record.stem).rglob("model.xml"))
    victim.write_bytes(victim.read_bytes()[:-1])
    pipeline.run(load_recipe(TINY), finished, until="compile")
    after = results(finished)
    assert {name: after[name] for name in DETERMINISTIC} == {name: before[name] for name in DETERMINISTIC}


def test_a_changed_recipe_redoes_only_what_depends_on_it(finished, capsys):
    recipe = load_recipe(TINY, {"verify.max_drop": "50"})
    pipeline.run(recipe, finished, until="verify")
    told = capsys.readouterr().err
    assert told.count("done before") == list(pipeline.STAGES).index("verify")
    assert told.count("done in") == 1


def test_a_failed_gate_is_exit_code_1_with_its_sentence_and_no_bundle(finished, tmp_path, capsys):
    code = main.run(["run", str(TINY), "--workdir", str(finished), "--set", "verify.min_figure=2"])
    told = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert "min_figure 2, missed by" in told
    assert not (finished / "bundle").exists()
    assert (finished / "report" / "report.html").exists()
    assert main.run(["run", str(TINY), "--workdir", str(finished)]) == 0
    assert (finished / "bundle").exists()


def test_a_run_goes_on_from_the_weights_of_another_and_its_bundle_says_so(finished, tmp_path, capsys):
    weights = next((finished / "store").glob("train-*/model.safetensors"))
    shutil.copytree(finished / "store", tmp_path / "store")
    settings = [f"train.start={weights}", "train.epochs=1", "targets=[onnxruntime]", "quantize=null"]
    assert main.run(["run", str(TINY), "--workdir", str(tmp_path), *(f"--set={one}" for one in settings)]) == 0
    assert f"starts from {weights}" in capsys.readouterr().err
    start = open_bundle(tmp_path / "bundle").manifest.provenance["start"]
    assert start["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (start["weights"], start["fresh"]) == (str(weights), [])


def test_losses_of_compression_count_against_the_uncompressed_network(finished, tmp_path):
    """The network in FP32 lost something already; gates, bundle and report count from what was trained."""
    workdir = tmp_path / "run"
    shutil.copytree(finished / "store", workdir / "store")
    steps = "compress=[{sparsify: {recover: null}}]"
    assert main.run(["run", str(TINY), "--workdir", str(workdir), "--set", steps]) == 0
    record = json.loads((workdir / "run.json").read_bytes())
    verified = evidence.read(workdir / record["stages"]["verify"] / "verify.json", VerifyResult)
    way = evidence.read(workdir / record["stages"]["compress"] / COMPRESSION, CompressResult)
    gates = {gate.artefact: gate for gate in verified.gates if gate.rule == "max_drop"}
    assert set(gates) == {verdict.artefact for verdict in verified.verdicts}
    assert all("against the uncompressed network" in gate.text for gate in gates.values())
    lost = verified.uncompressed["accuracy"].value - verified.verdicts[0].figures["accuracy"].value
    assert verified.verdicts[0].total_drop.value == pytest.approx(100 * lost)
    assert gates[verified.verdicts[0].artefact].value == verified.verdicts[0].total_drop.value
    assert facts_of(workdir / "bundle").compressed == facts_of(workdir).compressed == way
    assert open_bundle(workdir / "bundle").manifest.artefacts[0].accuracy["total_drop"].n == 8
    assert "## Compression" in (workdir / "report" / "report.md").read_text()


def test_a_run_up_to_an_early_stage_forgets_nothing(finished):
    before = (finished / "run.json").read_bytes()
    assert main.run(["train", str(TINY), "--workdir", str(finished)]) == 0
    assert (finished / "run.json").read_bytes() == before
    assert (finished / "bundle").exists()
    with pytest.raises(InputError, match="comes after"):
        pipeline.run(load_recipe(TINY), finished, start="bench", until="train")


def test_two_runs_on_one_work_directory_share_the_work(tmp_path):
    runs = [
        subprocess.Popen(command(tmp_path, "--until", "train"), stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    for stage in ("data", "train"):
        done = [line for text in told for line in text.splitlines() if stage in line]
        assert sum("done in" in line for line in done) == 1
        assert sum("done before" in line for line in done) == 1


@pytest.mark.slow
def test_killed_at_random_moments_it_always_ends_with_the_same_artefacts(tmp_path):
    """`kill -9` at 20 random moments, resumed each time; finished stages are never done again."""
    whole = tmp_path / "whole"
    subprocess.run(command(whole), check=True, capture_output=True)
    workdir, rng, kills = tmp_path / "killed", random.Random(5), 0
    finished_at = {}
    while kills < 20:
        run = subprocess.Popen(
            command(workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(rng.uniform(0.5, 12))
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            kills += 1
        run.wait()
        for record in (workdir / "store").glob("*.json"):
            stamp = record.stat().st_mtime_ns
            assert finished_at.setdefault(record.name, stamp) == stamp, f"{record.name} was done again"
        if (workdir / "run.json").exists():
            open_bundle(workdir / "bundle")
            (workdir / "run.json").unlink()
            last = max((workdir / "store").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
            finished_at.pop(last.name)
            last.unlink()  # so that there is work left to be killed in
    subprocess.run(command(workdir), check=True, capture_output=True)
    open_bundle(workdir / "bundle")
    ours, theirs = results(workdir), results(whole)
    assert {name: ours[name] for name in DETERMINISTIC} == {name: theirs[name] for name in DETERMINISTIC}
