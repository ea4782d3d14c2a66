"""A small real bundle for the benchmark's tests: a convolutional lane network behind ONNX Runtime and OpenVINO."""

import io

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecnn.core.bundle import Artefact, DecodeSpec, Manifest, write_bundle
from edgecnn.core.tensor import FrameSpec, TensorSpec

GRID = {"cells": 10, "rows": 4, "lanes": 2}
WIDTH, HEIGHT = 64, 32
OUTPUTS = (TensorSpec("loc", (1, 10, 4, 2), "float32"), TensorSpec("exist", (1, 2, 4, 2), "float32"))
INPUTS = (TensorSpec("image", (1, HEIGHT, WIDTH, 3), "uint8", "NHWC"),)


def network(depth=2, channels=8, width=WIDTH, height=HEIGHT):
    rng = np.random.default_rng(0)
    weights = {
        "axis": np.array([1, -1], np.int64),
        "loc_shape": np.array([1, 10, 4, 2], np.int64),
        "exist_shape": np.array([1, 2, 4, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    before = 3
    for i in range(depth):
        stride = 2 if i < 2 else 1
        weights[f"w{i}"] = (rng.standard_normal((channels, before, 3, 3)) / np.sqrt(9 * before)).astype(np.float32)
        nodes.append(
            helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1], strides=[stride, stride])
        )
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"x{i + 1}"]))
        before = channels
    nodes.append(helper.make_node("GlobalAveragePool", [f"x{depth}"], ["pooled"]))
    nodes.append(helper.make_node("Reshape", ["pooled", "axis"], ["flat"]))
    for name, size in (("loc", 80), ("exist", 16)):
        weights[f"{name}_w"] = rng.standard_normal((channels, size)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["flat", f"{name}_w"], [f"{name}_flat"]))
        nodes.append(helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]))
    graph = helper.make_graph(
        nodes,
        "lanes",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, list(spec.shape)) for spec in OUTPUTS],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def make_bundle(target, artefacts=("onnxruntime-fp32", "openvino-fp32")):
    rng = np.random.default_rng(1)
    golden = io.BytesIO()
    np.savez(golden, **{"input:image": rng.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)})
    manifest = Manifest(
        name="tiny",
        task="lanes",
        frame=FrameSpec(width=WIDTH, height=HEIGHT),
        decode=DecodeSpec("lane_rows", GRID),
        artefacts=tuple(
            Artefact(name, name.partition("-")[0], "fp32", ("artefacts/tiny.onnx",), INPUTS, OUTPUTS)
            for name in artefacts
        ),
        files={},
    )
    return write_bundle(target, manifest, {"golden.npz": golden.getvalue(), "artefacts/tiny.onnx": network()})
