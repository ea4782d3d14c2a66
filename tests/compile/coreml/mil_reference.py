"""A converted Core ML program run operator by operator in torch, as Apple's description of MIL has them.

It reads the finished file alone, knows nothing of how it was made, and stands in for Core ML, which runs on macOS only.
"""

import io
import struct
import zipfile

import numpy as np
import torch
import torch.nn.functional as nn

from edgecnn.compile.coreml.sdk import MIL_pb2, Model_pb2

TYPES = {
    MIL_pb2.FLOAT16: np.float16,
    MIL_pb2.FLOAT32: np.float32,
    MIL_pb2.INT32: np.int32,
    MIL_pb2.INT8: np.int8,
    MIL_pb2.UINT8: np.uint8,
    MIL_pb2.BOOL: np.bool_,
}


def read_package(data):
    archive = zipfile.ZipFile(io.BytesIO(data))
    base = "model.mlpackage/Data/com.apple.CoreML/"
    weights = base + "weights/weight.bin"
    return Model_pb2.Model.FromString(archive.read(base + "model.mlmodel")), (
        archive.read(weights) if weights in archive.namelist() else b""
    )


class Mil:
    """`run` takes and gives arrays by Core ML's names."""

    def __init__(self, data):
        self.spec, self.weights = read_package(data)
        function = self.spec.mlProgram.functions["main"]
        self.block = function.block_specializations[function.opset]

    def run(self, feeds):
        values = {name: torch.from_numpy(np.asarray(feed, np.float32)) for name, feed in feeds.items()}
        for op in self.block.operations:
            given = {key: self._argument(one, values) for key, one in op.inputs.items()}
            stored = {key: self._value(one) for key, one in op.attributes.items()}
            if op.type == "const":
                value = stored["val"]
                values[op.outputs[0].name] = value if isinstance(value, str) else torch.from_numpy(value)
                continue
            made = OPS[op.type](**{key: value for key, value in {**stored, **given}.items() if key != "name"})
            for out, value in zip(op.outputs, made if isinstance(made, tuple) else (made,), strict=True):
                kind = out.type.tensorType
                assert list(value.shape) == [d.constant.size for d in kind.dimensions], (op.type, out.name)
                values[out.name] = value.to(torch.from_numpy(np.zeros(0, TYPES[kind.dataType])).dtype)
        return {name: values[name].numpy() for name in self.block.outputs}

    def _argument(self, argument, values):
        found = [values[one.name] if one.HasField("name") else self._value(one.value) for one in argument.arguments]
        return found[0] if len(found) == 1 else found

    def _value(self, value):
        kind = value.type.tensorType
        shape = [d.constant.size for d in kind.dimensions]
        if value.HasField("blobFileValue"):
            _, _, size, start = struct.unpack_from("<IIQQ", self.weights, value.blobFileValue.offset)
            return np.frombuffer(self.weights[start : start + size], TYPES[kind.dataType]).reshape(shape).copy()
        tensor = value.immediateValue.tensor
        field = tensor.WhichOneof("value")
        found = getattr(tensor, field).values
        if kind.dataType == MIL_pb2.STRING:
            return found[0]
        if field == "bytes":
            return np.frombuffer(found, TYPES[kind.dataType]).reshape(shape).copy()
        return np.array(list(found), TYPES[kind.dataType]).reshape(shape)


def t(value):
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.asarray(value))


def ints(value):
    return [int(one) for one in t(value).reshape(-1)]


def flat(value):
    return value.item() if isinstance(value, (np.ndarray, torch.Tensor)) else value


def sides(pad_type, pad, x, kernel, strides, dilations):
    """[start, end] of every spatial axis."""
    if pad_type == "valid":
        return [(0, 0)] * len(kernel)
    if pad_type == "custom":
        pad = ints(pad)
        return [(pad[2 * i], pad[2 * i + 1]) for i in range(len(kernel))]
    found = []
    for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        small = total // 2
        found.append((small, total - small) if pad_type == "same" else (total - small, small))
    return found


def padded(x, pads, value=0.0):
    return nn.pad(x, [side for pair in reversed(pads) for side in pair], value=value)


def conv(x, weight, strides, dilations, groups, pad_type, pad=(), bias=None, **_):
    weight = t(weight).to(x.dtype)
    rank = weight.ndim - 2
    x = padded(x, sides(pad_type, pad, x, weight.shape[2:], ints(strides), ints(dilations)))
    run = [nn.conv1d, nn.conv2d, nn.conv3d][rank - 1]
    bias = None if bias is None else t(bias).to(x.dtype)
    return run(x, weight, bias, ints(strides), 0, ints(dilations), flat(groups))


def conv_transpose(x, weight, strides, dilations, groups, pad, output_shape, bias=None, **_):
    weight = t(weight).to(x.dtype)
    whole = nn.conv_transpose2d(
        x, weight, None if bias is None else t(bias).to(x.dtype), ints(strides), 0, 0, flat(groups), ints(dilations)
    )
    top, _, left, _ = ints(pad)
    height, width = ints(output_shape)[2:]
    # What output_shape asks beyond what the kernels reach is the bias alone.
    whole = nn.pad(whole, [0, max(0, left + width - whole.shape[3]), 0, max(0, top + height - whole.shape[2])])
    return whole[:, :, top : top + height, left : left + width]


def windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode, fill):
    kernel, strides = ints(kernel_sizes), ints(strides)
    pads = sides(pad_type, pad, x, kernel, strides, [1] * len(kernel))
    if flat(ceil_mode):
        for i, (start, end) in enumerate(pads):
            over = (x.shape[2 + i] + start + end - kernel[i]) % strides[i]
            pads[i] = (start, end + (strides[i] - over if over else 0))
    x = padded(x, pads, fill)
    for i, (k, s) in enumerate(zip(kernel, strides, strict=True)):
        x = x.unfold(2 + i, k, s)
    return x.flatten(2 + len(kernel))


def max_pool(x, kernel_sizes, strides, pad_type, ceil_mode, pad=(), **_):
    return windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode, -torch.inf).amax(-1)


def avg_pool(x, kernel_sizes, strides, pad_type, ceil_mode, exclude_padding_from_average, pad=(), **_):
    given = (kernel_sizes, strides, pad_type, pad, ceil_mode)
    values = windows(x, *given, 0.0)
    counted = windows(torch.ones_like(x), *given, 0.0 if flat(exclude_padding_from_average) else 1.0)
    return values.sum(-1) / counted.sum(-1)


def by_axis(value, like, axis):
    value = t(value).to(torch.float32)
    if value.ndim == 0:
        return value
    return value.reshape([-1 if i == flat(axis) else 1 for i in range(like.ndim)])


def quantize(input, scale, output_dtype, zero_point=0, axis=0, **_):  # noqa: A002 - MIL's name
    low, high = {"int8": (-128, 127), "uint8": (0, 255)}[output_dtype]
    rounded = torch.round(input.float() / by_axis(scale, input, axis)) + by_axis(zero_point, input, axis)
    return rounded.clamp(low, high)


def dequantize(input, scale, zero_point=0, axis=0, **_):  # noqa: A002
    return (t(input).float() - by_axis(zero_point, t(input), axis)) * by_axis(scale, t(input), axis)


def slice_by_index(x, begin, end, stride=None, begin_mask=None, end_mask=None, **_):
    rank = x.ndim
    stride = [1] * rank if stride is None else ints(stride)
    begin_mask = [0] * rank if begin_mask is None else ints(begin_mask)
    end_mask = [0] * rank if end_mask is None else ints(end_mask)
    where = []
    for i, (b, e) in enumerate(zip(ints(begin), ints(end), strict=True)):
        where.append(slice(None if begin_mask[i] else b, None if end_mask[i] else e, stride[i]))
    return torch.from_numpy(x.numpy()[tuple(where)].copy())


def upsample_bilinear(x, scale_factor_height, scale_factor_width, align_corners, half_pixel_centers=None, **_):
    size = [int(x.shape[2] * flat(scale_factor_height)), int(x.shape[3] * flat(scale_factor_width))]
    assert flat(align_corners) or flat(half_pixel_centers)
    return nn.interpolate(x, size, mode="bilinear", align_corners=bool(flat(align_corners)))


def pad(x, pad, mode, constant_val=0.0, **_):
    pairs = ints(pad)
    sides = [(pairs[2 * i], pairs[2 * i + 1]) for i in range(x.ndim)]
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    given = {"constant_values": flat(constant_val)} if mode == "constant" else {}
    return torch.from_numpy(np.pad(x.numpy(), sides, names[mode], **given))


def space(block, x, *, back):
    n, c, h, w = x.shape
    if back:
        x = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(n, c * block**2, h // block, w // block)
    x = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block)


def pairwise(run):
    return lambda x, y, **_: run(t(x), t(y))


def single(run):
    return lambda x, **_: run(t(x))


def reduce(run):
    return lambda x, axes, keep_dims=False, **_: run(x, ints(axes), bool(flat(keep_dims)))


CASTS = {"fp32": torch.float32, "fp16": torch.float16, "int32": torch.int32, "bool": torch.bool}
OPS = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "quantize": quantize,
    "dequantize": dequantize,
    "constexpr_affine_dequantize": lambda quantized_data, scale, zero_point, axis, **_: dequantize(
        quantized_data, scale, zero_point, axis
    ),
    "cast": lambda x, dtype, **_: x.to(CASTS[dtype]),
    "identity": single(lambda x: x),
    "relu": single(torch.relu),
    "sigmoid": single(torch.sigmoid),
    "tanh": single(torch.tanh),
    "exp": single(torch.exp),
    "sqrt": single(torch.sqrt),
    "erf": single(torch.erf),
    "abs": single(torch.abs),
    "floor": single(torch.floor),
    "softplus": single(nn.softplus),
    "silu": single(nn.silu),
    "log": lambda x, epsilon, **_: torch.log(x + flat(epsilon)),
    "clip": lambda x, alpha, beta, **_: x.clamp(flat(alpha), flat(beta)),
    "leaky_relu": lambda x, alpha, **_: nn.leaky_relu(x, flat(alpha)),
    "elu": lambda x, alpha, **_: nn.elu(x, flat(alpha)),
    "prelu": lambda x, alpha, **_: nn.prelu(x, t(alpha).to(x.dtype)),
    "gelu": lambda x, mode, **_: nn.gelu(x, approximate="none" if mode == "EXACT" else "tanh"),
    "sigmoid_hard": lambda x, alpha, beta, **_: (x * flat(alpha) + flat(beta)).clamp(0, 1),
    "softmax": lambda x, axis, **_: torch.softmax(x, flat(axis)),
    "add": pairwise(torch.add),
    "sub": pairwise(torch.sub),
    "mul": pairwise(torch.mul),
    "real_div": pairwise(torch.div),
    "pow": pairwise(torch.pow),
    "maximum": pairwise(torch.maximum),
    "minimum": pairwise(torch.minimum),
    "greater": pairwise(torch.gt),
    "select": lambda cond, a, b, **_: torch.where(cond, t(a), t(b)),
    "matmul": lambda x, y, transpose_x=False, transpose_y=False, **_: (
        (t(x).mT if flat(transpose_x) else t(x)) @ (t(y).mT if flat(transpose_y) else t(y))
    ),
    "linear": lambda x, weight, bias=None, **_: nn.linear(x, t(weight), None if bias is None else t(bias)),
    "batch_norm": lambda x, mean, variance, gamma, beta, epsilon, **_: nn.batch_norm(
        x, t(mean), t(variance), t(gamma), t(beta), eps=flat(epsilon)
    ),
    "layer_norm": lambda x, axes, gamma, epsilon, beta=None, **_: nn.layer_norm(
        x, [x.shape[i] for i in ints(axes)], t(gamma), None if beta is None else t(beta), flat(epsilon)
    ),
    "instance_norm": lambda x, gamma, beta, epsilon, **_: nn.instance_norm(
        x, weight=t(gamma), bias=t(beta), eps=flat(epsilon)
    ),
    "transpose": lambda x, perm, **_: t(x).permute(ints(perm)).contiguous(),
    "reshape": lambda x, shape, **_: x.reshape(ints(shape)),
    "squeeze": lambda x, axes, **_: x.squeeze(tuple(ints(axes))),
    "expand_dims": lambda x, axes, **_: torch.from_numpy(np.expand_dims(x.numpy(), tuple(ints(axes)))),
    "concat": lambda values, axis, **_: torch.cat([t(one) for one in values], flat(axis)),
    "split": lambda x, split_sizes, axis, **_: torch.split(x, ints(split_sizes), flat(axis)),
    "slice_by_index": slice_by_index,
    "gather": lambda x, indices, axis, **_: torch.from_numpy(np.take(x.numpy(), np.asarray(indices), flat(axis))),
    "tile": lambda x, reps, **_: x.repeat(ints(reps)),
    "pad": pad,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": lambda x, scale_factor_height, scale_factor_width, **_: x.repeat_interleave(
        int(flat(scale_factor_height)), 2
    ).repeat_interleave(int(flat(scale_factor_width)), 3),
    "depth_to_space": lambda x, block_size, **_: space(flat(block_size), x, back=False),
    "space_to_depth": lambda x, block_size, **_: space(flat(block_size), x, back=True),
    "reduce_mean": reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "reduce_sum": reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "reduce_max": reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "reduce_min": reduce(lambda x, axes, keep: x.amin(axes, keep)),
    "reduce_l2_norm": reduce(lambda x, axes, keep: x.square().sum(axes, keep).sqrt()),
    "reduce_sum_square": reduce(lambda x, axes, keep: x.square().sum(axes, keep)),
    "reduce_argmax": lambda x, axis, keep_dims=False, **_: x.argmax(flat(axis), bool(flat(keep_dims))),
}
