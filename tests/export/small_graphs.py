"""Small ONNX graphs for tests, and what they answer."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

node = helper.make_node


def model_of(
    nodes, constants=None, shape=(1, 3, 8, 8), outputs=("y",), opset=17, dtype=onnx.TensorProto.FLOAT, **fields
):
    """A model with input x; outputs as ONNX infers them. `fields` go into `make_graph`."""
    ir_version = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8}.get(opset, 10)
    graph = helper.make_graph(
        nodes,
        "g",
        fields.pop("inputs", None) or [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, fields.get("out_type", onnx.TensorProto.FLOAT), None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )
    if ir_version < 4:
        graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in fields.get("domains", ()))]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    return onnx.shape_inference.infer_shapes(proto)


def answers(proto, feeds, *, optimize=False):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def assert_same(before, after, feeds, limit=1e-5):
    """Both give the same outputs; the original without an optimizer, the other with it, as it will be run."""
    expected, found = answers(before, feeds), answers(after, feeds, optimize=True)
    assert len(expected) == len(found)
    for one, other in zip(expected, found, strict=True):
        assert one.shape == other.shape
        assert np.linalg.norm(one.astype(float) - other) <= limit * max(np.linalg.norm(one.astype(float)), 1e-3)


def pixels(shape=(1, 3, 8, 8), seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def conv_weights(outputs=4, inputs=3, kernel=3, seed=1):
    return np.random.default_rng(seed).normal(0, 0.3, (outputs, inputs, kernel, kernel)).astype(np.float32)


def operators(proto):
    return [entry.op_type for entry in proto.graph.node]
