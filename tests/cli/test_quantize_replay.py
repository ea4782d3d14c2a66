"""`edgecnn quantize --replay` and `--plain`: an earlier run's decisions on other targets, and what is no record."""

import json

import numpy as np
import onnx
import pytest
from small_nets import frames, small_net

from edgecnn.cli import main
from edgecnn.core.bundle import open_bundle
from edgecnn.quantize_onnx import run as quantize_run

KEPT = "Conv6"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two networks, frames, and the bundle of one of them for OpenVINO with a node kept in float."""
    folder = tmp_path_factory.mktemp("replay")
    onnx.save(small_net(1, blocks=("residual",), opset=17), folder / "net.onnx")
    other = small_net(1, blocks=("residual",), opset=17)
    for node in other.graph.node:
        node.name = f"other.{node.name}"
    onnx.save(other, folder / "other.onnx")
    np.savez(folder / "x.npz", image=frames(12))
    assert asked(folder, "first", "--target", "openvino", "--keep-float", KEPT, "--precision", "int8", "--plain") == 0
    return folder


def asked(place, out, *more, model="net.onnx"):
    common = ("--calib", str(place / "x.npz"), "--seconds", "0.5", "--threads", "1", "--min-agreement", "10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantize_run, "_report", lambda *_: None)
        return main.run(["quantize", str(place / model), "--out", str(place / out), *common, *more])


def recorded(bundle):
    return {one["target"]: one for one in json.loads((bundle / "quantize.json").read_text())["models"]}


def test_decisions_for_one_target_go_to_others(place, capsys):
    targets = ("--target", "onnxruntime", "--target", "openvino", "--target", "tensorrt_8")
    assert asked(place, "three", *targets, "--replay", str(place / "first"), "--plain", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    names = {row["name"] for row in told["artefacts"]}
    assert {"onnxruntime-mixed", "openvino-mixed", "tensorrt_8-mixed"} <= names
    assert any("decisions of openvino-int8 replayed" in note for note in told["notes"])
    assert not any("not here" in note for note in told["notes"])
    found, first = recorded(place / "three"), recorded(place / "first")["openvino"]
    assert all(one["left_in_float"][KEPT] == "in float as decided for openvino-int8" for one in found.values())
    assert found["openvino"]["tensors"] == first["tensors"]
    spans = {name: (one["low"], one["high"]) for name, one in found["tensorrt_8"]["tensors"].items()}
    assert all(low == -high for low, high in spans.values() if high < 100)
    simulated = place / "three" / "artefacts" / "tensorrt_8-mixed" / "model.onnx"
    assert main.run(["quantize", str(simulated), "--check", "--scheme", "tensorrt_8"]) == 0
    arranged = place / "three" / "artefacts" / "onnxruntime-mixed" / "model.onnx"
    assert main.run(["quantize", str(arranged), "--check", "--target", "onnxruntime"]) == 0


def test_one_record_gives_one_model(place, capsys):
    record = str(place / "first" / "quantize.json")
    assert asked(place, "again", "--target", "openvino", "--replay", record, "--plain") == 0
    assert "ranges as recorded" in capsys.readouterr().err
    first, again = (open_bundle(place / name).manifest for name in ("first", "again"))
    for suffix in ("xml", "bin"):
        wanted = first.files[f"artefacts/openvino-int8/model.{suffix}"].sha256
        assert again.files[f"artefacts/openvino-mixed/model.{suffix}"].sha256 == wanted


def test_nodes_that_are_not_there_are_named(place, capsys):
    record = json.loads((place / "first" / "quantize.json").read_text())
    record["models"][0]["left_in_float"]["Gone1"] = "kept in float by 'Gone*'"
    (place / "gone.json").write_text(json.dumps(record))
    assert asked(place, "gone", "--target", "onnxruntime", "--replay", str(place / "gone.json"), "--plain") == 0
    assert "openvino-int8 keeps nodes in float that are not here: Gone1" in capsys.readouterr().err


def test_plain_corrects_nothing_and_takes_mse_unless_asked(place):
    first = recorded(place / "first")["openvino"]
    assert first["ranges"] == "mse"
    assert first["notes"] == []
    more = ("--target", "openvino", "--precision", "int8", "--plain", "--ranges", "minmax")
    assert asked(place, "minmax", *more) == 0
    tensors = recorded(place / "minmax")["openvino"]["tensors"]
    assert {one["method"] for one in tensors.values()} <= {"minmax", "exact pixels"}


BAD = {
    "plain search": (("--plain",), "--plain is for --precision int8, not mixed"),
    "plain FP16": (("--plain", "--precision", "fp16"), "--plain is for --precision int8, not fp16"),
    "replayed FP16": (("--replay", "first", "--precision", "fp16"), "leave --precision fp16 out"),
    "a name without a record": (("--replay-from", "openvino"), "give that too"),
    "nothing there": (("--replay", "nowhere.json"), "nowhere.json: No such file"),
    "no record": (("--replay", "x.npz"), "x.npz: no record of a quantization"),
    "another JSON": (("--replay", "other.json"), "other.json: no record of a quantization"),
    "a folder": (("--replay", "empty"), "this is no bundle"),
    "an empty record": (("--replay", "none.json"), "records no INT8 model"),
    "which": (("--replay", "two.json"), "say which by --replay-from NAME"),
    "not in it": (("--replay", "first", "--replay-from", "openvin"), "did you mean 'openvino'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(place, monkeypatch, capsys, case):
    more, told = BAD[case]
    monkeypatch.chdir(place)
    (place / "empty").mkdir(exist_ok=True)
    (place / "other.json").write_text('{"models": 3}')
    (place / "none.json").write_text('{"models": []}')
    model = json.loads((place / "first" / "quantize.json").read_text())["models"][0]
    (place / "two.json").write_text(json.dumps({"models": [model, {**model, "file": "second.onnx"}]}))
    assert asked(place, "bad", "--target", "openvino", *more) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert [line for line in error if line.startswith("edgecnn: ")] == error[-1:]
    assert told in error[-1]
    assert not (place / "bad").exists()


def test_another_network_is_refused(place, capsys):
    more = ("--target", "openvino", "--replay", str(place / "first"))
    assert asked(place, "bad", *more, model="other.onnx") == 2
    assert "has no node of the network that openvino-int8 was made of" in capsys.readouterr().err.splitlines()[-1]
    assert not (place / "bad").exists()


def test_a_recipe_has_nothing_to_replay(capsys):
    assert main.run(["quantize", "lane-quickstart", "--replay-from", "openvino"]) == 2
    assert "--replay-from belongs to an .onnx file" in capsys.readouterr().err
