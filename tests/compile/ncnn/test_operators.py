"""Every operator that is carried over, against ONNX Runtime: one line of ONNX's text a case."""

import pytest
from onnx_text import compare, parsed

from edgecnn.compile.ncnn.translate import OPERATORS

PICTURE = "(float[1,6,7,9] x)"
SAME = f"{PICTURE} => (float[1,6,7,9] y)"
FUNCTIONS = {
    **{
        name: f"y = {name}(x)"
        for name in (
            *("Relu", "Sigmoid", "Tanh", "Softplus", "Erf", "Abs", "Neg", "Floor", "Ceil", "Exp", "Sin", "Cos", "Atan"),
            *("Round", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "HardSwish", "Mish", "Identity"),
        )
    },
    "Sqrt": "p = Abs(x) y = Sqrt(p)",
    "Log": "p = Exp(x) y = Log(p)",
    "Reciprocal": "p = Exp(x) y = Reciprocal(p)",
    "Asin": "p = Tanh(x) y = Asin(p)",
    "Acos": "p = Tanh(x) y = Acos(p)",
    "Tan": "p = Sigmoid(x) y = Tan(p)",
    "LeakyRelu steep": "y = LeakyRelu <alpha = 0.3> (x)",
    "HardSigmoid as torch's": "y = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)",
    "Clip": "lo = Constant <value = float {-0.5}> () hi = Constant <value = float {0.7}> () y = Clip(x, lo, hi)",
    "Clip one end": "lo = Constant <value = float {-0.5}> () y = Clip(x, lo)",
    "Swish by hand": "s = Sigmoid(x) y = Mul(x, s)",
    "Dropout": "y = Dropout(x)",
    "Cast": "y = Cast <to = 1> (x)",
}
GRAPHS = {
    **{name: f"{SAME} {{ {body} }}" for name, body in FUNCTIONS.items()},
    "Gelu": f"{SAME} {{ y = Gelu(x) }}",
    "Gelu by tanh": f'{SAME} {{ y = Gelu <approximate = "tanh"> (x) }}',
    "Swish": f"{SAME} {{ y = Swish(x) }}",
    "PRelu": "(float[1,6,7,9] x, float[6,1,1] w) => (float[1,6,7,9] y) { y = PRelu(x, w) }",
    "PRelu one": "(float[1,6,7,9] x, float[1] w) => (float[1,6,7,9] y) { y = PRelu(x, w) }",
    "BatchNormalization": "(float[1,6,7,9] x, float[6] w1, float[6] w2, float[6] w3, float[6] wp) => (float[1,6,7,9] y)"
    " { y = BatchNormalization(x, w1, w2, w3, wp) }",
    "InstanceNormalization": "(float[1,6,7,9] x, float[6] w1, float[6] w2) => (float[1,6,7,9] y)"
    " { y = InstanceNormalization(x, w1, w2) }",
    "LayerNormalization": "(float[1,7,9,6] x, float[6] w1, float[6] w2) => (float[1,7,9,6] y)"
    " { y = LayerNormalization <axis = -1, epsilon = 0.000001> (x, w1, w2) }",
    "LayerNormalization of all": "(float[1,7,9,6] x, float[7,9,6] w1, float[7,9,6] w2) => (float[1,7,9,6] y)"
    " { y = LayerNormalization <axis = 1> (x, w1, w2) }",
    "GroupNormalization": "(float[1,6,7,9] x, float[6] w1, float[6] w2) => (float[1,6,7,9] y)"
    " { y = GroupNormalization <num_groups = 3> (x, w1, w2) }",
}
NEWER = {"Gelu": 20, "Gelu by tanh": 20, "Swish": 24, "GroupNormalization": 21}


def conv(kernel, **attributes):
    out, size, group = attributes.pop("out", 8), attributes.pop("size", (7, 9)), attributes.get("group", 1)
    given = ", ".join(f"{key} = {value}" for key, value in {"kernel_shape": list(kernel), **attributes}.items())
    return (
        f"(float[1,6,{size[0]},{size[1]}] x, float[{out},{6 // group},{kernel[0]},{kernel[1]}] w, float[{out}] wb)"
        f" => (float[1,?,?,?] y) {{ y = Conv <{given}> (x, w, wb) }}"
    ).replace("'", '"')


CONVOLUTIONS = {
    "1x1": conv((1, 1)),
    "3x3": conv((3, 3), pads=[1, 1, 1, 1]),
    "3x3 stride 2": conv((3, 3), pads=[1, 1, 1, 1], strides=[2, 2]),
    "5x3 uneven": conv((5, 3), pads=[2, 0, 1, 2], strides=[1, 2]),
    "dilated": conv((3, 3), pads=[2, 3, 2, 3], dilations=[2, 3]),
    "depthwise": conv((3, 3), out=6, group=6, pads=[1, 1, 1, 1]),
    "depthwise twice": conv((3, 3), out=12, group=6, pads=[1, 1, 1, 1], strides=[2, 2]),
    "groups": conv((3, 3), out=8, group=2, pads=[1, 1, 1, 1]),
    "same upper": conv((4, 3), auto_pad='"SAME_UPPER"', strides=[2, 2]),
    "same lower": conv((4, 3), auto_pad='"SAME_LOWER"', strides=[2, 2]),
    "valid": conv((3, 3), auto_pad='"VALID"'),
    "one pixel": conv((1, 1), size=(1, 1)),
}
TURNED = (
    "(float[1,6,5,4] x, float[6,{size},{k},{k}] w, float[{out}] wb) => (float[1,?,?,?] y)"
    " {{ y = ConvTranspose <{a}> (x, w, wb) }}"
)
GRAPHS |= {f"Conv {name}": text for name, text in CONVOLUTIONS.items()}
GRAPHS |= {
    "Conv without bias": "(float[1,6,7,9] x, float[8,6,3,3] w) => (float[1,8,5,7] y) { y = Conv(x, w) }",
    "Conv 1-D": "(float[1,6,19] x, float[8,3,3] w, float[8] wb) => (float[1,8,10] y)"
    " { y = Conv <pads = [1, 1], strides = [2], group = 2> (x, w, wb) }",
    "Conv of a mean": "(float[1,6,7,9] x, float[8,6,1,1] w, float[6,8,1,1] wb) => (float[1,6,7,9] y)"
    " { m = GlobalAveragePool(x) c = Conv(m, w) r = Relu(c) d = Conv(r, wb) s = Sigmoid(d) y = Mul(x, s) }",
    "ConvTranspose": TURNED.format(size=8, out=8, k=2, a="strides = [2, 2]"),
    "ConvTranspose 4": TURNED.format(size=8, out=8, k=4, a="strides = [2, 2], pads = [1, 1, 1, 1]"),
    "ConvTranspose 3": TURNED.format(
        size=8, out=8, k=3, a="strides = [2, 2], pads = [1, 0, 1, 1], output_padding = [1, 1]"
    ),
    "ConvTranspose groups": TURNED.format(size=4, out=8, k=3, a="strides = [2, 2], group = 2"),
    "ConvTranspose depthwise": TURNED.format(size=1, out=6, k=4, a="strides = [2, 2], pads = [1, 1, 1, 1], group = 6"),
    "ConvTranspose same": TURNED.format(size=8, out=8, k=3, a='strides = [2, 2], auto_pad = "SAME_UPPER"'),
}
POOLS = {
    "MaxPool 2": "MaxPool <kernel_shape = [2, 2], strides = [2, 2]>",
    "MaxPool 3": "MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>",
    "MaxPool uneven": "MaxPool <kernel_shape = [3, 2], strides = [1, 2], pads = [0, 1, 2, 0]>",
    "MaxPool to the end": "MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>",
    "MaxPool over the end": "MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1>",
    "AveragePool 2": "AveragePool <kernel_shape = [2, 2], strides = [2, 2]>",
    "AveragePool 3": "AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>",
    "AveragePool counted": "AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>",
    "AveragePool uneven": "AveragePool <kernel_shape = [3, 2], pads = [1, 0, 0, 1], strides = [2, 1]>",
    "AveragePool to the end": "AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>",
    "GlobalAveragePool": "GlobalAveragePool",
    "GlobalMaxPool": "GlobalMaxPool",
}
GRAPHS |= {name: f"{PICTURE} => (float[1,?,?,?] y) {{ y = {body}(x) }}" for name, body in POOLS.items()}


def with_constants(body, result, shape="1,6,7,9", **constants):
    made = " ".join(
        f"{name} = Constant <value = {'float' if any(isinstance(v, float) for v in value) else 'int64'}[{len(value)}] "
        f"{{{', '.join(str(v) for v in value)}}}> ()"
        for name, value in constants.items()
    )
    return f"(float[{shape}] x) => (float[{result}] y) {{ {made} {body} }}"


GRAPHS |= {
    "ReduceMean picture": with_constants("y = ReduceMean <keepdims = 0> (x, a)", "1,6", a=[2, 3]),
    "ReduceMean channels": with_constants("y = ReduceMean(x, a)", "1,1,7,9", a=[1]),
    "ReduceSum rows": with_constants("y = ReduceSum(x, a)", "1,6,1,9", a=[-2]),
    "ReduceMax all": with_constants("y = ReduceMax <keepdims = 0> (x, a)", "1", a=[1, 2, 3]),
    "ReduceMin": with_constants("y = ReduceMin <keepdims = 0> (x, a)", "1,6,7", a=[3]),
    "ReduceL2": with_constants("y = ReduceL2(x, a)", "1,1,7,9", a=[1]),
    "ReduceSumSquare": with_constants("y = ReduceSumSquare(x, a)", "1,6,1,1", a=[2, 3]),
    "ReduceL1": with_constants("y = ReduceL1(x, a)", "1,6,1,1", a=[2, 3]),
    "ReduceProd": with_constants("y = ReduceProd(x, a)", "1,1,7,9", a=[1]),
    "ReduceLogSumExp": with_constants("y = ReduceLogSumExp(x, a)", "1,1,7,9", a=[1]),
    "ReduceLogSum": with_constants("p = Exp(x) y = ReduceLogSum(p, a)", "1,1,7,9", a=[1]),
    "Softmax channels": f"{SAME} {{ y = Softmax <axis = 1> (x) }}",
    "Softmax columns": f"{SAME} {{ y = Softmax <axis = -1> (x) }}",
    "LogSoftmax": f"{SAME} {{ y = LogSoftmax <axis = 2> (x) }}",
    "Reshape": with_constants("y = Reshape(x, s)", "1,3,14,9", s=[1, 3, 14, 9]),
    "Reshape and on": with_constants("r = Reshape(x, s) y = Relu(r)", "1,42,9", s=[1, -1, 9]),
    "Flatten": f"{PICTURE} => (float[1,378] y) {{ y = Flatten(x) }}",
    "Squeeze": with_constants("y = Squeeze(x, a)", "6,7,9", a=[0]),
    "Unsqueeze": with_constants("y = Unsqueeze(x, a)", "1,6,1,7,9", a=[2]),
    "Transpose": f"{PICTURE} => (float[1,7,9,6] y) {{ y = Transpose <perm = [0, 2, 3, 1]> (x) }}",
    "Transpose rows": f"{PICTURE} => (float[1,6,9,7] y) {{ y = Transpose <perm = [0, 1, 3, 2]> (x) }}",
    "Transpose all": f"{PICTURE} => (float[9,7,6,1] y) {{ y = Transpose <perm = [3, 2, 1, 0]> (x) }}",
    "Transpose 5": "(float[1,2,3,4,5] x) => (float[1,4,2,5,3] y) { y = Transpose <perm = [0, 3, 1, 4, 2]> (x) }",
    "Transpose matrix": "(float[6,5] x) => (float[5,6] y) { y = Transpose <perm = [1, 0]> (x) }",
    "channel shuffle": with_constants(
        "a = Reshape(x, s) b = Transpose <perm = [0, 2, 1, 3, 4]> (a) c = Reshape(b, t) y = Relu(c)",
        "1,6,7,9",
        s=[1, 2, 3, 7, 9],
        t=[1, 6, 7, 9],
    ),
    "attention": "(float[1,5,8] x, float[8,24] w) => (float[1,5,8] y) {"
    " q = MatMul(x, w) a, b, c = Split <axis = 2, num_outputs = 3> (q) t = Transpose <perm = [0, 2, 1]> (b)"
    " s = MatMul(a, t) p = Softmax <axis = -1> (s) y = MatMul(p, c) }",
    "Concat": "(float[1,6,7,9] x, float[1,2,7,9] z) => (float[1,8,7,9] y) { y = Concat <axis = 1> (x, z) }",
    "Concat columns": f"{PICTURE} => (float[1,6,7,18] y) {{ r = Relu(x) y = Concat <axis = -1> (x, r) }}",
    "Concat frames": f"{PICTURE} => (float[2,6,7,9] y) {{ r = Relu(x) y = Concat <axis = 0> (x, r) }}",
    "Concat constant": "(float[1,6,7,9] x, float[1,2,7,9] w) => (float[1,8,7,9] y) { y = Concat <axis = 1> (w, x) }",
    "Split": f"{PICTURE} => (float[1,2,7,9] y, float[1,4,7,9] z)"
    " { s = Constant <value = int64[2] {2, 4}> () y, z = Split <axis = 1> (x, s) }",
    "Split columns": f"{PICTURE} => (float[1,6,7,3] y, float[1,6,7,3] z)"
    " { y, u, z = Split <axis = 3, num_outputs = 3> (x) }",
    "Slice": with_constants("y = Slice(x, s, e, a)", "1,3,7,8", s=[1, 0], e=[4, -1], a=[1, 3]),
    "Slice steps": with_constants("y = Slice(x, s, e, a, t)", "1,6,3,4", s=[1, 0], e=[7, 8], a=[2, 3], t=[2, 2]),
    "Slice last step short": with_constants("y = Slice(x, s, e, a, t)", "1,6,4,9", s=[0], e=[99], a=[2], t=[2]),
    "Slice backwards": with_constants(
        "y = Slice(x, s, e, a, t)", "1,6,7,9", s=[-1], e=[-9223372036854775807], a=[1], t=[-1]
    ),
    "Gather": with_constants("y = Gather <axis = 1> (x, i)", "1,4,7,9", i=[5, 0, 1, 1]),
    "Gather one": f"{PICTURE} => (float[1,7,9] y)"
    " { i = Constant <value = int64 {-1}> () y = Gather <axis = 1> (x, i) }",
    "Pad": with_constants("y = Pad(x, p)", "1,6,10,12", p=[0, 0, 1, 2, 0, 0, 2, 1]),
    "Pad edge": with_constants('y = Pad <mode = "edge"> (x, p)', "1,6,10,12", p=[0, 0, 1, 2, 0, 0, 2, 1]),
    "Pad reflect": with_constants('y = Pad <mode = "reflect"> (x, p)', "1,6,10,12", p=[0, 0, 1, 2, 0, 0, 2, 1]),
    "Pad channels": with_constants("y = Pad(x, p)", "1,8,7,9", p=[0, 1, 0, 0, 0, 1, 0, 0]),
    "Expand": "(float[1,6,1,1] x) => (float[1,6,7,9] y)"
    " { s = Constant <value = int64[4] {1, 6, 7, 9}> () y = Expand(x, s) }",
    "Tile": with_constants("y = Tile(x, r)", "1,12,7,27", r=[1, 2, 1, 3]),
    "DepthToSpace": "(float[1,12,4,5] x) => (float[1,3,8,10] y) { y = DepthToSpace <blocksize = 2> (x) }",
    "DepthToSpace CRD": "(float[1,12,4,5] x) => (float[1,3,8,10] y)"
    ' { y = DepthToSpace <blocksize = 2, mode = "CRD"> (x) }',
    "SpaceToDepth": "(float[1,3,8,10] x) => (float[1,12,4,5] y) { y = SpaceToDepth <blocksize = 2> (x) }",
    "Gemm": "(float[1,20] x, float[7,20] w, float[7] wb) => (float[1,7] y) { y = Gemm <transB = 1> (x, w, wb) }",
    "Gemm scaled": "(float[3,20] x, float[20,7] w, float[1,7] wb) => (float[3,7] y)"
    " { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, wb) }",
    "MatMul": "(float[1,5,20] x, float[20,7] w) => (float[1,5,7] y) { y = MatMul(x, w) }",
    "MatMul from the left": "(float[1,4,8,20] x, float[12,8] w) => (float[1,4,12,20] y) { y = MatMul(w, x) }",
    "MatMul repeated": "(float[1,4,8,20] x, float[1,1,20,3] z) => (float[1,4,8,3] y) { y = MatMul(x, z) }",
    "MatMul two": "(float[1,2,5,20] x, float[1,2,20,7] z) => (float[1,2,5,7] y) { y = MatMul(x, z) }",
}


def resize(result, scales=None, sizes=None, **attributes):
    given = ", ".join(f'{key} = "{value}"' for key, value in attributes.items())
    constants = {"s": scales} if scales else {"z": sizes}
    body = f"y = Resize <{given}> (x, , s)" if scales else f"y = Resize <{given}> (x, , , z)"
    return with_constants(body, result, **constants)


GRAPHS |= {
    "Resize nearest": resize(
        "1,6,14,18", [1.0, 1.0, 2.0, 2.0], coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    ),
    "Resize nearest half": resize("1,6,21,27", [1.0, 1.0, 3.0, 3.0], mode="nearest"),
    "Resize linear": resize("1,6,14,18", [1.0, 1.0, 2.0, 2.0], mode="linear"),
    "Resize linear sizes": resize("1,6,5,20", sizes=[1, 6, 5, 20], mode="linear"),
    "Resize corners": resize(
        "1,6,14,18", sizes=[1, 6, 14, 18], mode="linear", coordinate_transformation_mode="align_corners"
    ),
    "Resize cubic": resize("1,6,14,18", sizes=[1, 6, 14, 18], mode="cubic"),
    "Resize of one pixel": "(float[1,6,1,1] x) => (float[1,6,7,9] y)"
    ' { z = Constant <value = int64[4] {1, 6, 7, 9}> () y = Resize <mode = "linear"> (x, , , z) }',
    "Resize of one row": "(float[1,6,1,9] x) => (float[1,6,7,18] y)"
    ' { z = Constant <value = int64[4] {1, 6, 7, 18}> () y = Resize <mode = "linear"> (x, , , z) }',
    "Resize 1-D": "(float[1,6,9] x) => (float[1,6,18] y)"
    ' { z = Constant <value = int64[3] {1, 6, 18}> () y = Resize <mode = "linear"> (x, , , z) }',
    "Resize smaller": resize("1,6,3,4", sizes=[1, 6, 3, 4], mode="linear"),
    "Resize cubic smaller": resize("1,6,4,5", sizes=[1, 6, 4, 5], mode="cubic"),
    "Resize to itself": resize("1,6,7,9", sizes=[1, 6, 7, 9], mode="linear"),
}
SIDES = {
    "same": "1,6,7,9",
    "channel": "1,6,1,1",
    "row": "1,1,7,1",
    "column": "9",
    "pixel": "7,9",
    "one": "1",
    "plane": "1,1,7,9",
}
GRAPHS |= {
    f"{kind} {name}": f"(float[1,6,7,9] x, float[{shape}] {right}) => (float[1,6,7,9] y) {{ y = {kind}(x, {right}) }}"
    for name, shape in SIDES.items()
    for kind, right in (("Add", "z"), ("Sub", "w"), ("Mul", "w"), ("Max", "z"), ("Min", "w"))
}
GRAPHS |= {
    "Sub from one": f"{SAME} {{ c = Constant <value = float {{2.0}}> () y = Sub(c, x) }}",
    "Div": "(float[1,6,7,9] x, float[1,6,1,1] wp) => (float[1,6,7,9] y) { y = Div(x, wp) }",
    "Div of one": f"{SAME} {{ e = Exp(x) c = Constant <value = float {{2.0}}> () y = Div(c, e) }}",
    "Pow": f"{SAME} {{ e = Exp(x) c = Constant <value = float {{1.5}}> () y = Pow(e, c) }}",
    "Pow 2": f"{SAME} {{ c = Constant <value = float {{2.0}}> () y = Pow(x, c) }}",
    "Sum": f"{SAME} {{ r = Relu(x) s = Sigmoid(x) y = Sum(x, r, s) }}",
    "Mean": f"{SAME} {{ r = Relu(x) s = Sigmoid(x) y = Mean(x, r, s) }}",
    "Add outer": "(float[1,6,1,1] x, float[1,1,7,9] z) => (float[1,6,7,9] y) { y = Add(x, z) }",
    "Mul of lower rank": "(float[1,6,7,9] x, float[7,9] z) => (float[1,6,7,9] y) { y = Mul(z, x) }",
    "twice the same": f"{SAME} {{ y = Add(x, x) }}",
    "an input as output": f"{SAME} {{ y = Identity(x) }}",
    "outputs inside": f"{PICTURE} => (float[1,6,7,9] y, float[1,6,7,9] r)"
    " { r = Relu(x) s = Sigmoid(r) y = Add(r, s) }",
}


@pytest.mark.parametrize("name", GRAPHS)
def test_an_operator_computes_what_onnx_says(name):
    compare(parsed(GRAPHS[name], NEWER.get(name, 18)))


def test_every_operator_has_a_case():
    text = " ".join(GRAPHS.values()).replace("(", " ").replace("<", " ").split()
    apart = {"Upsample", "QuantizeLinear", "DequantizeLinear"}
    assert set(OPERATORS) - apart <= set(text)
