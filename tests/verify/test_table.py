"""The parity table: one row an artefact, whatever becomes of it."""

import json

import numpy as np
import pytest
from msgspec.structs import replace

from edgecnn.cli import main
from edgecnn.core.bundle import GOLDEN, open_bundle, write_bundle
from edgecnn.core.measure import Measurement
from edgecnn.core.npz import npz_bytes
from edgecnn.core.recipe import VerifySection
from edgecnn.runtime import load
from edgecnn.verify import parity, table

SETTINGS = VerifySection()


@pytest.fixture
def bundle(tmp_path, lane_bundle_of, lane_artefact):
    """FP32 in an engine that is here, INT8 in one that nobody has, and one whose file is damaged."""
    rows = (
        lane_artefact("onnxruntime-fp32", "onnxruntime"),
        lane_artefact("elsewhere-int8", "elsewhere", precision="int8"),
        lane_artefact("openvino-fp32", "openvino"),
    )
    figure = Measurement(0.9, "", 20)
    rows = (replace(rows[0], accuracy={"accuracy": figure}), *rows[1:])
    opened = open_bundle(lane_bundle_of(tmp_path / "bare", *rows))
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 32, 3), dtype=np.uint8)
    with load(tmp_path / "bare", artefact="onnxruntime-fp32") as model:
        answers = [model.infer({"image": frame[None]}) for frame in frames]
    golden = {"input:image": frames} | {f"output:{k}": np.concatenate([a[k] for a in answers]) for k in answers[0]}
    files = {name: opened.read(name) for name in opened.manifest.files} | {GOLDEN: npz_bytes(golden)}
    files[rows[2].files[0]] = b"no network"
    return write_bundle(tmp_path / "whole", opened.manifest, files)


def test_what_runs_what_is_absent_and_what_gives_up(bundle):
    ran, absent, failed = table.parity_table(bundle, SETTINGS, 1)
    assert (ran.passed, ran.max_error, ran.agreement) == (True, 0.0, 100.0)
    assert ran.worst[1] == 0.0
    assert (ran.figure.value, ran.source) == (0.9, "stored")
    assert absent.passed is None
    assert "unknown engine 'elsewhere'" in absent.absent
    assert absent.parity is None
    assert failed.passed is False
    assert failed.failed.startswith("openvino")
    assert not failed.absent


def test_the_command_says_all_that_and_fails_for_what_gives_up(bundle, capsys):
    assert main.run(["verify", str(bundle), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["runs_here"] for row in found["artefacts"]] == [True, False, True]
    assert [row["passed"] for row in found["artefacts"]] == [True, None, False]
    assert found["artefacts"][0]["figure"]["value"] == 0.9
    assert [gate["artefact"] for gate in found["gates"] if not gate["passed"]] == ["openvino-fp32"]


def test_a_bundle_for_other_machines_says_that_nothing_runs_here(tmp_path, lane_bundle_of, lane_artefact, capsys):
    path = lane_bundle_of(tmp_path / "away", lane_artefact("elsewhere-int8", "elsewhere", precision="int8"))
    assert main.run(["verify", str(path)]) == 2
    captured = capsys.readouterr()
    assert "elsewhere-int8: not run here" in captured.out
    assert "nothing in it can run here" in captured.err
    assert captured.err.count("\n") == 1


def test_errors_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    wanted = [{"y": rng.normal(size=(1, 4)).astype(np.float32)} for _ in range(3)]
    found = [{"y": one["y"] + np.float32([[0, 0, 0.5, 0]])} for one in wanted]
    expected = np.mean([0.5 / np.linalg.norm(one["y"].astype(np.float64)) for one in wanted])
    assert parity.relative_errors(found, wanted)["y"] == pytest.approx(expected, rel=1e-6)
    assert parity.greatest_errors(found, wanted)["y"] == pytest.approx(0.5, rel=1e-6)
    found[1]["y"][0, 0] = np.nan
    assert parity.greatest_errors(found, wanted)["y"] == parity.NOT_FINITE
    assert parity.relative_errors(found, wanted)["y"] > 1e20
