import json
import shutil

import numpy as np
import pytest
from msgspec.structs import replace

from edgecnn.core.bundle import MANIFEST, open_bundle, write_bundle
from edgecnn.core.errors import BundleError, InputError, StageError
from edgecnn.core.measure import Measurement
from edgecnn.report.facts import SINGLE, gather, gather_bundle
from edgecnn.report.source import default_out, facts_of


def test_everything_of_a_run_is_joined(facts):
    assert [artefact.name for artefact in facts.artefacts] == [
        "openvino-fp32",
        "openvino-int8",
        "onnxruntime-fp32",
        "onnxruntime-int8",
    ]
    int8 = facts.artefact("openvino-int8")
    assert int8.title == "INT8 on OpenVINO"
    assert set(int8.runs) == {"single_stream", "engine_only", "camera"}
    assert int8.drop.unit == "points"
    assert int8.passed
    assert int8.size_bytes > 0
    assert facts.passed
    assert facts.reference == "openvino-fp32"
    assert f"{int8.runs[SINGLE].samples}/latency_ns" in facts.samples


def test_a_missed_gate_is_the_runs_and_the_artefacts(failed):
    assert failed.passed is False
    assert failed.artefact("openvino-int8").passed is False
    assert failed.artefact("onnxruntime-int8").passed is True


def test_a_bundle_alone_tells_accuracy_drop_latency_and_reference(folders, facts):
    alone = gather_bundle(folders["seal"] / "bundle")
    assert alone.passed is True
    assert alone.reference == facts.reference
    assert alone.figure == "accuracy"
    for artefact in alone.artefacts:
        known = facts.artefact(artefact.name)
        assert artefact.figures == known.figures
        assert artefact.drop == known.drop
        assert artefact.latency == known.latency
        assert set(artefact.runs) == set(known.runs)


@pytest.mark.parametrize("missing", ["train", "quantize", "verify", "bench", "seal"])
def test_any_one_part_may_be_missing(folders, missing):
    found = gather({name: path for name, path in folders.items() if name != missing})
    assert len(found.artefacts) == 4
    assert found.artefact("openvino-int8").engine == "openvino"


def test_nothing_at_all_is_an_error(folders):
    with pytest.raises(StageError, match="nothing to report"):
        gather({"train": folders["train"]})


def test_a_figure_with_a_dot_keeps_its_name(tmp_path, folders):
    bundle = open_bundle(folders["seal"] / "bundle")
    figure = Measurement(9.0, "ms", 7000)
    first = replace(bundle.manifest.artefacts[0], latency={"p99.9_ms": figure, "camera.p99.9_ms": figure})
    manifest = replace(bundle.manifest, artefacts=(first,))
    files = {name: bundle.read(name) for name in bundle.manifest.files}
    runs = gather_bundle(write_bundle(tmp_path / "bundle", manifest, files)).artefacts[0].runs
    assert runs[SINGLE].figures == {"p99.9_ms": figure}
    assert runs["camera"].figures == {"p99.9_ms": figure}


def test_a_tampered_bundle_is_refused(tmp_path, folders):
    copy = tmp_path / "bundle"
    shutil.copytree(folders["seal"] / "bundle", copy)
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text.replace("lanes-small", "lanes-grand"))
    with pytest.raises(BundleError, match="changed after it was sealed"):
        gather_bundle(copy)


def test_pickled_samples_are_not_loaded(tmp_path, folders):
    bench = tmp_path / "bench"
    bench.mkdir()
    (bench / "bench.json").write_bytes((folders["bench"] / "bench.json").read_bytes())
    np.savez(bench / "samples.npz", evil=np.array([{"a": 1}], object))
    with pytest.raises(StageError, match="can't read the samples"):
        gather({**folders, "bench": bench})


def work_directory(folder, folders):
    stages = {name: str(path) for name, path in folders.items()}
    (folder / "run.json").write_text(json.dumps({"recipe": {}, "passed": True, "stages": stages}))
    return folder


def test_a_work_directory_is_read_by_its_record(tmp_path, folders, facts):
    found = facts_of(work_directory(tmp_path, folders))
    assert found.verify == facts.verify
    assert default_out(tmp_path) == tmp_path / "report"


def test_a_stage_that_is_gone_is_named(tmp_path, folders):
    work_directory(tmp_path, {**folders, "bench": tmp_path / "gone"})
    with pytest.raises(InputError, match="'bench' is gone"):
        facts_of(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"stages": 3}', "{}"])
def test_a_broken_record_is_one_clear_error(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match="not the record of a run"):
        facts_of(tmp_path)


def test_no_such_place(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        facts_of(tmp_path / "nothing")
