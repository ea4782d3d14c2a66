"""Random small convolutional networks as ONNX graphs of any opset, and mutants of them.

A `Recipe` is plain data and `build` a function of it: what a failing test prints is all that is needed to build the
graph again. Every graph runs in ONNX Runtime.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from graph_activations import ACTIVATIONS
from graph_blocks import BLOCKS, conv
from graph_builder import Builder, Feature, same
from graph_mutations import MUTATIONS
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH, CHANNELS = 10, 12, 3
OPSETS = (9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
"""From the first with today's Cast and BatchNormalization to the newest that ONNX Runtime 1.31 runs."""
PARTS = {**BLOCKS, **ACTIVATIONS}
HEADS = ("none", "gemm", "gemm_untransposed", "gemm_scaled", "matmul", "conv_sigmoid", "softmax", "argmax", "flat_gemm")
DRESSES = ("constant_nodes", "initializers_as_inputs", "dynamic_batch", "nameless", "no_shapes")


@dataclass(frozen=True)
class Recipe:
    """A network: `parts` in order, a head, and how it is dressed up.

    Attributes:
        seed: of weights and of each part's details.
        taps: numbers of parts whose results are outputs too.
        second: a second input: another image, a vector that scales channels, or none.
        dress: what is done to the graph as a whole.
        mutations: names of mutations with their seeds, applied in order where the result is valid.
    """

    seed: int = 0
    opset: int = 17
    parts: tuple[str, ...] = ("conv_relu",)
    head: str = "gemm"
    taps: tuple[int, ...] = ()
    second: str = ""
    dress: tuple[str, ...] = ()
    mutations: tuple[tuple[str, int], ...] = ()


def recipes(*, mutated=True, opsets=OPSETS):
    """Return a strategy of recipes, of small ones first."""
    return st.builds(
        Recipe,
        seed=st.integers(0, 2**16),
        opset=st.sampled_from(opsets),
        parts=st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=6).map(tuple),
        head=st.sampled_from(HEADS),
        taps=st.sets(st.integers(0, 4), max_size=2).map(lambda taps: tuple(sorted(taps))),
        second=st.sampled_from(["", "", "image", "vector"]),
        dress=st.sets(st.sampled_from(DRESSES), max_size=2).map(lambda names: tuple(sorted(names))),
        mutations=st.lists(
            st.tuples(st.sampled_from(sorted(MUTATIONS)), st.integers(0, 99)), max_size=3 if mutated else 0
        ).map(tuple),
    )


def build(recipe: Recipe) -> onnx.ModelProto:
    """Return the network of `recipe`; mutations that would make it invalid are left out."""
    b = Builder(recipe.opset)
    b.rng = np.random.default_rng([recipe.seed, 0])
    inputs, x = _stem(b, recipe.second)
    outputs = []
    for number, name in enumerate(recipe.parts, 1):
        b.rng = np.random.default_rng([recipe.seed, number])
        # A network starts with a convolution; a part that makes too much of too little is left out.
        if x.height * x.width * x.channels < 6000 or not name.startswith(("resize", "conv_transpose", "depth")):
            x = PARTS[name](b, x)
        if number - 1 in recipe.taps and x.name not in outputs and not x.name.startswith("image"):
            outputs.append(x.name)
    b.rng = np.random.default_rng([recipe.seed, 99])
    last = _head(b, x, recipe.head)
    model = _model(b, inputs, [last, *(name for name in outputs if name != last)], recipe)
    for name, seed in recipe.mutations:
        mutant = MUTATIONS[name](model, np.random.default_rng(seed))
        model = mutant if mutant is not None and _sound(mutant) else model
    return model


def feeds(model: onnx.ModelProto, count: int, seed: int = 0):
    """Yield `count` smooth random inputs of `model`, batch 1: blobs, with noise."""
    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for _ in range(count):
        frame = {}
        for value in inputs:
            shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            array = rng.normal(0, 0.2, shape)
            if len(shape) == 4:
                coarse = rng.normal(0, 1, (*shape[:2], -(-shape[2] // 3), -(-shape[3] // 3)))
                array += coarse.repeat(3, 2).repeat(3, 3)[:, :, : shape[2], : shape[3]]
            frame[value.name] = array.astype(np.float32)
        yield frame


def answers(model: onnx.ModelProto, frames, *, optimised=True) -> list[dict[str, np.ndarray]]:
    """Return what ONNX Runtime makes of each of `frames`, by output name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return [dict(zip(names, session.run(names, frame), strict=True)) for frame in frames]


def _stem(b: Builder, second: str):
    """Return the inputs and the first feature: a convolution of the image, joined with the second input."""
    inputs = [("image", [1, CHANNELS, HEIGHT, WIDTH])]
    x = conv(b, Feature("image", CHANNELS, HEIGHT, WIDTH), 6, 3)
    if second == "image":
        inputs.append(("depth", [1, 1, HEIGHT, WIDTH]))
        y = conv(b, Feature("depth", 1, HEIGHT, WIDTH), 6, 3)
        x = same(x, b.node("Add", [x.name, y.name]))
    elif second == "vector":
        inputs.append(("speed", [1, 4]))
        gains = b.node("Gemm", ["speed", b.weights(6, 4), b.floats(6, around=1)], transB=1)
        x = same(x, b.node("Mul", [x.name, b.unsqueeze(gains, 2, 3)]))
    return inputs, x


def _head(b: Builder, x: Feature, head: str) -> str:
    if head == "none":
        return x.name
    if head in {"conv_sigmoid", "softmax", "argmax"}:
        y = conv(b, x, 4, 1).name
        if head == "argmax":
            return b.node("ArgMax", [y], axis=1)
        return b.node("Sigmoid", [y]) if head == "conv_sigmoid" else b.softmax(y, 1, 4)
    size = x.channels
    if head == "flat_gemm" and x.channels * x.height * x.width < 3000:
        flat, size = b.node("Flatten", [x.name], axis=1), x.channels * x.height * x.width
    elif head == "matmul":
        flat = b.squeeze(b.node("GlobalAveragePool", [x.name]), 2, 3)
        return b.node("Add", [b.node("MatMul", [flat, b.weights(size, 5)]), b.floats(5, spread=0.2)])
    else:
        flat = b.reshape(b.node("GlobalAveragePool", [x.name]), -1, x.channels)
    if head == "gemm_untransposed":
        return b.node("Gemm", [flat, b.weights(size, 5), b.floats(5, spread=0.2)])
    scaled = {"alpha": 0.5, "beta": 2.0} if head == "gemm_scaled" else {}
    return b.node("Gemm", [flat, b.weights(5, size), b.floats(5, spread=0.2)], transB=1, **scaled)


def _model(b: Builder, inputs, outputs: list[str], recipe: Recipe) -> onnx.ModelProto:
    dress = recipe.dress
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    constants = [numpy_helper.from_array(array, name) for name, array in b.constants.items()]
    nodes = b.nodes
    if "constant_nodes" in dress:
        nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in constants] + nodes
        constants = []
    if "nameless" in dress:
        for node in nodes:
            node.name = ""
    types = {
        name: TensorProto.INT64 if recipe.head == "argmax" and i == 0 else TensorProto.FLOAT
        for i, name in enumerate(outputs)
    }
    graph = helper.make_graph(
        nodes, "net", given, [helper.make_tensor_value_info(n, t, None) for n, t in types.items()], constants
    )
    as_inputs = "initializers_as_inputs" in dress
    if as_inputs:
        graph.input.extend(helper.make_tensor_value_info(c.name, c.data_type, list(c.dims)) for c in constants)
    # IR 3 is what the files of old exporters have; it wants every initializer among the inputs.
    old = as_inputs and recipe.opset < 10
    opset = helper.make_opsetid("", recipe.opset)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=3 if old else 8 if recipe.opset < 20 else 10)
    inferred = onnx.shape_inference.infer_shapes(model)
    _measure_outputs(inferred)
    if "no_shapes" not in dress:
        model = inferred
    else:
        del model.graph.output[:]
        model.graph.output.extend(inferred.graph.output)
    if "dynamic_batch" in dress:
        _free_batch(model)
    onnx.checker.check_model(model)
    return model


def _measure_outputs(model: onnx.ModelProto) -> None:
    """Give outputs whose shape inference missed the shape that ONNX Runtime finds."""
    if all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
        return
    found = answers(model, feeds(model, 1))[0]
    for value in model.graph.output:
        value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto())
        value.type.tensor_type.shape.dim.extend(
            onnx.TensorShapeProto.Dimension(dim_value=size) for size in found[value.name].shape
        )


def _free_batch(model: onnx.ModelProto) -> None:
    """Give the batch a name, as exporters do, and forget what depended on it."""
    del model.graph.value_info[:]
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output]:
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"


def _sound(model: onnx.ModelProto) -> bool:
    """Whether the model is valid and gives finite numbers."""
    try:
        onnx.checker.check_model(model)
        found = answers(model, feeds(model, 1))
    except Exception:  # noqa: BLE001 - what a mutation broke, in whatever words
        return False
    return all(np.isfinite(array).all() for frame in found for array in frame.values())
