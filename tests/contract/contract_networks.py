"""Little networks for the engine contract, each with what onnx's own reference evaluator says of it."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecnn.core.tensor import TensorSpec

OPSET, IR_VERSION = 19, 9


@dataclass(frozen=True)
class Network:
    model: onnx.ModelProto
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def feeds(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {
            spec.name: rng.integers(0, 256, spec.shape, np.uint8)
            if spec.dtype == "uint8"
            else rng.standard_normal(spec.shape, np.float32)
            for spec in self.inputs
        }

    def reference(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, ReferenceEvaluator(self.model).run(names, feeds), strict=True))

    def onnx_files(self) -> dict[str, bytes]:
        return {"model.onnx": self.model.SerializeToString()}

    def openvino_files(self) -> dict[str, bytes]:
        network = ov.Core().read_model(model=self.model.SerializeToString())
        with tempfile.TemporaryDirectory() as folder:
            ov.save_model(network, Path(folder) / "model.xml", compress_to_fp16=False)
            return {name: (Path(folder) / name).read_bytes() for name in ("model.xml", "model.bin")}


@cache
def frame_network(height: int, width: int, *, int8: bool) -> Network:
    """uint8 NHWC frame -> conv, relu -> `where` (conv 1x1) and `what` (mean over the picture); INT8 as Q/DQ pairs."""
    rng = np.random.default_rng(height * 1000 + width)
    small = ((height + 1) // 2, (width + 1) // 2)
    graph = _Graph()
    graph.node("Cast", ["frame"], "as_float", to=TensorProto.FLOAT)
    graph.node("Transpose", ["as_float"], "nchw", perm=[0, 3, 1, 2])
    graph.node("Mul", ["nchw", graph.constant("scale", np.float32(1 / 255))], "unit")
    x = graph.quantized("unit", 1 / 255) if int8 else "unit"
    w1, w2 = (rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((5, 3, 3, 3), (4, 5, 1, 1)))
    weights = [graph.weights(f"w{i}", w, int8=int8) for i, w in enumerate((w1, w2))]
    graph.node(
        "Conv",
        [x, weights[0], graph.constant("b", rng.normal(0, 0.1, 5).astype(np.float32))],
        "c",
        strides=[2, 2],
        pads=[1, 1, 1, 1],
    )
    graph.node("Relu", ["c"], "r")
    y = graph.quantized("r", 3 / 255) if int8 else "r"
    graph.node("Conv", [y, weights[1]], "where")
    graph.node("ReduceMean", ["where", graph.constant("axes", np.array([2, 3]))], "what", keepdims=0)
    inputs = (TensorSpec("frame", (1, height, width, 3), "uint8", "NHWC"),)
    # Not in the network's order: outputs go by name.
    outputs = (TensorSpec("what", (1, 4), "float32"), TensorSpec("where", (1, 4, *small), "float32"))
    return graph.network(inputs, outputs)


@cache
def float_network() -> Network:
    """Two float inputs, one output: `sum` = relu(left) + right."""
    graph = _Graph()
    graph.node("Relu", ["left"], "positive")
    graph.node("Add", ["positive", "right"], "sum")
    inputs = (TensorSpec("left", (1, 3, 5), "float32"), TensorSpec("right", (1, 3, 5), "float32"))
    return graph.network(inputs, (TensorSpec("sum", (1, 3, 5), "float32"),))


class _Graph:
    def __init__(self):
        self._nodes, self._constants = [], []

    def constant(self, name, value):
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def quantized(self, name, scale):
        """uint8, zero point 0."""
        qdq = [self.constant(f"{name}_s", np.float32(scale)), self.constant(f"{name}_z", np.uint8(0))]
        self.node("QuantizeLinear", [name, *qdq], f"{name}_q")
        self.node("DequantizeLinear", [f"{name}_q", *qdq], f"{name}_dq")
        return f"{name}_dq"

    def weights(self, name, value, *, int8):
        if not int8:
            return self.constant(name, value)
        # 7 bits, so that CPUs without VNNI, whose u8 x s8 sums saturate at 16 bits, give the same answer.
        scales = np.abs(value).max((1, 2, 3)) / 63
        ints = np.round(value / scales[:, None, None, None]).astype(np.int8)
        inputs = [
            self.constant(f"{name}_i", ints),
            self.constant(f"{name}_s", scales.astype(np.float32)),
            self.constant(f"{name}_z", np.zeros(len(scales), np.int8)),
        ]
        self.node("DequantizeLinear", inputs, name, axis=0)
        return name

    def network(self, inputs, outputs):
        def info(spec):
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            return helper.make_tensor_value_info(spec.name, kind, spec.shape)

        graph = helper.make_graph(
            self._nodes, "contract", [info(s) for s in inputs], [info(s) for s in outputs], self._constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return Network(model, inputs, outputs)
