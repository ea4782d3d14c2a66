"""Blocks of convolutional networks as strangers write them: each takes a Builder and a Feature and gives a Feature."""

import numpy as np
from graph_builder import Builder, Feature, same
from onnx import TensorProto, helper

BLOCKS = {}
"""Every block of this file by name."""


def block(function):
    BLOCKS[function.__name__] = function
    return function


def conv(b: Builder, x: Feature, outputs, kernel=3, *, groups=1, bias=True, weights=None, **attributes):
    """A convolution that keeps the size unless its attributes say otherwise."""
    weights = weights or b.weights(outputs, x.channels // groups, kernel, kernel)
    inputs = [x.name, weights, b.floats(outputs, spread=0.2)] if bias else [x.name, weights]
    stride, dilation = attributes.pop("stride", 1), attributes.pop("dilation", 1)
    pads = attributes.pop("pads", [dilation * (kernel // 2)] * 4)
    name = b.node(
        "Conv",
        inputs,
        group=groups,
        kernel_shape=[kernel] * 2,
        strides=[stride] * 2,
        dilations=[dilation] * 2,
        **({} if "auto_pad" in attributes else {"pads": pads}),
        **attributes,
    )
    if "auto_pad" in attributes:
        return Feature(name, outputs, -(-x.height // stride), -(-x.width // stride))
    reach = dilation * (kernel - 1)
    height = (x.height + pads[0] + pads[2] - reach - 1) // stride + 1
    return Feature(name, outputs, height, (x.width + pads[1] + pads[3] - reach - 1) // stride + 1)


def small(x: Feature) -> bool:
    """Whether the feature is too small to be halved again."""
    return min(x.height, x.width) < 6


def batch_norm(b: Builder, x: Feature) -> Feature:
    c = x.channels
    variance = b.constant(b.rng.uniform(0.5, 2, c).astype(np.float32))
    inputs = [x.name, b.floats(c, around=1, spread=0.2), b.floats(c, spread=0.2), b.floats(c, spread=0.2), variance]
    return same(x, b.node("BatchNormalization", inputs, epsilon=1e-5))


@block
def conv_relu(b, x):
    y = conv(b, x, 8, int(b.rng.choice([1, 3, 5])), bias=bool(b.rng.integers(2)))
    return same(y, b.node("Relu", [y.name]))


@block
def conv_bare(b, x):
    return conv(b, x, int(b.rng.choice([4, 6, 12])), 1)


@block
def conv_stride(b, x):
    return conv(b, x, 8, 3, stride=1 if small(x) else 2)


@block
def conv_dilated(b, x):
    return conv(b, x, 6, 3, dilation=2)


@block
def conv_asymmetric_pads(b, x):
    return conv(b, x, 6, 3, pads=[0, 1, 2, 1])


@block
def conv_auto_pad(b, x):
    return conv(b, x, 6, 3, stride=1 if small(x) else 2, auto_pad=str(b.rng.choice(["SAME_UPPER", "SAME_LOWER"])))


@block
def conv_oblong(b, x):
    name = b.node("Conv", [x.name, b.weights(6, x.channels, 1, 5)], kernel_shape=[1, 5], pads=[0, 2, 0, 2])
    return Feature(name, 6, x.height, x.width)


@block
def conv_depthwise(b, x):
    y = conv(b, x, x.channels, 3, groups=x.channels)
    return same(y, b.clip(y.name, 0.0, 6.0))


@block
def conv_grouped(b, x):
    groups = 2 if x.channels % 2 == 0 else 1
    return conv(b, x, 8, 3, groups=groups, bias=False)


@block
def conv_batch_norm(b, x):
    y = batch_norm(b, conv(b, x, 8, 3, bias=bool(b.rng.integers(2))))
    return same(y, b.node("Relu", [y.name]))


@block
def batch_norm_conv(b, x):
    y = batch_norm(b, x)
    y = same(y, b.node("Relu", [y.name])) if b.rng.integers(2) else y
    return conv(b, y, 8, int(b.rng.choice([1, 3])))


@block
def batch_norm_alone(b, x):
    return batch_norm(b, x)


@block
def conv_then_constants(b, x):
    """What converters from other frameworks leave: bias as Add, scale as Mul, on either side."""
    y = conv(b, x, 6, 3, bias=False)
    scaled = b.node("Mul", [b.floats(1, 6, 1, 1, around=1, spread=0.3), y.name])
    return same(y, b.node("Add", [scaled, b.floats(6, 1, 1, spread=0.3)]))


@block
def pad_then_conv(b, x):
    padded = b.pad(x.name, [0, 0, 1, 1, 0, 0, 1, 1], str(b.rng.choice(["constant", "reflect"])))
    return conv(b, Feature(padded, x.channels, x.height + 2, x.width + 2), 6, 3, pads=[0] * 4)


@block
def shared_weights(b, x):
    """Two convolutions with one set of weights, as in a head that runs on several levels."""
    weights = b.weights(6, x.channels, 3, 3)
    left = conv(b, x, 6, 3, weights=weights)
    right = conv(b, same(x, b.node("Relu", [x.name])), 6, 3, weights=weights)
    return same(left, b.node("Add", [left.name, right.name]))


@block
def conv_transpose(b, x):
    groups = 2 if x.channels % 2 == 0 and b.rng.integers(2) else 1
    weights = b.weights(x.channels, 6 // groups, 3, 3)
    bias = [b.floats(6, spread=0.2)] if b.rng.integers(2) else []
    name = b.node(
        "ConvTranspose",
        [x.name, weights, *bias],
        strides=[2, 2],
        pads=[1] * 4,
        output_padding=[1, 1],
        group=groups,
        kernel_shape=[3, 3],
    )
    return Feature(name, 6, 2 * x.height, 2 * x.width)


@block
def conv_one_dimension(b, x):
    """A Conv1d over the pixels in a row."""
    row = b.reshape(x.name, 0, x.channels, -1)
    y = b.node("Conv", [row, b.weights(6, x.channels, 3)], kernel_shape=[3], pads=[1, 1])
    return Feature(b.reshape(y, 0, 6, x.height, x.width), 6, x.height, x.width)


@block
def instance_norm(b, x):
    parameters = [b.floats(x.channels, around=1, spread=0.2), b.floats(x.channels, spread=0.2)]
    return same(x, b.node("InstanceNormalization", [x.name, *parameters]))


@block
def residual(b, x):
    y = conv(b, x, x.channels, 3)
    y = conv(b, same(y, b.node("Relu", [y.name])), x.channels, 3, bias=False)
    return same(x, b.node("Relu", [b.node("Add", [y.name, x.name])]))


@block
def residual_projected(b, x):
    y, short = conv(b, x, 6, 3), conv(b, x, 6, 1)
    return same(y, b.node("Add", [short.name, y.name]))


@block
def inverted_residual(b, x):
    y = conv(b, x, 2 * x.channels, 1)
    y = conv(b, same(y, b.clip(y.name, 0.0, 6.0)), y.channels, 3, groups=y.channels)
    y = conv(b, same(y, b.clip(y.name, 0.0, 6.0)), x.channels, 1)
    return same(x, b.node("Add", [x.name, y.name]))


@block
def squeeze_excite(b, x):
    pooled = b.node("GlobalAveragePool", [x.name]) if b.rng.integers(2) else b.reduce_mean(x.name, 2, 3)
    y = conv(b, Feature(pooled, x.channels, 1, 1), 4, 1)
    y = conv(b, same(y, b.node("Relu", [y.name])), x.channels, 1)
    gate = b.node("Sigmoid", [y.name]) if b.rng.integers(2) else b.node("HardSigmoid", [y.name], alpha=1 / 6)
    return same(x, b.node("Mul", [x.name, gate]))


@block
def inception(b, x):
    left, middle = conv(b, x, 4, 1), conv(b, x, 6, 3)
    middle = same(middle, b.node("Relu", [middle.name]))
    pooled = b.node("MaxPool", [x.name], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    right = conv(b, same(x, pooled), 4, 1)
    return Feature(b.node("Concat", [left.name, middle.name, right.name], axis=1), 14, x.height, x.width)


@block
def dense(b, x):
    """New features beside what they were made from, whose range is another."""
    y = conv(b, x, 4, 3)
    y = same(y, b.node("Sigmoid", [y.name]))
    return Feature(b.node("Concat", [x.name, y.name], axis=1), x.channels + 4, x.height, x.width)


@block
def channel_shuffle(b, x):
    if x.channels % 2:
        return x
    y = b.reshape(x.name, 0, 2, x.channels // 2, x.height, x.width)
    y = b.node("Transpose", [y], perm=[0, 2, 1, 3, 4])
    return same(x, b.reshape(y, 0, x.channels, x.height, x.width))


@block
def split_convolve_join(b, x):
    if x.channels < 2:
        return x
    half = x.channels // 2
    first, second = b.split(x.name, [half, x.channels - half], 1)
    y = conv(b, Feature(second, x.channels - half, x.height, x.width), half + 2, 3)
    return Feature(b.node("Concat", [first, y.name], axis=1), 2 * half + 2, x.height, x.width)


@block
def sliced_halves(b, x):
    if x.channels < 2:
        return x
    half = x.channels // 2
    low, high = b.slice(x.name, 0, half, 1), b.slice(x.name, half, 2 * half, 1)
    return Feature(b.node("Add", [low, b.node("Relu", [high])]), half, x.height, x.width)


@block
def focus(b, x):
    """Space to depth by strided slices."""
    if b.opset < 10 or small(x) or x.height % 2 or x.width % 2:
        return x
    corners = [b.slice(b.slice(x.name, i, 9999, 2, 2), j, 9999, 3, 2) for i in (0, 1) for j in (0, 1)]
    y = Feature(b.node("Concat", corners, axis=1), 4 * x.channels, x.height // 2, x.width // 2)
    return conv(b, y, 8, 1)


@block
def max_pool(b, x):
    if small(x):
        return x
    name = b.node("MaxPool", [x.name], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return Feature(name, x.channels, (x.height - 1) // 2 + 1, (x.width - 1) // 2 + 1)


@block
def average_pool(b, x):
    include = int(b.rng.integers(2))
    name = b.node("AveragePool", [x.name], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=include)
    return same(x, name)


@block
def resize_nearest(b, x):
    return Feature(b.resize(x.name, 2, "nearest"), x.channels, 2 * x.height, 2 * x.width)


@block
def resize_linear(b, x):
    return Feature(b.resize(x.name, 2, "linear"), x.channels, 2 * x.height, 2 * x.width)


@block
def depth_to_space(b, x):
    y = conv(b, x, 8, 1)
    return Feature(b.node("DepthToSpace", [y.name], blocksize=2), 2, 2 * x.height, 2 * x.width)


@block
def attention(b, x):
    """Every pixel asks every other one; the products are of two activations."""
    width = 4
    tokens = b.node("Transpose", [b.reshape(x.name, 0, x.channels, -1)], perm=[0, 2, 1])
    query, key, value = (b.node("MatMul", [tokens, b.weights(x.channels, width)]) for _ in range(3))
    scores = b.node("MatMul", [query, b.node("Transpose", [key], perm=[0, 2, 1])])
    scores = b.node("Mul", [scores, b.constant(np.float32(width**-0.5))])
    seen = b.node("MatMul", [b.softmax(scores, 2, 3), value])
    seen = b.node("Add", [b.node("MatMul", [seen, b.weights(width, x.channels)]), b.floats(x.channels, spread=0.1)])
    image = b.reshape(b.node("Transpose", [seen], perm=[0, 2, 1]), 0, x.channels, x.height, x.width)
    return same(x, b.node("Add", [x.name, image]))


@block
def channels_last(b, x):
    """A 1x1 convolution as a product with channels last, normalised where the opset can."""
    y = b.node("Transpose", [x.name], perm=[0, 2, 3, 1])
    if b.opset >= 17 and b.rng.integers(2):
        y = b.node("LayerNormalization", [y, b.floats(x.channels, around=1, spread=0.1), b.floats(x.channels)], axis=-1)
    y = b.node("Add", [b.node("MatMul", [y, b.weights(x.channels, 6)]), b.floats(6, spread=0.2)])
    return Feature(b.node("Transpose", [y], perm=[0, 3, 1, 2]), 6, x.height, x.width)


@block
def constant_on_the_left(b, x):
    rows = b.reshape(x.name, 0, x.channels, -1)
    y = b.node("MatMul", [b.weights(6, x.channels), rows])
    return Feature(b.reshape(y, 0, 6, x.height, x.width), 6, x.height, x.width)


@block
def reshape_by_shape(b, x):
    """The chain that PyTorch exports for `view`: Shape, Gather, Concat, Reshape."""
    batch = b.node("Gather", [b.node("Shape", [x.name]), b.constant(np.array([0], np.int64))], axis=0)
    flat = b.node("Concat", [batch, b.constant(np.array([x.channels, -1], np.int64))], axis=0)
    y = b.node("Relu", [b.node("Reshape", [x.name, flat])])
    back = b.node("Concat", [batch, b.constant(np.array([x.channels, x.height, x.width], np.int64))], axis=0)
    return same(x, b.node("Reshape", [y, back]))


@block
def computed_constants(b, x):
    """Constants behind nodes that only read constants."""
    scale = b.node("Sqrt", [b.node("Mul", [b.constant(np.float32(2)), b.constant(np.float32(0.5))])])
    return same(x, b.node("Mul", [x.name, b.unsqueeze(b.node("Add", [scale, b.floats(x.channels)]), 1, 2)]))


@block
def computed_filter(b, x):
    """A depthwise convolution whose weights depend on the input."""
    mean = b.node("GlobalAveragePool", [x.name])
    weights = b.reshape(mean, x.channels, 1, 1, 1)
    return same(x, b.node("Conv", [x.name, weights], group=x.channels, kernel_shape=[1, 1]))


@block
def where(b, x):
    above = b.node("Greater", [x.name, b.constant(np.zeros((), np.float32))])
    return same(x, b.node("Where", [above, x.name, b.node("Mul", [x.name, b.constant(np.float32(0.3))])]))


@block
def condition(b, x):
    """An If whose branches read values from outside; the first branch is always taken."""
    total = b.reduce_sum(x.name, 0, 1, 2, 3, keepdims=0)
    asked = b.node("Greater", [total, b.constant(np.float32(-1e9))])
    kernel = b.weights(x.channels, x.channels, 1, 1)
    outputs = [f"branch{b.count}_{i}" for i in range(2)]
    bodies = [
        [helper.make_node("Conv", [x.name, kernel], [outputs[0]], kernel_shape=[1, 1])],
        [helper.make_node("Relu", [x.name], [outputs[1]])],
    ]
    graphs = [
        helper.make_graph(nodes, f"branch{i}", [], [helper.make_tensor_value_info(outputs[i], TensorProto.FLOAT, None)])
        for i, nodes in enumerate(bodies)
    ]
    return same(x, b.node("If", [asked], then_branch=graphs[0], else_branch=graphs[1]))
