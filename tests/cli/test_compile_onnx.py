"""`edgecnn compile` on a finished ONNX file."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecnn.cli import main
from edgecnn.core.bundle import open_bundle
from edgecnn.runtime import load
from edgecnn.runtime.golden import golden


def network(path, *, opset=17, pairs=False):
    """Conv, Relu, Conv: `image` float32 [1, 3, 16, 20] -> `y`; with Q/DQ pairs around the first if `pairs`."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "v": rng.normal(0, 0.3, (4, 8, 1, 1)).astype(np.float32),
    }
    nodes, x, w = [], "image", "w"
    if pairs:
        constants |= {"s": np.float32(0.03), "z": np.int8(0), "t": np.float32(0.01)}
        constants["w"] = np.clip(np.round(constants["w"] / 0.01), -127, 127).astype(np.int8)
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "s", "z"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "t", "z"], ["wd"]),
        ]
        x, w = "xd", "wd"
    nodes += [
        helper.make_node("Conv", [x, w], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "v"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 16, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4, 16, 20])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def run(capsys, *words):
    code = main.run(["compile", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_bundle_holds_every_target(tmp_path, capsys):
    model, out = network(tmp_path / "small.onnx"), tmp_path / "bundle"
    code, text, _ = run(
        capsys, model, "--target", "openvino", "--target", "onnxruntime", "--precision", "fp16", "--out", out, "--json"
    )
    assert code == 0
    rows = {row["name"]: row for row in json.loads(text)["artefacts"]}
    assert list(rows) == ["openvino-fp32", "onnxruntime-fp32", "openvino-fp16"]
    assert all(row["how"] == "measured" for row in rows.values())
    assert rows["onnxruntime-fp32"]["rel_error"] < 1e-6
    assert 1e-6 < rows["openvino-fp16"]["rel_error"] < 1e-2
    bundle = open_bundle(out)
    inputs, outputs = golden(bundle)
    assert inputs["image"].shape == (4, 3, 16, 20)
    assert outputs["y"].shape == (4, 4, 16, 20)
    for artefact in bundle.manifest.artefacts:
        with load(out, artefact=artefact.name) as model:
            found = model.infer({"image": inputs["image"][:1]})["y"]
        assert np.linalg.norm(found - outputs["y"][:1]) < 1e-2 * np.linalg.norm(found)


def test_a_board_stands_for_all_its_engines_and_what_is_not_here_is_emulated(tmp_path, capsys):
    model, out = network(tmp_path / "small.onnx"), tmp_path / "bundle"
    code, text, _ = run(capsys, model, "--target", "raspberry-pi-5", "--target", "openvino", "--out", out, "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(text)["artefacts"]}
    assert rows["onnxruntime_arm-fp32"]["how"] == "emulated"
    assert rows["openvino-fp32"]["how"] == "measured"


def test_a_quantized_model_is_compiled_as_it_is(tmp_path, capsys):
    model, out = network(tmp_path / "small.onnx", pairs=True), tmp_path / "bundle"
    code, text, _ = run(capsys, model, "--target", "openvino", "--target", "onnxruntime", "--out", out, "--json")
    assert code == 0
    rows = json.loads(text)["artefacts"]
    assert [(row["name"], row["precision"]) for row in rows] == [
        ("openvino-int8", "int8"),
        ("onnxruntime-int8", "int8"),
    ]
    kept = onnx.load_from_string(open_bundle(out).read("artefacts/onnxruntime-int8/model.onnx"))
    assert [node.op_type for node in kept.graph.node] == [node.op_type for node in onnx.load(model).graph.node]
    code, _, err = run(capsys, model, "--target", "openvino", "--precision", "fp16", "--out", tmp_path / "b")
    assert (code, "quantized already" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--target", "openvino"], "needs --target NAME and --out"),
        (["--target", "openvno", "--out", "b"], "did you mean 'openvino'"),
        (
            ["--target", "openvino", "--precision", "int8", "--out", "b"],
            "edgecnn quantize .* --target openvino --calib",
        ),
        (["--target", "openvino", "--mean", "0.5", "--out", "b"], "--mean goes with the pictures of --golden"),
        (["--target", "openvino", "--set", "a=1", "--out", "b"], "--set belongs to a recipe"),
        (["--on-device", "--target", "openvino"], "--target does not go with --on-device"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, capsys, monkeypatch, words, match):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, network(tmp_path / "small.onnx"), *words)
    assert (code, out) == (2, "")
    assert re.search(match, err), err
    assert err.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_options_of_an_onnx_file_are_refused_for_a_recipe(capsys):
    code, _, err = run(capsys, "tests/tiny.yaml", "--target", "openvino")
    assert (code, "--target belongs to an ONNX file" in err) == (2, True)
