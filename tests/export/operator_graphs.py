"""One-operator ONNX graphs for what torch makes of them: name, nodes, constants, shape of x."""

import numpy as np
from small_graphs import conv_weights, node

X = (1, 3, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


def one(kind, constants=None, shape=X, **attributes):
    """A graph of one node that reads x and then its constants."""
    constants = constants or {}
    return [node(kind, ["x", *constants], ["y"], name="it", **attributes)], constants, shape


def window(kind, **attributes):
    return one(kind, shape=(2, 3, 11, 8), kernel_shape=[3, 2], **attributes)


def convolution(weights, *, bias=True, shape=X, **attributes):
    constants = {"w": weights}
    if bias:
        outputs = weights.shape[0] * attributes.get("group", 1) if attributes.get("group") else weights.shape[0]
        constants["b"] = np.linspace(-1, 1, outputs).astype(np.float32)
    return one("Conv", constants, shape, **attributes)


def transposed(shape, group=1, *, bias=True, **attributes):
    weights = np.random.default_rng(3).normal(0, 0.5, shape).astype(np.float32)
    constants = {"w": weights}
    if bias:
        constants["b"] = np.linspace(-1, 1, shape[1] * group).astype(np.float32)
    return one("ConvTranspose", constants, (1, shape[0], 5, 6), group=group, **attributes)


def resized(scales=None, sizes=None, shape=X, **attributes):
    constants = {"r": np.zeros(0, np.float32), "s": np.float32(scales or [])}
    if sizes:
        constants["z"] = ints(*sizes)
    return one("Resize", constants, shape, **attributes)


def vector(size, seed=5):
    return np.random.default_rng(seed).uniform(0.5, 1.5, size).astype(np.float32)


LAYERS = {
    "conv": convolution(conv_weights(), pads=[1] * 4),
    "conv_uneven": convolution(conv_weights(), pads=[1, 0, 2, 1], strides=[2, 1]),
    "conv_same_upper": convolution(conv_weights(kernel=2), auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv_same_lower": convolution(conv_weights(kernel=2), auto_pad="SAME_LOWER", bias=False),
    "conv_dilated": convolution(conv_weights(), dilations=[2, 1], pads=[2, 1, 2, 1]),
    "conv_grouped": convolution(np.concatenate([conv_weights(1, 1)] * 3), bias=False, group=3),
    "conv_skips_pixels": convolution(conv_weights(kernel=1), strides=[2, 3]),
    "conv_skips_padded": convolution(conv_weights(kernel=1), strides=[2, 1], pads=[1, 0, 0, 2]),
    "conv_1d": convolution(conv_weights()[:, :, 0], shape=(2, 3, 12), pads=[1, 1]),
    "conv_3d": convolution(conv_weights()[..., None], shape=(1, 3, 5, 5, 4)),
    "transposed": transposed((3, 4, 3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
    "transposed_uneven": transposed((3, 4, 3, 3), strides=[2, 2], pads=[0, 1, 1, 0]),
    "transposed_grouped": transposed((4, 2, 2, 2), 2, strides=[2, 2]),
    "transposed_same": transposed((3, 4, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    "gemm": one("Gemm", {"w": vector((4, 7)), "b": vector(4)}, (3, 7), transB=1),
    "gemm_scaled": one("Gemm", {"w": vector((7, 4)), "b": vector((1, 4))}, (3, 7), alpha=0.5, beta=2.0),
    "gemm_turned": one("Gemm", {"w": vector((3, 4))}, (3, 7), transA=1),
    "matmul": one("MatMul", {"w": vector((7, 4))}),
    "einsum": one("Einsum", {"w": vector((3, 5))}, equation="nchw,cd->ndhw"),
    "batch_norm": one("BatchNormalization", {n: vector(3, i) for i, n in enumerate("sbmv")}),
    "instance_norm": one("InstanceNormalization", {"s": vector(3), "b": vector(3, 6)}, epsilon=1e-3),
    "layer_norm": one("LayerNormalization", {"s": vector((9, 7)), "b": vector((9, 7), 6)}, axis=-2),
    "lrn": one("LRN", size=3, shape=(1, 6, 4, 4), alpha=0.1),
    "lp": one("LpNormalization", axis=1, p=1),
}
POOLING = {
    "max": window("MaxPool", pads=[1, 1, 1, 1], strides=[2, 2]),
    "max_uneven": window("MaxPool", pads=[1, 0, 0, 1], strides=[2, 1]),
    "max_ceil": window("MaxPool", ceil_mode=1, strides=[2, 2]),
    "max_dilated": window("MaxPool", dilations=[2, 2]),
    "max_same": window("MaxPool", auto_pad="SAME_UPPER", strides=[2, 2]),
    "average": window("AveragePool", strides=[2, 2]),
    "average_padded": window("AveragePool", pads=[1, 1, 1, 1]),
    "average_counted": window("AveragePool", pads=[1, 1, 1, 1], count_include_pad=1),
    "average_uneven": window("AveragePool", pads=[2, 0, 1, 1], strides=[2, 2]),
    "average_uneven_counted": window("AveragePool", pads=[2, 0, 1, 1], count_include_pad=1),
    "average_ceil": window("AveragePool", ceil_mode=1, strides=[2, 3], pads=[1, 0, 1, 0]),
    "global_average": one("GlobalAveragePool"),
    "global_max": one("GlobalMaxPool"),
}
RESIZING = {
    f"{mode}_{place}_{rounding}_{by[1]}": resized([1, 1, *by], mode=mode, coordinate_transformation_mode=place, **more)
    for mode, rounding, more in (
        ("nearest", "floor", {"nearest_mode": "floor"}),
        ("nearest", "ceil", {"nearest_mode": "ceil"}),
        ("nearest", "usual", {}),
        ("linear", "", {}),
    )
    for place in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    for by in ([2, 2], [1.7, 0.6])
    if mode == "nearest" or place in ("half_pixel", "align_corners")
}
RESIZING["sizes"] = resized(sizes=(1, 3, 4, 14), mode="linear")
RESIZING["axes"] = [node("Resize", ["x", "", "", "z"], ["y"], axes=[2, 3])], {"z": ints(18, 14)}, X
RESIZING["cubic"] = resized([1, 1, 2, 2], mode="cubic", cubic_coeff_a=-0.75)

FUNCTIONS = {
    **{
        kind.lower(): one(kind)
        for kind in (
            *("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Exp", "Erf"),
            *("Sin", "Cos", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Identity", "Elu", "Selu", "LeakyRelu"),
            *("HardSigmoid", "Softmax", "LogSoftmax", "ThresholdedRelu", "Dropout"),
        )
    },
    "elu_alpha": one("Elu", alpha=0.3),
    "gelu": one("Gelu"),
    "gelu_tanh": one("Gelu", approximate="tanh"),
    "softmax_channels": one("Softmax", axis=1),
    "prelu": one("PRelu", {"s": vector((3, 1, 1)) / 4}),
    "clip": one("Clip", {"low": np.float32(-0.5), "high": np.float32(0.7)}),
    "relu6": one("Clip", {"low": np.float32(0), "high": np.float32(6)}),
    "clip_below": one("Clip", {"low": np.float32(0)}),
    "clip_above": ([node("Clip", ["x", "", "high"], ["y"])], {"high": np.float32(0.2)}, X),
    "square": one("Pow", {"p": np.float32(2)}),
    "pow": ([node("Abs", ["x"], ["a"]), node("Pow", ["a", "p"], ["y"])], {"p": vector((3, 1, 1))}, X),
    "square_root": ([node("Abs", ["x"], ["a"]), node("Sqrt", ["a"], ["y"])], {}, X),
    "reciprocal_log": (
        [node("Abs", ["x"], ["a"]), node("Add", ["a", "c"], ["b"]), node("Reciprocal", ["b"], ["r"]),
         node("Log", ["r"], ["y"])],
        {"c": np.float32(0.5)}, X,
    ),
    **{
        kind.lower(): one(kind, {"c": vector((3, 1, 1))})
        for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean")
    },
    "sum": one("Sum", {"a": vector((3, 1, 1)), "b": vector((1, 7))}),
    "mod": one("Mod", {"c": np.float32(0.3)}, fmod=1),
    "whole_division": (
        [node("Cast", ["x"], ["i"], to=7), node("Div", ["i", "c"], ["d"]), node("Cast", ["d"], ["y"], to=1)],
        {"c": ints(2)}, X,
    ),
    "where": (
        [node("Greater", ["x", "c"], ["m"]), node("Not", ["m"], ["n"]), node("Less", ["x", "d"], ["k"]),
         node("And", ["n", "k"], ["both"]), node("Where", ["both", "x", "d"], ["y"])],
        {"c": np.float32(0.2), "d": np.float32(-0.1)}, X,
    ),
}  # fmt: skip
MOVING = {
    "concat": ([node("Concat", ["x", "c", "x"], ["y"], axis=-1)], {"c": np.ones((1, 3, 9, 2), np.float32)}, X),
    "split": ([node("Split", ["x", "n"], ["a", "b"], axis=2), node("Concat", ["b", "a"], ["y"], axis=2)],
              {"n": ints(4, 5)}, X),
    "slice": one("Slice", {"s": ints(1, -1), "e": ints(9, -100), "a": ints(2, 3), "t": ints(2, -2)}),
    "slice_whole": one("Slice", {"s": ints(0), "e": ints(2**62)}),
    "gather": one("Gather", {"i": ints(2, 0, -1)}, axis=1),
    "gather_run": one("Gather", {"i": ints(1, 2)}, axis=1),
    "gather_one": one("Gather", {"i": np.array(-1)}, axis=-1),
    "gather_table": one("Gather", {"i": np.array([[0, 1], [2, 2]])}, axis=1),
    "gather_elements": one("GatherElements", {"i": np.zeros((1, 3, 9, 2), np.int64) - 1}, axis=3),
    "reshape": one("Reshape", {"s": ints(0, -1, 7)}),
    "flatten": one("Flatten", axis=-2),
    "flatten_all": one("Flatten", axis=0),
    "squeeze": one("Squeeze", {"a": ints(0)}),
    "unsqueeze": one("Unsqueeze", {"a": ints(-1, 1)}),
    "transpose": one("Transpose", perm=[0, 2, 3, 1]),
    "turned": one("Transpose"),
    "expand": one("Expand", {"s": ints(2, 1, 9, 1)}),
    "tile": one("Tile", {"r": ints(1, 2, 1, 3)}),
    "pad": one("Pad", {"p": ints(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(0.5)}),
    "pad_channels": one("Pad", {"p": ints(0, 1, 0, 0, 0, 2, 0, 0)}),
    "pad_reflect": one("Pad", {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, mode="reflect"),
    "pad_edge": one("Pad", {"p": ints(0, 0, 1, 0, 0, 0, 0, 0)}, mode="edge"),
    "depth_to_space": one("DepthToSpace", shape=(1, 12, 3, 4), blocksize=2),
    "depth_to_space_crd": one("DepthToSpace", shape=(1, 12, 3, 4), blocksize=2, mode="CRD"),
    "space_to_depth": one("SpaceToDepth", shape=(1, 3, 6, 4), blocksize=2),
}  # fmt: skip
REDUCING = {
    **{
        kind.lower(): one(kind, {"a": ints(1, -1)} if kind == "ReduceSum" else None, **more)
        for kind, more in (
            ("ReduceSum", {}),
            *((f"Reduce{name}", {"axes": [2, 3], "keepdims": 0}) for name in ("Mean", "Max", "Min", "Prod", "L1")),
            *((f"Reduce{name}", {"axes": [1]}) for name in ("L2", "SumSquare", "LogSumExp")),
        )
    },
    "reduce_all": one("ReduceMean"),
    "argmax": ([node("ArgMax", ["x"], ["i"], axis=1), node("Cast", ["i"], ["y"], to=1)], {}, X),
    "argmin": ([node("ArgMin", ["x"], ["i"], axis=2, keepdims=0), node("Cast", ["i"], ["y"], to=1)], {}, X),
    "top_k": ([node("TopK", ["x", "k"], ["y", "i"], axis=2)], {"k": ints(4)}, X),
    "cumsum": one("CumSum", {"a": np.array(2)}, reverse=1, exclusive=1),
}
GRAPHS = {**LAYERS, **POOLING, **RESIZING, **FUNCTIONS, **MOVING, **REDUCING}
NEWER = frozenset({"gelu", "gelu_tanh", "axes", "mish"})
"""Graphs of opset 20; the rest are of 17."""
