"""Every operator that changed between opset 7 and the newest means the same after the change."""

import numpy as np
import onnx
import pytest
from small_graphs import answers, assert_same, conv_weights, model_of, node, operators, pixels

from edgecnn.core.errors import InputError
from edgecnn.export.prepare import prepare

NEWEST_RUN = 21
W = {"w": conv_weights()}
CONV = node("Conv", ["x", "w"], ["a"], pads=[1] * 4)


def case(name, opset, *nodes, constants=None, outputs=("y",)):
    return pytest.param(opset, nodes, constants or {}, outputs, id=f"{name}-{opset}")


ROIS = {
    "rois": np.array([[0, 0, 4, 4], [1, 2, 6, 7]], np.float32),
    "batch": np.array([0, 0], np.int64),
}
GRID = np.random.default_rng(3).uniform(-1.2, 1.2, (1, 5, 6, 2)).astype(np.float32)
CASES = [
    case("upsample-nearest", 7, node("Upsample", ["a"], ["y"], scales=[1.0, 1, 2, 3])),
    case("upsample-linear", 7, node("Upsample", ["a"], ["y"], scales=[1.0, 1, 2, 2], mode="linear")),
    case("upsample", 9, node("Upsample", ["a", "s"], ["y"]), constants={"s": np.array([1, 1, 2, 2], np.float32)}),
    case("resize-up", 10, node("Resize", ["a", "s"], ["y"]), constants={"s": np.array([1, 1, 2, 3], np.float32)}),
    case("resize-down", 10, node("Resize", ["a", "s"], ["y"]), constants={"s": np.array([1, 1, 0.5, 0.4], np.float32)}),
    case(
        "resize-linear",
        10,
        node("Resize", ["a", "s"], ["y"], mode="linear"),
        constants={"s": np.array([1, 1, 1.5, 0.5], np.float32)},
    ),
    case("slice", 9, node("Slice", ["a"], ["y"], starts=[1, -4], ends=[3, 9999], axes=[1, 3])),
    case("slice-all-axes", 9, node("Slice", ["a"], ["y"], starts=[0, 1], ends=[1, 3])),
    case("topk", 9, node("TopK", ["a"], ["y", "i"], k=3, axis=2), outputs=("y",)),
    case("clip", 9, node("Clip", ["a"], ["y"], min=0.0, max=6.0)),
    case("clip-low", 9, node("Clip", ["a"], ["y"], min=-0.2)),
    case("clip-none", 9, node("Clip", ["a"], ["b"]), node("Relu", ["b"], ["y"])),
    case("pad-value", 9, node("Pad", ["a"], ["y"], pads=[0, 0, 1, 2, 0, 0, 3, 0], value=1.5)),
    case("pad-reflect", 9, node("Pad", ["a"], ["y"], pads=[0, 0, 1, 2, 0, 0, 3, 0], mode="reflect")),
    case("softmax-image", 11, node("Softmax", ["a"], ["y"], axis=1)),
    case("softmax-default", 9, node("Softmax", ["a"], ["y"])),
    case("softmax-last", 11, node("Softmax", ["a"], ["y"], axis=3)),
    case("softmax-middle", 11, node("Softmax", ["a"], ["y"], axis=-2)),
    case("softmax-vector", 11, node("GlobalAveragePool", ["a"], ["b"]), node("Softmax", ["b"], ["y"], axis=0)),
    case("logsoftmax", 11, node("LogSoftmax", ["a"], ["y"], axis=2)),
    case("hardmax", 11, node("Hardmax", ["a"], ["y"], axis=2)),
    case("split", 11, node("Split", ["a"], ["b", "y"], axis=1, split=[1, 3])),
    case("split-even", 11, node("Split", ["a"], ["b", "y"], axis=1)),
    case("split-even", 13, node("Split", ["a"], ["b", "y"], axis=1)),
    case("squeeze", 11, node("GlobalMaxPool", ["a"], ["b"]), node("Squeeze", ["b"], ["y"], axes=[2, 3])),
    case("squeeze-all", 11, node("GlobalMaxPool", ["a"], ["b"]), node("Squeeze", ["b"], ["y"])),
    case("unsqueeze", 11, node("Unsqueeze", ["a"], ["y"], axes=[0, 5])),
    case("reduce-sum", 11, node("ReduceSum", ["a"], ["y"], axes=[1, -1], keepdims=0)),
    case("reduce-sum-all", 11, node("ReduceSum", ["a"], ["y"])),
    *[
        case(kind, 11, node(f"Reduce{kind}", ["a"], ["y"], axes=[2, 3]))
        for kind in ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
    ],
    case("dropout", 7, node("Dropout", ["a"], ["b"], ratio=0.4), node("Relu", ["b"], ["y"])),
    case(
        "batch-norm",
        7,
        node("BatchNormalization", ["a", "g", "b", "m", "v"], ["y"], spatial=1),
        constants={name: np.array([0.5, 1, 1.5, 2], np.float32) for name in "gbmv"},
    ),
    case(
        "roi-align",
        10,
        node("RoiAlign", ["a", "rois", "batch"], ["y"], output_height=3, output_width=3),
        constants=ROIS,
    ),
    case("grid-sample", 16, node("GridSample", ["a", "grid"], ["y"], mode="bilinear"), constants={"grid": GRID}),
    case("grid-sample-cubic", 16, node("GridSample", ["a", "grid"], ["y"], mode="bicubic"), constants={"grid": GRID}),
    case(
        "group-norm",
        18,
        node("GroupNormalization", ["a", "s", "b"], ["y"], num_groups=2),
        constants={"s": np.array([1, 2], np.float32), "b": np.array([0.5, -1], np.float32)},
    ),
    case(
        "scatter",
        9,
        node("Scatter", ["a", "at", "new"], ["y"], axis=3),
        constants={"at": np.full((1, 4, 8, 1), 2, np.int64), "new": np.ones((1, 4, 8, 1), np.float32)},
    ),
    case("depth-to-space", 9, node("DepthToSpace", ["a"], ["y"], blocksize=2)),
    case("prelu", 7, node("PRelu", ["a", "p"], ["y"]), constants={"p": np.full((4, 1, 1), 0.2, np.float32)}),
    case(
        "flatten-gemm",
        9,
        node("Flatten", ["a"], ["b"]),
        node("Gemm", ["b", "k", "c"], ["y"], transB=1),
        constants={"k": np.ones((5, 256), np.float32) / 9, "c": np.arange(5, dtype=np.float32)},
    ),
    case(
        "average-pool", 7, node("AveragePool", ["a"], ["y"], kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2])
    ),
]


@pytest.mark.parametrize("target", [17, NEWEST_RUN])
@pytest.mark.parametrize(("opset", "nodes", "constants", "outputs"), CASES)
def test_the_operator_means_the_same_at_a_newer_opset(opset, nodes, constants, outputs, target):
    proto = model_of([CONV, *nodes], {**W, **constants}, outputs=outputs, opset=opset)
    prepared = prepare(proto, opset=target if opset <= target else None)
    assert max(entry.version for entry in prepared.model.opset_import) >= target
    onnx.checker.check_model(prepared.model, full_check=True)
    assert_same(proto, prepared.model, {"x": pixels()})


def test_whole_numbers_of_topk_come_out_too():
    proto = model_of([CONV, node("TopK", ["a"], ["v", "y"], k=3)], W, opset=9, out_type=onnx.TensorProto.INT64)
    x = {"x": pixels()}
    assert np.array_equal(answers(proto, x)[0], answers(prepare(proto).model, x)[0])


def test_subgraphs_reach_the_opset_and_keep_what_they_capture():
    inner = [
        node("Clip", ["a"], ["c"], min=0.0),
        node("Slice", ["c"], ["s"], starts=[0], ends=[9]),
        node("Unsqueeze", ["s"], ["d"], axes=[0]),
        node("Squeeze", ["d"], ["then"], axes=[0]),
    ]
    empty = onnx.helper.make_tensor_value_info
    then = onnx.helper.make_graph(inner, "then", [], [empty("then", 1, None)])
    other = onnx.helper.make_graph([node("Relu", ["a"], ["else"])], "else", [], [empty("else", 1, None)])
    nodes = [
        CONV,
        node("ReduceSum", ["a"], ["sum"], axes=[0, 1, 2, 3], keepdims=0),
        node("Greater", ["sum", "zero"], ["positive"]),
        node("If", ["positive"], ["b"], then_branch=then, else_branch=other),
        node("Mul", ["b", "b"], ["y"]),
    ]
    proto = model_of(nodes, {**W, "zero": np.float32(0)}, opset=9)
    result = prepare(proto, opset=NEWEST_RUN).model
    for seed in range(4):
        assert_same(proto, result, {"x": pixels(seed=seed)})


@pytest.mark.parametrize(
    ("opset", "nodes", "words"),
    [
        (6, [CONV, node("Relu", ["a"], ["y"])], "opset 6 is older"),
        (10, [CONV, node("Resize", ["a", "s"], ["b"]), node("Relu", ["b"], ["y"])], "no fixed scales, or grows"),
        (9, [CONV, node("Affine", ["a"], ["y"])], "no operator 'Affine'"),
    ],
)
def test_what_blocks_the_conversion_is_named(opset, nodes, words):
    constants = {**W, "s": np.array([1, 1, 2, 0.5], np.float32)}
    proto = model_of(nodes, constants, opset=opset)
    with pytest.raises(InputError, match=words):
        prepare(proto)


def test_batch_norm_in_training_mode_is_refused():
    constants = {**W, **{name: np.ones(4, np.float32) for name in "gbmv"}}
    nodes = [CONV, node("BatchNormalization", ["a", "g", "b", "m", "v"], ["y", "n", "u"], training_mode=1)]
    with pytest.raises(InputError):
        prepare(model_of(nodes, constants, opset=15, outputs=("y", "n")))


def test_a_newer_opset_stays():
    proto = model_of([CONV, node("Relu", ["a"], ["y"])], W, opset=21)
    prepared = prepare(proto)
    assert prepared.model.opset_import[0].version == 21
    assert operators(prepared.model) == ["Conv", "Relu"]
