"""Front and tail in a row are the whole network, and the front has fixed shapes."""

import numpy as np
import onnx
import pytest
from detector_graph import detector
from onnx import TensorProto
from small_graphs import answers, conv_weights, model_of, node, pixels

from edgecnn.core.errors import InputError
from edgecnn.export.cut import cut_at, cut_before_varying
from edgecnn.export.load_onnx import load_model


def in_a_row(cut, feeds):
    """Every tensor that front and tail give, by name."""
    found = dict(feeds)
    for part in (cut.front, cut.tail):
        given = answers(part, {value.name: found[value.name] for value in part.graph.input})
        found |= dict(zip((value.name for value in part.graph.output), given, strict=True))
    return found


def assert_whole(model, cut, feeds):
    found = in_a_row(cut, feeds)
    for value, wanted in zip(model.graph.output, answers(model, feeds), strict=True):
        assert np.array_equal(found[value.name], wanted)


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("mask", [False, True])
def test_front_and_tail_are_the_whole(mask, branch):
    model = detector(mask=mask, branch=branch)
    cut = cut_before_varying(model, {})
    assert {"boxes", "scores"} <= set(cut.tensors)
    assert cut.layers == (2, 0)
    onnx.checker.check_model(cut.front, full_check=True)
    onnx.checker.check_model(cut.tail, full_check=True)
    assert all(size.dim_value for value in cut.front.graph.output for size in value.type.tensor_type.shape.dim)
    feeds = {"x": 3 * pixels()}
    assert len(answers(model, feeds)[0])
    assert_whole(model, cut, feeds)


def test_a_batch_that_is_open_is_fixed_first():
    model = detector()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]
    assert cut_before_varying(model, {}).tensors == ("boxes", "scores", "flat_boxes")


def test_named_tensors_are_the_outputs():
    cut = cut_at(detector(mask=True), {}, ["rows"])
    assert [value.name for value in cut.front.graph.output] == ["rows"]
    assert [value.name for value in cut.tail.graph.output] == ["found", "r"]
    assert_whole(detector(mask=True), cut, {"x": pixels()})


def test_what_can_not_be_cut_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"--outputs scors: the network computes no tensor.*did you mean 'scores'"):
        cut_at(detector(), {}, ["scors"])
    with pytest.raises(InputError, match=r"--outputs picked: its shape is not fixed"):
        cut_at(detector(), {}, ["picked"])
    static = model_of([node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])], {"w": conv_weights()})
    with pytest.raises(InputError, match="every output of the network is among c, y"):
        cut_at(static, {}, ["c", "y"])
    assert cut_before_varying(static, {}) is None
    early = model_of(
        [
            node("NonZero", ["x"], ["z"]),
            node("Cast", ["z"], ["f"], to=TensorProto.FLOAT),
            node("MatMul", ["m", "f"], ["y"]),
        ],
        {"m": np.ones((2, 4), np.float32)},
    )
    onnx.save(early, tmp_path / "early.onnx")
    with pytest.raises(InputError, match="before its first layer"):
        cut_before_varying(load_model(tmp_path / "early.onnx"), {})
