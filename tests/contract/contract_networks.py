"""Little networks for the engine contract, each with what onnx's own reference evaluator says of it.

Their INT8 form is what the target's own scheme makes of them, with ranges of a few frames.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import TARGETS, import_entry, resolve
from edgecnn.core.tensor import TensorSpec

OPSET, NEWEST_OPSET = 17, 20
EVALUATED_OPSET = 19
"""The oldest of which onnx's evaluator has Q and DQ; none of the operators here has another meaning in an older one."""
IR_VERSION = 9
PIXEL_VALUES, DIM_PIXEL_VALUES = 256, 128
CALIBRATION = Settings("minmax", threads=1, correct=False)


@dataclass(frozen=True, eq=False)
class Network:
    """An ONNX model, the greatest pixel it is fed, and `step`: the coarsest step its activations are rounded to."""

    model: onnx.ModelProto
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    pixel_values: int = PIXEL_VALUES
    step: float = 0.0

    def feeds(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {
            spec.name: rng.integers(0, self.pixel_values, spec.shape, np.uint8)
            if spec.dtype == "uint8"
            else rng.standard_normal(spec.shape, np.float32)
            for spec in self.inputs
        }

    @cached_property
    def evaluator(self) -> ReferenceEvaluator:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for entry in model.opset_import:
            entry.version = max(entry.version, EVALUATED_OPSET)
        return ReferenceEvaluator(model)

    def reference(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, self.evaluator.run(names, feeds), strict=True))

    def onnx_files(self) -> dict[str, bytes]:
        return {"model.onnx": self.model.SerializeToString()}

    def files_for(self, target: str, precision: str) -> dict[str, bytes]:
        """Return what the target's own compiler makes, as `compile_artefact` puts it into a bundle."""
        compile_model = import_entry(TARGETS[target].compiler, f"target '{target}'")
        with TemporaryDirectory() as folder:
            source = Path(folder) / "source.onnx"
            source.write_bytes(self.model.SerializeToString())
            compiled = compile_model(source, Path(folder) / "artefact", precision)
            return {file.name: file.read_bytes() for file in compiled.files}

    def quantized(self, scheme: str) -> "Network":
        """Return the network in INT8 by `scheme`.

        Its ranges are those of bright frames and it is fed dim ones: on CPUs without VNNI the sum of two products of
        uint8 and int8 saturates at 16 bits, which is the instruction's doing and no engine's.
        """
        frames = [self.feeds(seed) for seed in range(90, 93)]
        model, report = quantize(self.model, resolve("scheme", scheme), frames, CALIBRATION)
        assert report.quantized, report.left_in_float
        scales = {init.name: numpy_helper.to_array(init) for init in model.graph.initializer}
        rounded = [scales[node.input[1]] for node in model.graph.node if node.op_type == "QuantizeLinear"]
        steps = [float(scale) for scale in rounded if scale.ndim == 0]
        inputs, _ = tensor_specs(model)
        assert [spec.name for spec in inputs] == [spec.name for spec in self.inputs]
        return replace(self, model=model, pixel_values=DIM_PIXEL_VALUES, step=max(steps))


@cache
def frame_network(height: int, width: int, batch: int = 1, opset: int = OPSET) -> Network:
    """uint8 NHWC frame -> conv, relu -> `where` (conv 1x1) and `what` (mean over the picture)."""
    rng = np.random.default_rng(height * 1000 + width)
    small = ((height + 1) // 2, (width + 1) // 2)
    graph = _Graph()
    graph.node("Cast", ["frame"], "as_float", to=TensorProto.FLOAT)
    graph.node("Transpose", ["as_float"], "nchw", perm=[0, 3, 1, 2])
    graph.node("Mul", ["nchw", graph.constant("scale", np.float32(1 / 255))], "unit")
    weights = [rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((5, 3, 3, 3), (5,), (4, 5, 1, 1), (4,))]
    first, first_bias, second, second_bias = (graph.constant(f"w{i}", value) for i, value in enumerate(weights))
    graph.node("Conv", ["unit", first, first_bias], "c", strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    graph.node("Relu", ["c"], "r")
    graph.node("Conv", ["r", second, second_bias], "where", kernel_shape=[1, 1])
    graph.node("GlobalAveragePool", ["where"], "mean")
    graph.node("Flatten", ["mean"], "what", axis=1)
    inputs = (TensorSpec("frame", (batch, height, width, 3), "uint8", "NHWC"),)
    # Not in the network's order: outputs go by name.
    outputs = (TensorSpec("what", (batch, 4), "float32"), TensorSpec("where", (batch, 4, *small), "float32"))
    return graph.network(inputs, outputs, opset)


@cache
def float_network() -> Network:
    """Two float inputs, one output: `sum` = relu(left) + right."""
    graph = _Graph()
    graph.node("Relu", ["left"], "positive")
    graph.node("Add", ["positive", "right"], "sum")
    shape = (1, 3, 5, 7)
    inputs = (TensorSpec("left", shape, "float32"), TensorSpec("right", shape, "float32"))
    return graph.network(inputs, (TensorSpec("sum", shape, "float32"),), OPSET)


class _Graph:
    def __init__(self):
        self._nodes, self._constants = [], []

    def constant(self, name, value):
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def network(self, inputs, outputs, opset):
        def info(spec):
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            return helper.make_tensor_value_info(spec.name, kind, spec.shape)

        graph = helper.make_graph(
            self._nodes, "contract", [info(s) for s in inputs], [info(s) for s in outputs], self._constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return Network(model, inputs, outputs)
