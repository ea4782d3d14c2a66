"""Front and tail in a row are the whole network, and the front has fixed shapes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_graphs import answers, conv_weights, model_of, node, pixels

from edgecnn.core.errors import InputError
from edgecnn.export.cut import cut_at, cut_before_varying
from edgecnn.export.load_onnx import load_model


def detector(*, mask=False, branch=False):
    """Boxes [1, 64, 4] and scores [1, 1, 64] of two convolutions, then non-maximum suppression that picks boxes."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1] * 4, name="stem"),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "v"], ["head"], name="head"),
        node("Reshape", ["head", "flat"], ["rows"]),
        node("Split", ["rows", "parts"], ["corner", "logit"], axis=1),
        node("Transpose", ["corner"], ["boxes"], perm=[0, 2, 1]),
        node("Sigmoid", ["logit"], ["scores"]),
        node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["picked"]),
        node("Gather", ["picked", "two"], ["index"], axis=1),
        node("Squeeze", ["boxes", "zero"], ["flat_boxes"]),
        node("Gather", ["flat_boxes", "index"], ["found"], axis=0),
    ]
    if branch:
        body = [
            helper.make_graph(
                [node("Identity", ["found"], [f"{name}.n"]), node("Mul", [f"{name}.n", by], [f"{name}.y"])],
                name,
                [],
                [helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, None)],
            )
            for name, by in (("then", "one"), ("else", "half"))
        ]
        mean = [node("ReduceMean", ["r"], ["mean"], keepdims=0), node("Greater", ["mean", "half"], ["asked"])]
        nodes += [*mean, node("If", ["asked"], ["picked_boxes"], then_branch=body[0], else_branch=body[1])]
    constants = {
        "w": conv_weights(4, 3, 3),
        "v": conv_weights(5, 4, 1),
        "flat": np.array([1, 5, 64]),
        "parts": np.array([4, 1]),
        "most": np.array([20]),
        "overlap": np.float32([0.5]),
        "least": np.float32([0.4]),
        "two": np.array(2),
        "zero": np.array([0]),
        "one": np.float32(1),
        "half": np.float32(0.5),
    }
    outputs = ("picked_boxes" if branch else "found", *(("r",) if mask else ()))
    return model_of(nodes, constants, outputs=outputs)


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
    with pytest.raises(InputError, match="nothing to cut off"):
        cut_before_varying(static, {})
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
