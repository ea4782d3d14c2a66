"""Files of every kind: good ones come in whole, all others are refused in one line."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from small_graphs import assert_same, conv_weights, model_of, node, pixels

from edgecnn.core.errors import InputError
from edgecnn.export import load_onnx, read_onnx
from edgecnn.export.load_onnx import foreign_operators, load_model

NODES = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])]


def small():
    return model_of(NODES, {"w": conv_weights()})


def refused(path, words):
    with pytest.raises(InputError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_a_model_comes_in_with_its_external_data(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save_model(small(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    assert_same(small(), load_model(path), {"x": pixels()})
    (tmp_path / "weights.bin").write_bytes(b"short")
    refused(path, "weights in files that can't be read")
    (tmp_path / "weights.bin").unlink()
    refused(path, "'weights.bin', which is missing")


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/passwd", ""])
def test_external_data_outside_the_folder_is_refused(tmp_path, place):
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "net.onnx"
    model = small()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    path.write_bytes(model.SerializeToString())
    refused(path, "outside its own folder")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "net.onnx"
    onnx.save_model(small(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "in" / "weights.bin").unlink()
    (tmp_path / "in" / "weights.bin").symlink_to(tmp_path / "secret.bin")
    refused(path, "outside its own folder")


def edited(change):
    model = small()
    change(model)
    return model.SerializeToString()


def ir_version(model):
    model.ir_version = 99


def opset(model):
    model.opset_import[0].version = 99


def no_opset(model):
    del model.opset_import[:]


def quantized(model):
    model.graph.node.append(node("DequantizeLinear", ["q", "s"], ["d"]))


def no_weights(model):
    model.graph.node[0].input[1] = "x"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x00" * 100, "no ONNX model"),
        (b"hello, this is a text", "no ONNX model"),
        (b"PK\x03\x04 and so on", "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (small().SerializeToString()[:-40], "cut short"),
        (edited(ir_version), "IR version 99"),
        (edited(opset), "opset 99"),
        (edited(no_opset), "names no version"),
        (edited(quantized), "quantized already"),
        (edited(no_weights), "no CNN"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "holds no graph"),
    ],
)
def test_what_is_no_cnn_in_onnx_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    refused(path, words)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "none.onnx", "No such file")
    refused(tmp_path, "directory")


@pytest.mark.parametrize("last_words", ["import os; os.abort()", "b = bytes(1 << 45)", "import sys; sys.exit(1)"])
def test_a_file_that_ends_its_reader_ends_nobody_else(tmp_path, monkeypatch, last_words):
    path = tmp_path / "net.onnx"
    path.write_bytes(small().SerializeToString())
    hostile = tmp_path / "reader.py"
    hostile.write_text(last_words)
    monkeypatch.setattr(read_onnx, "__file__", str(hostile))
    refused(path, "is damaged")


def test_a_file_that_takes_for_ever_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(small().SerializeToString())
    hostile = tmp_path / "reader.py"
    hostile.write_text("import time; time.sleep(99)")
    monkeypatch.setattr(read_onnx, "__file__", str(hostile))
    monkeypatch.setattr(read_onnx, "SECONDS", 0.5)
    refused(path, "takes more than")


@settings(max_examples=60)
@given(data=st.data())
def test_no_damaged_bytes_get_past_the_reader_but_as_a_model(tmp_path_factory, data):
    content = bytearray(small().SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "net.onnx"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    message = ""
    try:
        read_onnx.read(path)
    except ValueError as error:
        message = str(error)
    assert "\n" not in message
    path.unlink()


def test_foreign_operators_are_named():
    model = small()
    model.graph.node.append(node("Magic", ["a"], ["b"], domain="secret"))
    model.graph.node.append(node("Local", ["a"], ["c"], domain="mine"))
    model.functions.append(
        helper.make_function("mine", "Local", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    assert foreign_operators(model) == ("secret::Magic",)


def test_weights_that_are_computed_from_constants_count():
    nodes = [node("Transpose", ["k"], ["w"], perm=[1, 0]), node("Gemm", ["x", "w"], ["y"])]
    model = model_of(nodes, {"k": np.eye(4, dtype=np.float32)}, shape=(1, 4))
    load_onnx._check_model("net.onnx", model)
