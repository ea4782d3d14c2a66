"""Whole models through the preparation: what comes out is simpler, of fixed shapes, and computes the same."""

import warnings

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from small_graphs import answers, assert_same, conv_weights, model_of, node, operators, pixels
from torch import nn

from edgecnn.core.errors import InputError, StageError
from edgecnn.export import prepare as module
from edgecnn.export.prepare import prepare

W = {"w": conv_weights()}
CONV = node("Conv", ["x", "w"], ["a"], pads=[1] * 4)
LEFT_OVER = {"BatchNormalization", "Constant", "Dropout", "Identity", "Shape"}


class Everything(nn.Module):
    """What exporters write in many ways: shuffles, shape arithmetic, pre-activation, skips, resizing, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.before = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), depthwise, nn.Hardswish())
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.SiLU())
        self.head = nn.Sequential(nn.Linear(8, 6, bias=False), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 5))

    def forward(self, x):
        x = self.stem((x - 0.45) / 0.22)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        first, second = x.chunk(2, 1)
        x = torch.cat([second, first], 1) + self.before(x)
        keys = x.flatten(2)
        mixed = torch.softmax(keys.transpose(1, 2) @ keys / 3, -1)
        x = x + (keys @ mixed).view(n, c, h, w)
        big = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.up(x) + big[:, :4], self.head(x.mean((2, 3))).softmax(1)


def exported(path, opset, *, dynamo, dynamic):
    torch.manual_seed(0)
    net = Everything()
    for part in net.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm1d)):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    options = {"input_names": ["x"], "output_names": ["map", "label"], "opset_version": opset, "dynamo": dynamo}
    if dynamo:
        options |= {"verbose": False, "external_data": False}
        options |= {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamic else {}
    elif dynamic:
        options["dynamic_axes"] = {"x": {0: "batch", 2: "height", 3: "width"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.rand(2 if dynamic else 1, 3, 16, 24),), str(path), **options)
    return onnx.load(path)


@pytest.mark.parametrize(
    ("opset", "dynamo", "dynamic"),
    [(9, False, False), (11, False, True), (13, False, True), (17, False, False), (18, True, False), (20, True, True)],
)
def test_what_torch_exports_comes_out_simple_and_the_same(tmp_path, opset, dynamo, dynamic):
    proto = exported(tmp_path / "net.onnx", opset, dynamo=dynamo, dynamic=dynamic)
    before = proto.SerializeToString()
    prepared = prepare(proto, shapes={"x": (1, 3, 16, 24)})
    assert proto.SerializeToString() == before
    assert not LEFT_OVER & set(operators(prepared.model))
    assert [value.name for value in prepared.model.graph.output] == ["map", "label"]
    assert prepared.model.opset_import[0].version == max(opset, 17)
    assert prepared.rel_error < 1e-5
    for value in (*prepared.model.graph.value_info, *prepared.model.graph.output):
        assert all(size.dim_value > 0 for size in value.type.tensor_type.shape.dim)
    names = [entry.name for entry in prepared.model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert_same(proto, prepared.model, {"x": pixels((1, 3, 16, 24))}, limit=1e-4)


def test_preparing_twice_changes_nothing(tmp_path):
    proto = exported(tmp_path / "net.onnx", 13, dynamo=False, dynamic=True)
    once = prepare(proto, shapes={"x": (1, 3, 16, 24)})
    twice = prepare(once.model)
    assert twice.changes == ()
    assert twice.model.SerializeToString() == once.model.SerializeToString()


def test_an_open_batch_becomes_one_and_open_sizes_are_asked_for():
    proto = model_of([CONV, node("Relu", ["a"], ["y"])], W, shape=("n", 3, 8, 8))
    prepared = prepare(proto)
    assert prepared.changes == ("input 'x' fixed to 1x3x8x8",)
    assert [size.dim_value for size in prepared.model.graph.output[0].type.tensor_type.shape.dim] == [1, 4, 8, 8]
    open_size = model_of([CONV, node("Relu", ["a"], ["y"])], W, shape=("n", 3, None, 8))
    with pytest.raises(InputError, match=r"--shape x=1,3,\?,8"):
        prepare(open_size)
    shape = prepare(open_size, shapes={"x": (2, 3, 6, 10)}).model.graph.output[0].type.tensor_type.shape
    assert [size.dim_value for size in shape.dim] == [2, 4, 6, 10]
    with pytest.raises(InputError, match="no such input"):
        prepare(open_size, shapes={"z": (1,)})
    with pytest.raises(InputError, match="can't have the shape"):
        prepare(open_size, shapes={"x": (1, 3)})
    with pytest.raises(InputError, match="can't run the model"):
        prepare(open_size, shapes={"x": (1, 5, 8, 8)})


def test_several_inputs_and_outputs_keep_names_order_and_kind():
    """An input that goes straight through, a constant output, one that is read on, one twice, and an unread input."""
    inputs = [
        helper.make_tensor_value_info("x", 1, [1, 3, 8, 8]),
        helper.make_tensor_value_info("unread", TensorProto.INT64, [2]),
        helper.make_tensor_value_info("z", 1, [1, 4, 1, 1]),
    ]
    nodes = [
        CONV,
        node("Add", ["a", "shift"], ["b"]),
        node("Identity", ["z"], ["through"]),
        node("Relu", ["b"], ["c"]),
        node("Relu", ["b"], ["again"]),
        node("Mul", ["c", "z"], ["last"]),
        node("Identity", ["shift"], ["fixed"]),
    ]
    outputs = ("last", "b", "through", "fixed", "c", "again")
    proto = model_of(nodes, {**W, "shift": np.ones((1, 4, 1, 1), np.float32)}, inputs=inputs, outputs=outputs)
    result = prepare(proto).model
    assert [value.name for value in result.graph.input] == ["x", "unread", "z"]
    assert [value.name for value in result.graph.output] == list(outputs)
    feeds = {"x": pixels(), "unread": np.zeros(2, np.int64), "z": pixels((1, 4, 1, 1))}
    assert_same(proto, result, feeds)
    assert not {"Add", "Relu.2"} & set(operators(result))


def test_an_output_that_is_an_input_or_an_initializer():
    nodes = [CONV, node("Relu", ["a"], ["y"])]
    proto = model_of(nodes, W, outputs=("y", "x", "w"))
    assert_same(proto, prepare(proto).model, {"x": pixels()})


def test_initializers_among_the_inputs_are_no_inputs():
    proto = model_of([CONV, node("Relu", ["a"], ["y"])], W, opset=8)
    assert len(proto.graph.input) == 2
    prepared = prepare(proto)
    assert [value.name for value in prepared.model.graph.input] == ["x"]


def test_half_precision_becomes_float32():
    half = TensorProto.FLOAT16
    nodes = [
        CONV,
        node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
        node("Cast", ["b"], ["c"], to=half),
        node("Relu", ["c"], ["y"]),
    ]
    proto = model_of(nodes, {"w": W["w"].astype(np.float16)}, dtype=half, out_type=half)
    prepared = prepare(proto)
    assert "float16 turned into float32" in prepared.changes
    assert operators(prepared.model) == ["Conv", "Relu"]
    assert prepared.model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert 0 < prepared.rel_error < 5e-3


def test_double_becomes_float32():
    proto = model_of([node("MatMul", ["x", "k"], ["a"]), node("Relu", ["a"], ["y"])], {"k": np.eye(4)},
                     shape=(1, 4), dtype=TensorProto.DOUBLE, out_type=TensorProto.DOUBLE)  # fmt: skip
    assert "double turned into float32" in prepare(proto).changes


def test_double_that_does_not_run_is_compared_from_float32_on():
    weights, feed = conv_weights().astype(np.float64), pixels()
    # ONNX Runtime has no float64 convolution.
    proto = model_of([node("Conv", ["x", "w"], ["y"])], {"w": weights}, dtype=TensorProto.DOUBLE, out_type=TensorProto.DOUBLE)  # fmt: skip # noqa: E501
    prepared = prepare(proto)
    (remark,) = prepared.remarks
    assert remark.startswith("compared from float32 on")
    assert {"double turned into float32", remark} <= set(prepared.changes)
    want = np.einsum("ncyxhw,ochw->noyx", np.lib.stride_tricks.sliding_window_view(feed, (3, 3), (2, 3)), weights)
    (got,) = answers(prepared.model, {"x": feed})
    assert np.abs(got - want).max() < 1e-5


def test_what_runs_in_no_float_type_is_refused():
    for kind in (TensorProto.FLOAT, TensorProto.DOUBLE):
        proto = model_of([node("Foreign", ["x"], ["y"], domain="elsewhere")], dtype=kind, domains=("elsewhere",))
        with pytest.raises(InputError, match="ONNX Runtime can't run the model"):
            prepare(proto)


def test_weights_that_are_computed_and_shared_are_made_each_layers_own():
    nodes = [
        node("Mul", ["w", "gain"], ["scaled"]),
        node("Conv", ["x", "scaled"], ["a"], pads=[1] * 4),
        node("Conv", ["a", "scaled"], ["b"], pads=[1] * 4),
        node("Relu", ["b"], ["y"]),
    ]
    proto = model_of(nodes, {"w": conv_weights(3), "gain": np.full((3, 1, 1, 1), 2, np.float32)})
    result = prepare(proto).model
    assert operators(result) == ["Conv", "Conv", "Relu"]
    assert len({entry.input[1] for entry in result.graph.node[:2]}) == 2
    assert_same(proto, result, {"x": pixels()})


def test_local_functions_are_written_out():
    body = [node("Conv", ["t", "k"], ["u"], pads=[1] * 4), node("Relu", ["u"], ["v"])]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("mine", "Block", ["t", "k"], ["v"], body, opsets)
    graph = helper.make_graph(
        [node("Block", ["x", "w"], ["y"], domain="mine")],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, [1, 4, 8, 8])],
        [numpy_helper.from_array(W["w"], "w")],
    )
    proto = helper.make_model(
        graph, functions=[function], opset_imports=[*opsets, helper.make_opsetid("mine", 1)], ir_version=8
    )
    result = prepare(proto).model
    assert operators(result) == ["Conv", "Relu"]
    assert_same(proto, result, {"x": pixels()})


def test_decisions_and_sizes_that_the_picture_decides():
    nodes = [
        CONV,
        node("Reshape", ["a", "rows"], ["scores"]),
        node("Slice", ["scores", "zero", "one", "one"], ["first"]),
        node("NonMaxSuppression", ["boxes", "first_row", "ten", "iou", "least"], ["chosen"]),
        node("Transpose", ["first"], ["flipped"], perm=[1, 0]),
        node("Unsqueeze", ["flipped", "zero"], ["first_row"]),
        node("Cast", ["chosen"], ["y"], to=1),
    ]
    nodes = [nodes[0], nodes[1], nodes[2], nodes[4], nodes[5], nodes[3], nodes[6]]
    corners = np.random.default_rng(2).uniform(0, 1, (1, 64, 4)).astype(np.float32)
    constants = {
        **W,
        "rows": np.array([64, 4]),
        "zero": np.array([0]),
        "one": np.array([1]),
        "ten": np.array([10]),
        "iou": np.array([0.5], np.float32),
        "least": np.array([0.1], np.float32),
        "boxes": corners,
    }
    proto = model_of(nodes, constants)
    prepared = prepare(proto)
    assert "NonMaxSuppression" in operators(prepared.model)
    assert_same(proto, prepared.model, {"x": pixels()})


def test_operators_of_onnx_runtime_pass():
    nodes = [CONV, node("Gelu", ["a"], ["g"], domain="com.microsoft"), node("Relu", ["g"], ["y"])]
    proto = model_of(nodes, W, domains=["com.microsoft"])
    result = prepare(proto).model
    assert operators(result) == ["Conv", "Gelu", "Relu"]
    assert_same(proto, result, {"x": pixels()})


def test_operators_that_nobody_runs_are_one_line():
    proto = model_of([CONV, node("Magic", ["a"], ["y"], domain="secret")], W, domains=["secret"])
    with pytest.raises(InputError, match="ONNX Runtime can't run the model") as caught:
        prepare(proto)
    assert "\n" not in str(caught.value)


def test_an_opset_that_can_not_be_written_is_refused():
    proto = model_of([CONV, node("Relu", ["a"], ["y"])], W)
    for opset in (12, 99):
        with pytest.raises(InputError, match="can't be written"):
            prepare(proto, opset=opset)


class Breaks:
    """A pass that changes what the model computes."""

    name = "breaks"

    def requires(self, model):
        pass

    def call(self, model):
        relu = next((entry for entry in model.graph if entry.op_type == "Relu"), None)
        if relu is not None:
            relu.op_type = "Neg"
        return relu is not None

    def ensures(self, model):
        pass


def test_a_pass_that_changes_the_numbers_is_named(monkeypatch):
    monkeypatch.setattr(module, "FOLD", (*module.FOLD, Breaks()))
    proto = model_of([CONV, node("Mul", ["a", "two"], ["b"]), node("Relu", ["b"], ["y"])], {**W, "two": np.float32(2)})
    with pytest.raises(StageError, match="pass 'breaks' breaks it"):
        prepare(proto)


def test_the_equivalence_is_with_what_the_file_says_not_with_what_an_optimizer_makes_of_it():
    """ONNX Runtime folds this Pad wrongly; neither the reference nor the result may follow it."""
    nodes = [
        node("Conv", ["x", "w", "deep"], ["a"]),
        node("Pad", ["a", "p"], ["b"]),
        node("MaxPool", ["b"], ["y"], kernel_shape=[2, 2]),
    ]
    constants = {**W, "deep": np.full(4, -99, np.float32), "p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    proto = model_of(nodes, constants)
    found = answers(prepare(proto).model, {"x": pixels()}, optimize=True)[0]
    assert found.max() > -1e-6
    assert onnxruntime.__version__
    assert isinstance(ir.from_proto(proto), ir.Model)
