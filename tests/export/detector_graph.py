"""A small detector that ends in non-maximum suppression: how many boxes it gives varies."""

import numpy as np
from onnx import TensorProto, helper
from small_graphs import conv_weights, model_of, node


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
