"""What has weights, normalisation, and products of matrices."""

from typing import Any

import numpy as np

from edgecnn.compile.coreml.call import Call, Table, Value, fixed
from edgecnn.compile.coreml.sdk import mb
from edgecnn.compile.coreml.windows import padding


def _conv(call: Call) -> Value:
    weight = call[1]
    sizes = fixed(weight.shape)[2:]
    rank = len(sizes)
    if rank > 3:
        raise call.error(f"has {rank} spatial dimensions; Core ML has convolutions of 1 to 3")
    return mb.conv(
        x=call[0],
        weight=weight,
        strides=list(call.get("strides", [1] * rank)),
        dilations=list(call.get("dilations", [1] * rank)),
        groups=int(call.get("group", 1)),
        **_bias(call),
        **padding(call, rank),
    )


def _conv_transpose(call: Call) -> Value:
    sizes = fixed(call[1].shape)[2:]
    rank = len(sizes)
    strides, dilations = call.get("strides", [1] * rank), call.get("dilations", [1] * rank)
    extra = call.get("output_padding", [0] * rank)
    pads = call.get("pads", [0] * 2 * rank)
    if call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or call.get("output_shape"):
        raise call.error("has padding that follows from its result's size; export it with `pads`")
    groups = int(call.get("group", 1))
    shape = [int(call[0].shape[0]), int(call[1].shape[1]) * groups]
    for axis, size in enumerate(fixed(call[0].shape)[2:]):
        reach = strides[axis] * (size - 1) + dilations[axis] * (sizes[axis] - 1) + 1
        shape.append(reach + extra[axis] - pads[axis] - pads[rank + axis])
    return mb.conv_transpose(
        x=call[0],
        weight=call[1],
        strides=list(strides),
        dilations=list(dilations),
        groups=groups,
        pad_type="custom",
        pad=[pads[axis + side * rank] for axis in range(rank) for side in (0, 1)],
        output_shape=shape,
        **_bias(call),
    )


def _bias(call: Call) -> dict[str, Any]:
    return {"bias": call.constant(2).astype(np.float32)} if call.has(2) else {}


def _gemm(call: Call) -> Value:
    product = mb.matmul(
        x=call[0], y=call[1], transpose_x=bool(call.get("transA", 0)), transpose_y=bool(call.get("transB", 0))
    )
    if (alpha := float(call.get("alpha", 1.0))) != 1:
        product = mb.mul(x=product, y=np.float32(alpha))
    if not call.has(2):
        return product
    beta = float(call.get("beta", 1.0))
    return mb.add(x=product, y=call[2] if beta == 1 else mb.mul(x=call[2], y=np.float32(beta)))


def _batch_norm(call: Call) -> Value:
    gamma, beta, mean, variance = (call.constant(index).astype(np.float32) for index in (1, 2, 3, 4))
    return mb.batch_norm(
        x=call[0], mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=float(call.get("epsilon", 1e-5))
    )


def _layer_norm(call: Call) -> Value:
    axes = list(range(call.axis(-1), call.rank()))
    given = {"gamma": call.constant(1).astype(np.float32)}
    if call.has(2):
        given["beta"] = call.constant(2).astype(np.float32)
    return mb.layer_norm(x=call[0], axes=axes, epsilon=float(call.get("epsilon", 1e-5)), **given)


def _instance_norm(call: Call) -> Value:
    gamma, beta = (call.constant(index).astype(np.float32) for index in (1, 2))
    return mb.instance_norm(x=call[0], gamma=gamma, beta=beta, epsilon=float(call.get("epsilon", 1e-5)))


LAYERS: Table = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": lambda call: mb.matmul(x=call[0], y=call[1]),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "InstanceNormalization": _instance_norm,
    "Softmax": lambda call: mb.softmax(x=call[0], axis=call.axis(-1)),
    "LogSoftmax": lambda call: mb.log(x=mb.softmax(x=call[0], axis=call.axis(-1)), epsilon=0.0),
}
