"""Small ONNX graphs for the LiteRT compiler's tests, run in LiteRT and in ONNX Runtime."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compile.litert_from_onnx import compile_model
from edgecnn.compile.specs import tensor_specs
from edgecnn.runtime.engines import litert, onnxruntime

IMAGE = [1, 6, 9, 11]


class Graph:
    """Adds nodes and constants; `node` returns the name of what it gives."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def floats(self, *shape, spread=0.4):
        return self.constant((self.rng.standard_normal(shape) * spread).astype(np.float32))

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int64))

    def node(self, kind, inputs, *, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}" + ("" if i == 0 else f"_{i}") for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def rounded(self, value, scale, zero=0, dtype=np.int8):
        pair = [self.constant(np.float32(scale)), self.constant(dtype(zero))]
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [value, *pair]), *pair])

    def int8_weights(self, array, axis=0):
        """Return int8 weights behind DequantizeLinear, one scale a channel."""
        rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
        scale = (np.abs(rows).max(1) / 127).astype(np.float32)
        shape = [1] * array.ndim
        shape[axis] = -1
        stored = np.round(array / scale.reshape(shape)).astype(np.int8)
        pair = [self.constant(scale), self.constant(np.zeros(len(scale), np.int8))]
        return self.node("DequantizeLinear", [self.constant(stored), *pair], axis=axis)

    def model(self, outputs, inputs=None, opset=19):
        inputs = inputs or {"x": (TensorProto.FLOAT, IMAGE)}
        given = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
        outputs = [outputs] if isinstance(outputs, str) else outputs
        made = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", given, made, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        # Shape inference fills in the outputs' types.
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred, full_check=True)
        return inferred


def flatbuffer(model, folder, precision="fp32"):
    source = folder / "model.onnx"
    onnx.save(model, source)
    return compile_model(source, folder / "out", precision).files[0].read_bytes()


def engines(model, folder, precision="fp32"):
    """Return LiteRT with the compiled model, and ONNX Runtime computing Q/DQ as the graph says."""
    inputs, outputs = tensor_specs(model)
    data = flatbuffer(model, folder, precision)
    return (
        litert.open_engine({"model.tflite": data}, inputs, outputs, {"threads": 1}),
        onnxruntime.open_engine(
            {"model.onnx": model.SerializeToString()}, inputs, outputs, {"threads": 1, "integer_kernels": False}
        ),
    )


def feeds(engine, seed=0):
    rng = np.random.default_rng(seed)
    return {
        spec.name: rng.integers(0, 256, spec.shape, np.uint8)
        if spec.dtype == "uint8"
        else rng.standard_normal(spec.shape).astype(spec.dtype)
        for spec in engine.inputs
    }


def expect_the_same(model, folder, *, atol=2e-5, precision="fp32"):
    ours, theirs = engines(model, folder, precision)
    frame = feeds(ours)
    got, wanted = ours.infer(frame), theirs.infer(frame)
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_allclose(got[name], array, rtol=1e-4, atol=atol, err_msg=name)


def operators(data):
    """Return (operator, type of its first input that is no constant) of a flatbuffer, in its order."""
    interpreter = litert.Interpreter(
        model_content=data, experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    found = []
    for operator in interpreter._get_ops_details():
        place = 2 if operator["op_name"] == "TRANSPOSE_CONV" else 0
        tensor = interpreter._get_tensor_details(operator["inputs"][place], 0)
        found.append((operator["op_name"], np.dtype(tensor["dtype"]).name))
    return found
