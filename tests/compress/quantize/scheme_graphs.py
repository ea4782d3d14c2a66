"""Small float networks, one for each pattern that a scheme has an opinion on, and a plain way to quantize them."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compress.quantize.placement import Scale, place
from edgecnn.compress.quantize.plan import make_plan
from edgecnn.compress.quantize.ranges import scale_and_zero, widen

CHANNELS, HEIGHT, WIDTH = 8, 12, 10
FRAMES = 4


class Graph:
    """Layers over a float input `x` of [1, CHANNELS, HEIGHT, WIDTH]; methods take and return names of values."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants = [], {}
        self.inputs = {"x": [1, CHANNELS, HEIGHT, WIDTH]}

    def __call__(self, kind, inputs, outputs=1, **attributes):
        count = len(self.nodes)
        names = [f"v{count}"] if outputs == 1 else [f"v{count}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}{count}", **attributes))
        return names[0] if outputs == 1 else names

    def const(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def random(self, *shape, scale=1.0):
        return (self.rng.normal(size=shape) * scale).astype(np.float32)

    def conv(self, x, outputs=CHANNELS, inputs=CHANNELS, kernel=3, groups=1, *, bias=True, scale=1.0, **attributes):
        shape = (outputs, inputs // groups, *[kernel] * attributes.pop("dims", 2))
        names = [x, self.const(self.random(*shape, scale=scale * np.sqrt(2 / np.prod(shape[1:]))))]
        names += [self.const(self.random(outputs, scale=0.1 * scale))] if bias else []
        pads = [kernel // 2] * (2 * (len(shape) - 2))
        return self("Conv", names, group=groups, pads=pads, kernel_shape=list(shape[2:]), **attributes)

    def model(self, *outputs, opset=17):
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def residual(g):
    x = g("Relu", [g.conv("x")])
    y = g.conv(g("Relu", [g.conv(x)]))
    x = g("Relu", [g("Add", [y, x])])
    return g.conv(x)


def concat(g):
    """Two branches whose ranges differ by a factor of a hundred."""
    x = g("Relu", [g.conv("x")])
    wide, thin = g("Relu", [g.conv(x)]), g("Relu", [g.conv(x, scale=0.01)])
    both = g("Concat", [wide, thin], axis=1)
    return g.conv(both, inputs=2 * CHANNELS), g.conv(thin)


def activation_behind_concat(g):
    x = g("Concat", [g.conv("x"), g.conv("x")], axis=1)
    return g.conv(g("Relu", [x]), inputs=2 * CHANNELS)


def depthwise(g):
    x = g("Clip", [g.conv("x"), g.const(np.float32(0)), g.const(np.float32(6))])
    x = g("Clip", [g.conv(x, groups=CHANNELS), g.const(np.float32(0)), g.const(np.float32(6))])
    return g.conv(x, kernel=1)


def squeeze_excitation(g):
    x = g("Relu", [g.conv("x")])
    gate = g("Relu", [g.conv(g("GlobalAveragePool", [x]), kernel=1)])
    gate = g("Sigmoid", [g.conv(gate, kernel=1)])
    return g.conv(g("Mul", [x, gate]))


def activations(kind, **attributes):
    def build(g):
        extra = [g.const(np.abs(g.random(CHANNELS, 1, 1)))] if kind == "PRelu" else []
        x = g(kind, [g.conv("x"), *extra], **attributes)
        return g.conv(g(kind, [g.conv(x), *extra], **attributes))

    return build


def silu(g):
    x = g.conv("x")
    x = g("Mul", [x, g("Sigmoid", [x])])
    return g.conv(x)


def transposed(groups):
    def build(g):
        x = g("Relu", [g.conv("x")])
        weights = g.const(g.random(CHANNELS, CHANNELS // groups, 2, 2, scale=0.3))
        bias = g.const(g.random(CHANNELS))
        x = g("ConvTranspose", [x, weights, bias], strides=[2, 2], group=groups)
        return g.conv(g("Relu", [x]))

    return build


def resize(mode):
    def build(g):
        x = g("Relu", [g.conv("x")])
        attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        x = g("Resize", [x, "", g.const(np.array([1, 1, 2, 2], np.float32))], mode=mode, **attributes)
        return g.conv(x)

    return build


def pooling(g):
    x = g("MaxPool", [g("Relu", [g.conv("x")])], kernel_shape=[2, 2], strides=[2, 2])
    x = g("AveragePool", [g("Relu", [g.conv(x)])], kernel_shape=[2, 2], strides=[1, 1])
    return g.conv(g("Pad", [x, g.const(np.array([0, 0, 1, 0, 0, 0, 0, 1]))]))


def gemm_head(g):
    x = g("Flatten", [g("GlobalAveragePool", [g("Relu", [g.conv("x")])])])
    x = g("Relu", [g("Gemm", [x, g.const(g.random(CHANNELS, 6)), g.const(g.random(1, 6))], alpha=0.5, beta=2.0)])
    return g("Gemm", [x, g.const(g.random(5, 6)), g.const(g.random(5))], transB=1)


def tokens(g):
    """[1, H * W, CHANNELS] of a convolution."""
    x = g("Reshape", [g.conv("x"), g.const(np.array([1, CHANNELS, -1]))])
    return g("Transpose", [x], perm=[0, 2, 1])


def matmul_head(g):
    x = g("MatMul", [tokens(g), g.const(g.random(CHANNELS, 6))])
    x = g("Add", [x, g.const(g.random(6))])
    return g("MatMul", [g("Relu", [x]), g.const(g.random(1, 6, 5))])


def attention(g):
    x = tokens(g)
    query, key, value = (g("MatMul", [x, g.const(g.random(CHANNELS, CHANNELS, scale=0.3))]) for _ in range(3))
    weights = g("Softmax", [g("MatMul", [query, g("Transpose", [key], perm=[0, 2, 1])])], axis=-1)
    return g("MatMul", [g("MatMul", [weights, value]), g.const(g.random(CHANNELS, CHANNELS))])


def shuffle(g):
    x = g("Relu", [g.conv("x")])
    half = CHANNELS // 2
    left, right = g("Split", [x, g.const(np.array([half, half]))], outputs=2, axis=1)
    right = g("Relu", [g.conv(g.conv(right, half, half, groups=half), half, half, kernel=1)])
    x = g("Concat", [left, right], axis=1)
    x = g("Reshape", [x, g.const(np.array([1, 2, half, HEIGHT, WIDTH]))])
    x = g("Reshape", [g("Transpose", [x], perm=[0, 2, 1, 3, 4]), g.const(np.array([1, CHANNELS, HEIGHT, WIDTH]))])
    return g.conv(x)


def shared_weights(g):
    weights = g.const(g.random(CHANNELS, CHANNELS, 3, 3, scale=0.2))
    first = g("Relu", [g("Conv", ["x", weights], pads=[1] * 4)])
    return g("Conv", [first, weights], pads=[1] * 4)


def constant_operands(g):
    x = g("Mul", [g("Relu", [g.conv("x")]), g.const(np.abs(g.random(1, CHANNELS, 1, 1)))])
    return g.conv(g("Add", [x, g.const(g.random(1, CHANNELS, 1, 1))]))


def outputs_also_read(g):
    x = g("Relu", [g.conv("x")])
    y = g.conv(x)
    return x, y, g("Sigmoid", [g.conv(y)])


def one_dimension(g):
    g.inputs["x"] = [1, CHANNELS, 24]
    return g.conv(g("Relu", [g.conv("x", dims=1)]), dims=1)


def two_inputs(g):
    g.inputs["w"] = [CHANNELS, CHANNELS, 1, 1]
    x = g("Relu", [g.conv("x")])
    return g.conv(g("Conv", [x, "w"]))


def float_between(g):
    """Ops that no scheme knows, before, between and behind."""
    x = g("Relu", [g.conv(g("Softplus", ["x"]))])
    x = g.conv(g("Erf", [x]))
    return g("Softsign", [x])


GRAPHS = {
    "residual": residual,
    "concat": concat,
    "activation_behind_concat": activation_behind_concat,
    "depthwise": depthwise,
    "squeeze_excitation": squeeze_excitation,
    "prelu": activations("PRelu"),
    "leaky": activations("LeakyRelu", alpha=0.1),
    "hardswish": activations("HardSwish"),
    "hardsigmoid": activations("HardSigmoid"),
    "elu": activations("Elu"),
    "silu": silu,
    "transposed": transposed(1),
    "transposed_groups": transposed(2),
    "nearest": resize("nearest"),
    "linear": resize("linear"),
    "pooling": pooling,
    "gemm_head": gemm_head,
    "matmul_head": matmul_head,
    "attention": attention,
    "shuffle": shuffle,
    "shared_weights": shared_weights,
    "constant_operands": constant_operands,
    "outputs_also_read": outputs_also_read,
    "one_dimension": one_dimension,
    "two_inputs": two_inputs,
    "float_between": float_between,
}


def graph(name, opset=17):
    g = Graph()
    outputs = GRAPHS[name](g)
    return g.model(*([outputs] if isinstance(outputs, str) else outputs), opset=opset)


def feeds_of(model, count=FRAMES, seed=1):
    rng = np.random.default_rng(seed)
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    return [{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()} for _ in range(count)]


def run(model, feeds, *, optimized=True, wanted=None):
    """The named outputs (default: all) of each frame in ONNX Runtime."""
    levels, options = onnxruntime.GraphOptimizationLevel, onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    # It rounds biases that the model keeps in float, at a scale that float16 may not hold.
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["WeightBiasQuantization"],
    )
    return [session.run(wanted, frame) for frame in feeds]


def quantized(model, scheme, keep_float=(), cache=None):
    """The model under the scheme with the least ranges that hold all values, and its plan."""
    work = ir.from_proto(model)
    plan = make_plan(work, scheme, keep_float)
    if not plan.nodes:
        return None, plan
    place(work, scheme, plan, scales_for(spans_of(model, plan), plan, scheme), cache)
    return ir.to_proto(work), plan


def spans_of(model, plan):
    """Least and greatest value of each of the plan's tensors."""
    names = list(plan.tensors)
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    seen = zip(*run(exposed, feeds_of(model)), strict=True)
    return {name: (float(np.min(all_of)), float(np.max(all_of))) for name, all_of in zip(names, seen, strict=True)}


def scales_for(spans, plan, scheme):
    scales = {}
    for group in plan.groups():
        low, high = min(spans[name][0] for name in group), max(spans[name][1] for name in group)
        form = scheme.nonnegative if low >= 0 else scheme.activation
        scale, zero = scale_and_zero(*widen(low, high, form), form)
        scales.update(dict.fromkeys(group, Scale(scale, zero, form.dtype)))
    return scales
