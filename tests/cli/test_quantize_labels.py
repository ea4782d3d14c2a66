"""`edgecnn quantize MODEL.onnx --labels`: the task's own figure decides, where the codec fits what the model gives."""

import dataclasses
import json

import cv2
import numpy as np
import onnxruntime
import pytest

from edgecnn.cli import main
from edgecnn.core.bundle import open_bundle
from edgecnn.data.formats.tusimple import label_record, write_labels
from edgecnn.quantize_onnx import run as quantize_run
from edgecnn.runtime import load
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec

GRID = {"cells": 8, "rows": 6, "lanes": 4, "min_valid": 0.3}
DECODE = [word for key, value in GRID.items() for word in ("--decode", f"{key}={value}")]
WIDTH, HEIGHT, FRAMES = 64, 32, 40


@pytest.fixture(scope="module")
def place(tmp_path_factory, lane_bundle):
    """The lane network in a file, and frames labelled by what it answers itself."""
    folder = tmp_path_factory.mktemp("labels")
    data = open_bundle(lane_bundle).read("artefacts/onnxruntime-fp32/model.onnx")
    (folder / "net.onnx").write_bytes(data)
    (folder / "set" / "clips").mkdir(parents=True)
    session, codec, records = onnxruntime.InferenceSession(data), LaneRowsCodec(GRID), []
    rng = np.random.default_rng(2)
    for i in range(FRAMES):
        frame = cv2.resize(rng.integers(0, 256, (4, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))
        name = f"clips/{i:03d}.png"
        cv2.imwrite(str(folder / "set" / name), frame)
        small = cv2.cvtColor(cv2.resize(frame, (32, 16), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        answers = dict(zip(("loc", "exist"), session.run(["loc", "exist"], {"image": small[None]}), strict=True))
        lanes = codec.decode(answers, WIDTH, HEIGHT)
        rows = np.linspace(10, HEIGHT - 1, 12).astype(np.float32)
        records.append(label_record(dataclasses.replace(lanes, rows=rows), name))
    write_labels(folder / "set" / "labels.json", records)
    return folder


def asked(place, out, *more, labels=True, report=False):
    """Run the command with labels, without its slowest step unless that is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        if not report:
            patch.setattr(quantize_run, "_report", lambda *_: None)
        words = ["quantize", str(place / "net.onnx"), "--calib", str(place / "set" / "clips"), "--out", str(out)]
        words += ["--target", "onnxruntime", "--seconds", "0.5", "--threads", "1"]
        return main.run([*words, *(["--labels", str(place / "set")] if labels else []), *more])


def test_labels_decide_in_place_of_agreement(place, capsys):
    out = place / "out" / "kept"
    more = ("--task", "lanes", *DECODE, "--precision", "int8", "--max-drop", "100", "--min-agreement", "100", "--json")
    assert asked(place, out, *more, report=True) == 0
    assert "points" in (place / "out" / "kept-report" / "report.md").read_text()
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)["artefacts"]}
    assert list(told) == ["onnxruntime-fp32", "onnxruntime-int8"]
    assert told["onnxruntime-fp32"]["drop"] is None
    assert told["onnxruntime-int8"]["drop"]["unit"] == "points"
    assert told["onnxruntime-int8"]["drop"]["n"] == FRAMES // 2
    bundle = open_bundle(out)
    assert (bundle.manifest.task, bundle.manifest.decode.codec) == ("lanes", "lane_rows")
    fp32 = bundle.artefact("onnxruntime-fp32").accuracy
    assert fp32["accuracy"].value > 0.6
    assert {"agreement", "f1"} <= set(fp32)
    with load(out) as model:
        assert model(cv2.imread(str(place / "set" / "clips" / "000.png"))).width == WIDTH


def test_what_loses_more_is_left_out(place, capsys):
    out = place / "out" / "strict"
    assert asked(place, out, "--task", "lanes", *DECODE, "--precision", "int8", "--max-drop", "0") == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    told = capsys.readouterr().err
    assert ("points of accuracy (max_drop 0, missed by" in told) == (names == ["onnxruntime-fp32"])


def test_a_search_holds_the_figure(place, capsys):
    out = place / "out" / "mixed"
    assert asked(place, out, "--task", "lanes", *DECODE, "--max-drop", "2", "--minutes", "0.1") == 0
    artefacts = open_bundle(out).manifest.artefacts
    assert all(one.accuracy["drop"].value <= 2 for one in artefacts if one.precision != "fp32")


BAD = {
    "no task": (True, (), "--labels needs --task"),
    "another task": (True, ("--task", "lane"), "did you mean 'lanes'"),
    "other outputs": (True, ("--task", "lanes"), "task 'lanes' decodes 'loc' [1, 100, 56, 4]"),
    "no parameter": (True, ("--task", "lanes", "--decode", "cell=8"), "cell"),
    "no value": (True, ("--task", "lanes", "--decode", "cells"), "write KEY=VALUE"),
    "another format": (True, ("--task", "lanes", *DECODE, "--format", "tusimpel"), "did you mean 'tusimple'"),
    "its own input": (False, ("--max-drop", "0"), "--max-drop goes with --labels"),
    "no labels": (False, ("--task", "lanes"), "--task goes with --labels"),
    "no data": (False, ("--labels", "nowhere", "--task", "lanes", *DECODE), "nowhere: no such folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_line(place, tmp_path, capsys, case):
    labels, more, told = BAD[case]
    assert asked(place, tmp_path / "new" / "bundle", *more, labels=labels) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert [line for line in error if line.startswith("edgecnn: ")] == error[-1:]
    assert told in error[-1]
