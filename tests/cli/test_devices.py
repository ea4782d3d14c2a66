import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecnn.cli import main
from edgecnn.core import shared


def run(capsys, *words):
    code = main.run(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_names_every_device_once(capsys):
    code, out, _ = run(capsys, "devices", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == shared.names("devices")


def test_list_as_json_is_one_object(capsys):
    _, out, _ = run(capsys, "devices", "list", "--json")
    rows = json.loads(out)["devices"]
    assert {row["name"] for row in rows} == set(shared.names("devices"))
    assert all(row["engines"] for row in rows)


def test_show_tells_figures_with_confidence(capsys):
    code, out, _ = run(capsys, "devices", "show", "jetson-orin-nx-16gb")
    assert code == 0
    assert "MAXN_SUPER" in out
    assert "38.4 TOPS (derived)" in out


def test_show_as_json_carries_the_sources(capsys):
    _, out, _ = run(capsys, "devices", "show", "raspberry-pi-5", "--json")
    device = json.loads(out)
    assert device["cpu"]["clock_ghz"]["source"] in device["sources"]


def test_an_unknown_device_is_one_line_and_code_2(capsys):
    code, out, err = run(capsys, "devices", "show", "rasberry-pi-5")
    assert (code, out) == (2, "")
    assert "did you mean 'raspberry-pi-5'" in err
    assert err.count("\n") == 1


def conv_net(path, opset=13, op="Relu", shape=("batch", 3, 8, 8)):
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    scale = numpy_helper.from_array(np.ones(6, np.float32), "s")
    scaled = [scale] if op == "LayerNormalization" else []
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node(op, ["c", *(s.name for s in scaled)], ["y"])]
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, shape)], [info("y", TensorProto.FLOAT, None)]
    model = helper.make_model(
        helper.make_graph(nodes, "net", *ends, [weights, *scaled]),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    onnx.save(model, path)
    return str(path)


def checked(capsys, *words):
    code, out, err = run(capsys, "devices", "check", *words, "--json")
    return code, {(r["subject"], r["engine"], r["unit"]): r for r in json.loads(out)["answers"]}, err


def test_check_of_a_model_says_what_does_not_run_and_what_does_instead(tmp_path, capsys):
    model = conv_net(tmp_path / "net.onnx")
    code, rows, _ = checked(capsys, model, "--device", "jetson-nano-4gb")
    assert code == 0
    assert rows["fp16", "tensorrt", "gpu"]["runs"]
    refused = rows["int8", "tensorrt", "gpu"]
    assert not refused["runs"]
    assert refused["rules"][0]["rule"] == "int8_units"
    assert "--precision fp16" in refused["rules"][0]["instead"]


def test_check_knows_which_tensorrt_has_which_operator(tmp_path, capsys):
    # TensorRT knows LayerNormalization since 8.6: the Nano's 8.2 lacks it, the later Orin's has it.
    model = conv_net(tmp_path / "net.onnx", opset=17, op="LayerNormalization")
    _, rows, _ = checked(capsys, model, "--device", "jetson-orin-nx-16gb")
    assert rows["fp16", "tensorrt", "gpu"]["runs"]
    code, rows, err = checked(capsys, model, "--device", "jetson-nano-4gb")
    assert code == 1
    assert {rule["rule"] for rule in rows["fp16", "tensorrt", "gpu"]["rules"]} >= {"opset", "operator"}
    assert "runs nothing of" in err


def test_check_of_a_bundle(capsys, lane_bundle):
    code, rows, _ = checked(capsys, str(lane_bundle), "--device", "x86-host-vnni")
    assert code == 0
    assert all(row["runs"] for row in rows.values())
    code, rows, _ = checked(capsys, str(lane_bundle), "--device", "jetson-tx2")
    assert code == 1
    told = rows["openvino-fp32", "openvino", ""]["rules"][0]
    assert told["why"] == "jetson-tx2 is not known to run openvino"
    assert "--target jetson-tx2" in told["instead"]


def test_check_tells_people_and_refuses_what_it_can_not_read(tmp_path, capsys):
    model = conv_net(tmp_path / "net.onnx")
    code, out, _ = run(capsys, "devices", "check", model, "--device", "jetson-tx2")
    assert code == 0
    assert "NO    int8 in tensorrt on gpu" in out
    assert out.count("note: tensorrt on gpu: ") == 2
    code, out, err = run(capsys, "devices", "check", model, "--device", "jetson-tx3")
    assert (code, out) == (2, "")
    assert "did you mean 'jetson-tx2'" in err


def test_models_list(capsys):
    code, out, _ = run(capsys, "models", "list")
    assert code == 0
    assert "lane_rows: lanes" in out
    _, out, _ = run(capsys, "models", "list", "--json")
    assert {"name", "tasks", "code", "extra"} == set(json.loads(out)["models"][0])


@pytest.mark.parametrize("words", [("devices",), ("models",), ("recipe",)])
def test_a_group_without_a_command_explains_itself(capsys, words):
    code, out, err = run(capsys, *words)
    assert code in (0, 2)
    assert "Commands:" in out + err
