"""Each pass of the preparation: what it folds, what it leaves, and that no number changes."""

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from small_graphs import assert_same, conv_weights, model_of, node, operators, pixels

from edgecnn.export.passes.base import run
from edgecnn.export.passes.editing import opened
from edgecnn.export.passes.evaluate_constants import EvaluateConstants
from edgecnn.export.passes.explicit_padding import ExplicitPadding
from edgecnn.export.passes.fold_affine_after import FoldAffineAfter
from edgecnn.export.passes.fold_affine_before import FoldAffineBefore
from edgecnn.export.passes.fold_pad import FoldPad
from edgecnn.export.passes.gemm_from_matmul import GemmFromMatMul
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.export.passes.inline_if import InlineIf
from edgecnn.export.passes.own_weights import OwnWeights
from edgecnn.export.passes.pad_before_maxpool import PadBeforeMaxPool
from edgecnn.export.passes.remove_noops import RemoveNoops
from edgecnn.export.passes.standalone_batchnorm import StandaloneBatchNorm
from edgecnn.export.passes.tidy import Tidy

W = {"w": conv_weights()}
VALUE = np.array([0.5, 2, -1, 3], np.float32)
STATISTICS = {name: np.array([0.5, 1, 1.5, 2], np.float32) + index for index, name in enumerate("gbmv")}


def apply(step, proto, feeds=None, *, changes=True):
    """Run `step` on `proto`, check that nothing else changed and that it is done; return the operators left."""
    model = opened(proto)
    infer_shapes(model)
    assert run(step, model).modified is changes
    assert not run(step, model).modified
    run(Tidy(deduplicate=False), model)
    result = ir.to_proto(model)
    assert_same(proto, result, feeds or {"x": pixels()})
    return operators(result)


def test_chains_of_shape_arithmetic_become_constants():
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Constant", [], ["zero"], value_ints=[0]),
        node("Gather", ["shape", "zero"], ["n"]),
        node("Constant", [], ["rest"], value_ints=[-1]),
        node("Concat", ["n", "rest"], ["new"], axis=0),
        node("Reshape", ["x", "new"], ["y"]),
    ]
    assert apply(EvaluateConstants(), model_of(nodes)) == ["Reshape"]


def test_a_constant_that_is_cheap_to_make_and_large_stays():
    nodes = [
        node("ConstantOfShape", ["size"], ["many"]),
        node("ReduceSum", ["many"], ["one"]),
        node("Reshape", ["one", "single"], ["flat"]),
        node("Add", ["x", "flat"], ["y"]),
    ]
    proto = model_of(nodes, {"size": np.array([1 << 20]), "single": np.array([1])})
    assert "ConstantOfShape" in apply(EvaluateConstants(), proto, changes=False)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Identity", ["r"], ["y"])],
        [node("Dropout", ["r"], ["y"])],
        [node("Cast", ["r"], ["y"], to=TensorProto.FLOAT)],
        [node("Reshape", ["r", "same"], ["y"])],
        [node("Transpose", ["r"], ["y"], perm=[0, 1, 2, 3])],
        [node("Slice", ["r", "from", "to"], ["y"])],
        [node("Pad", ["r", "none"], ["y"])],
        [node("Concat", ["r"], ["y"], axis=1)],
        [node("Mul", ["one", "r"], ["y"])],
        [node("Add", ["r", "nil"], ["y"])],
        [node("Div", ["r", "one"], ["b"]), node("Sub", ["b", "nil"], ["y"])],
        [node("Split", ["r"], ["y"], axis=1)],
        [node("Expand", ["r", "same"], ["y"])],
    ],
)
def test_what_does_nothing_goes_though_it_is_an_output(nodes):
    constants = {
        "same": np.array([1, 3, 8, 8]),
        "from": np.array([0, 0]),
        "to": np.array([1, 99]),
        "none": np.zeros(8, np.int64),
        "one": np.ones((1, 1, 1), np.float32),
        "nil": np.zeros(1, np.float32),
    }
    proto = model_of([node("Relu", ["x"], ["r"]), *nodes], constants)
    assert apply(RemoveNoops(), proto) == ["Relu"]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Identity", ["x"], ["y"])],
        [node("Slice", ["x", "last", "first", "axes", "back"], ["y"])],
        [node("Mul", ["x", "wide"], ["y"])],
        [node("Transpose", ["x"], ["y"])],
    ],
)
def test_what_does_something_stays(nodes):
    constants = {
        "last": np.array([-1]),
        "first": np.array([-99]),
        "axes": np.array([1]),
        "back": np.array([-1]),
        "wide": np.ones((2, 1, 1, 1), np.float32),
    }
    apply(RemoveNoops(), model_of(nodes, constants), changes=False)


def layer(kind, rng, groups=1):
    """Nodes and constants of a layer from x [1, 4, 7, 7] (or [2, 4]) to a."""
    if kind == "Gemm":
        return [node("Gemm", ["x", "k", "c"], ["a"])], {
            "k": rng.normal(size=(4, 4)).astype(np.float32),
            "c": rng.normal(size=(1, 4)).astype(np.float32),
        }
    weight = rng.normal(size=(4, 4 // groups, 3, 3)).astype(np.float32)
    return [node(kind, ["x", "k"], ["a"], group=groups, strides=[2, 2])], {"k": weight}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    kind=st.sampled_from(["Conv", "ConvTranspose", "Gemm"]),
    groups=st.sampled_from([1, 2, 4]),
    steps=st.lists(
        st.sampled_from(["Mul", "Div", "Add", "Sub", "SubFrom", "BatchNormalization"]), min_size=1, max_size=4
    ),
)
def test_arithmetic_and_batch_norm_behind_a_layer_go_into_it(seed, kind, groups, steps):
    rng = np.random.default_rng(seed)
    nodes, constants = layer(kind, rng, groups)
    for index, step in enumerate(steps):
        source, result = nodes[-1].output[0], f"s{index}"
        number = rng.uniform(0.5, 2, (4,) if kind == "Gemm" else (1, 4, 1, 1)[rng.integers(0, 2) :]).astype(np.float32)
        constants[f"n{index}"] = number
        if step == "BatchNormalization":
            names = [f"{name}{index}" for name in "gbmv"]
            constants.update({name: rng.uniform(0.5, 2, 4).astype(np.float32) for name in names})
            nodes.append(node(step, [source, *names], [result]))
        elif step == "SubFrom":
            nodes.append(node("Sub", [f"n{index}", source], [result]))
        else:
            nodes.append(node(step, [source, f"n{index}"], [result]))
    nodes.append(node("Relu", [nodes[-1].output[0]], ["y"]))
    shape = (2, 4) if kind == "Gemm" else (1, 4, 7, 7)
    proto = model_of(nodes, constants, shape=shape)
    assert apply(FoldAffineAfter(), proto, {"x": pixels(shape, seed)}) == [kind, "Relu"]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    kind=st.sampled_from(["Conv", "ConvTranspose"]),
    groups=st.sampled_from([1, 2, 4]),
    pad=st.integers(0, 1),
    steps=st.lists(st.sampled_from(["Mul", "Div", "Add", "Sub"]), min_size=1, max_size=4),
)
def test_arithmetic_in_front_goes_in_but_for_one_mean_at_a_padded_border(seed, kind, groups, pad, steps):
    rng = np.random.default_rng(seed)
    constants = {"k": rng.normal(size=(4, 4 // groups, 3, 3)).astype(np.float32)}
    nodes = []
    for index, step in enumerate(steps):
        constants[f"n{index}"] = rng.uniform(0.5, 2, (1, 4, 1, 1)).astype(np.float32)
        nodes.append(node(step, [nodes[-1].output[0] if nodes else "x", f"n{index}"], [f"s{index}"]))
    nodes.append(node(kind, [nodes[-1].output[0], "k"], ["y"], group=groups, pads=[pad] * 4))
    proto = model_of(nodes, constants, shape=(1, 4, 7, 7))
    stays = {"Add", "Sub"} & set(steps) and (pad or kind == "ConvTranspose")
    left = apply(FoldAffineBefore(), proto, {"x": pixels((1, 4, 7, 7), seed)}, changes=not (stays and len(steps) == 1))
    assert len(left) == (2 if stays else 1)


def test_a_layer_read_twice_keeps_its_arithmetic_apart():
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Mul", ["a", "two"], ["b"]),
        node("Add", ["a", "b"], ["y"]),
    ]
    constants = {**W, "two": np.full((1, 4, 1, 1), 2, np.float32)}
    apply(FoldAffineAfter(), model_of(nodes, constants), changes=False)


def test_weights_of_another_layer_do_not_change_with_the_folded_ones():
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Mul", ["a", "two"], ["b"]),
        node("Neg", ["x"], ["n"]),
        node("Conv", ["n", "w"], ["c"]),
        node("Add", ["c", "b"], ["y"]),
    ]
    constants = {**W, "two": np.full((1, 4, 1, 1), 2, np.float32)}
    assert "Mul" not in apply(FoldAffineAfter(), model_of(nodes, constants))


def test_batch_norm_alone_becomes_a_depthwise_convolution_or_arithmetic():
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("BatchNormalization", ["r", *"gbmv"], ["n"]),
        node("Relu", ["n"], ["y"]),
    ]
    assert apply(StandaloneBatchNorm(), model_of(nodes, {**W, **STATISTICS})) == ["Conv", "Relu", "Conv", "Relu"]
    vector = [node("BatchNormalization", ["x", *"gbmv"], ["y"])]
    proto = model_of(vector, STATISTICS, shape=(2, 4))
    assert apply(StandaloneBatchNorm(), proto, {"x": pixels((2, 4))}) == ["Mul", "Add"]


@pytest.mark.parametrize("opset", [13, 18])
def test_zeros_around_a_convolution_are_its_padding(opset):
    pads = np.array([0, 0, 1, 2, 0, 0, 0, 1])
    inputs = ["x", "p"]
    constants = {**W, "p": pads}
    if opset == 18:
        constants |= {"p": np.array([1, 2, 0, 1]), "axes": np.array([2, -1])}
        inputs += ["", "axes"]
    nodes = [node("Pad", inputs, ["b"]), node("Conv", ["b", "w"], ["y"], pads=[1, 0, 0, 1])]
    assert apply(FoldPad(), model_of(nodes, constants, opset=opset)) == ["Conv"]


@pytest.mark.parametrize(
    ("pads", "mode", "value"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], "reflect", 0),
        ([0, 0, 1, 1, 0, 0, 1, 1], "constant", 0.5),
        ([0, 0, -1, 0, 0, 0, 0, 0], "constant", 0),
    ],
)
def test_other_padding_stays(pads, mode, value):
    nodes = [node("Pad", ["x", "p", "v"], ["b"], mode=mode), node("Conv", ["b", "w"], ["y"])]
    constants = {**W, "p": np.array(pads), "v": np.float32(value)}
    apply(FoldPad(), model_of(nodes, constants), changes=False)


@pytest.mark.parametrize("positive", [True, False])
def test_zeros_around_max_pooling_stay_zeros(positive):
    """ONNX Runtime's optimizer takes them for the pooling's own padding, which is minus infinity."""
    nodes = [
        node("Relu" if positive else "Neg", ["x"], ["a"]),
        node("Pad", ["a", "p"], ["b"]),
        node("MaxPool", ["b"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
    ]
    proto = model_of(nodes, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])})
    left = apply(PadBeforeMaxPool(), proto, {"x": 1 + np.abs(pixels())})
    assert left == (["Relu", "MaxPool"] if positive else ["Neg", "Pad", "MaxPool"])


@pytest.mark.parametrize("rule", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kind", ["Conv", "MaxPool", "AveragePool"])
def test_padding_in_numbers(rule, size, kind):
    fields = {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": rule}
    weights = {"w": np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype(np.float32)}
    nodes = [node(kind, ["x", "w"] if kind == "Conv" else ["x"], ["y"], **fields)]
    proto = model_of(nodes, weights if kind == "Conv" else {}, shape=(1, 3, size, 9))
    apply(ExplicitPadding(), proto, {"x": pixels((1, 3, size, 9))})


def test_a_product_and_a_sum_are_one_layer_and_factors_go_in():
    nodes = [node("MatMul", ["x", "k"], ["a"]), node("Add", ["c", "a"], ["y"])]
    constants = {"k": pixels((4, 5), 1), "c": pixels((5,), 2)}
    assert apply(GemmFromMatMul(), model_of(nodes, constants, shape=(2, 4)), {"x": pixels((2, 4))}) == ["Gemm"]
    scaled = [node("Gemm", ["x", "k", "c"], ["y"], alpha=0.5, beta=3.0)]
    proto = model_of(scaled, constants, shape=(2, 4))
    assert apply(GemmFromMatMul(), proto, {"x": pixels((2, 4))}) == ["Gemm"]


def test_a_sum_per_row_is_no_bias():
    nodes = [node("MatMul", ["x", "k"], ["a"]), node("Add", ["a", "c"], ["y"])]
    constants = {"k": pixels((4, 2), 1), "c": pixels((2, 1), 2)}
    apply(GemmFromMatMul(), model_of(nodes, constants, shape=(2, 4)), {"x": pixels((2, 4))}, changes=False)


def test_every_layer_owns_its_weights():
    square = {"w": conv_weights(3)}
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        node("Conv", ["a", "w"], ["b"], pads=[1] * 4),
        node("Add", ["b", "x"], ["y"]),
    ]
    model = ir.from_proto(model_of(nodes, square))
    assert run(OwnWeights(), model).modified
    assert len(model.graph.initializers) == 2


def test_a_group_norm_has_its_inputs_shape():
    nodes = [node("GroupNormalization", ["x", "s", "s"], ["a"], num_groups=3), node("Relu", ["a"], ["y"])]
    proto = model_of(nodes, {"s": np.ones(3, np.float32)}, opset=21)
    model = ir.from_proto(proto)
    infer_shapes(model)
    assert [list(value.shape) for value in model.graph.outputs] == [[1, 3, 8, 8]]


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("outside", [True, False])
def test_a_settled_choice_is_part_of_the_graph(taken, outside):
    """The branches capture a value, hold a constant of their own, use names of the graph, or hand a value through."""
    value = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    then = helper.make_graph(
        [node("Mul", ["a", "two"], ["t"]), node("Relu", ["t"], ["b"])],
        "then",
        [],
        [value],
        [numpy_helper.from_array(np.float32(2), "two")],
    )
    same = helper.make_tensor_value_info("same", TensorProto.FLOAT, None)
    other = helper.make_graph([node("Identity", ["a"], ["same"])], "else", [], [same])
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("If", ["yes"], ["y" if outside else "c"], then_branch=then, else_branch=other),
        *([] if outside else [node("Neg", ["c"], ["y"])]),
    ]
    proto = model_of(nodes, {**W, "yes": np.array(taken)})
    left = apply(InlineIf(), proto)
    assert "If" not in left
    assert left == ["Conv", *(["Mul", "Relu"] if taken else []), *([] if outside else ["Neg"])]
