"""A whole bundle in small: a random lane network of 32x16 pixels for ONNX Runtime and OpenVINO."""

import os

# Before any of them is loaded: pools of threads that wait for one another cost small tests more than they gain.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from edgecnn.core.bundle import Artefact, DecodeSpec, Manifest, write_bundle
from edgecnn.core.measure import Measurement
from edgecnn.core.tensor import Crop, FrameSpec, TensorSpec

# No deadlines: these tests run on shared and noisy machines. The same examples each time: a failure is a change's.
settings.register_profile("edgecnn", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("edgecnn")

GRID = {"cells": 8, "rows": 6, "lanes": 4}
FRAME = FrameSpec(width=32, height=16, crop=Crop(top=0.25))
INPUTS = (TensorSpec("image", (1, 16, 32, 3), "uint8", "NHWC"),)
OUTPUTS = (TensorSpec("loc", (1, 8, 6, 4), "float32"), TensorSpec("exist", (1, 2, 6, 4), "float32"))


def lane_network() -> bytes:
    """ONNX bytes: mean-free pixels, one 4x4 convolution, one linear layer for each output."""
    rng = np.random.default_rng(5)
    weights = {
        "half": np.float32(127.5),
        "conv": rng.normal(0, 0.02, (6, 3, 4, 4)).astype(np.float32),
        "flat": np.array([1, -1]),
        **{f"w_{o.name}": rng.normal(0, 0.3, (192, np.prod(o.shape))).astype(np.float32) for o in OUTPUTS},
        **{f"s_{o.name}": np.array(o.shape) for o in OUTPUTS},
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["f", "half"], ["m"]),
        helper.make_node("Transpose", ["m"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "conv"], ["c"], strides=[4, 4]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Reshape", ["r", "flat"], ["v"]),
    ]
    for o in OUTPUTS:
        nodes.append(helper.make_node("MatMul", ["v", f"w_{o.name}"], [f"m_{o.name}"]))
        nodes.append(helper.make_node("Reshape", [f"m_{o.name}", f"s_{o.name}"], [o.name]))
    graph = helper.make_graph(
        nodes,
        "lanes",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, INPUTS[0].shape)],
        [helper.make_tensor_value_info(o.name, TensorProto.FLOAT, o.shape) for o in OUTPUTS],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def artefact(name: str, engine: str, p50_ms: float | None = None, **fields) -> Artefact:
    """An artefact of the one network; `p50_ms` is its claimed median latency."""
    latency = {} if p50_ms is None else {"single_stream.p50_ms": Measurement(p50_ms, "ms", 500)}
    files = fields.pop("files", (f"artefacts/{name}/model.onnx",))
    precision = fields.pop("precision", "fp32")
    return Artefact(name, engine, precision, files, INPUTS, OUTPUTS, latency=latency, **fields)


def write_lane_bundle(folder, *artefacts: Artefact, **fields):
    """Write a bundle whose artefacts all hold `lane_network`."""
    network = lane_network()
    manifest = Manifest(
        name="tiny",
        task="lanes",
        frame=FRAME,
        decode=DecodeSpec("lane_rows", {**GRID, "min_valid": 0.3}),
        artefacts=artefacts,
        files={},
        **fields,
    )
    return write_bundle(folder, manifest, {file: network for a in artefacts for file in a.files})


@pytest.fixture(scope="session")
def lane_bundle(tmp_path_factory):
    """A sealed bundle with an ONNX Runtime and an OpenVINO artefact; the latter claims to be faster."""
    return write_lane_bundle(
        tmp_path_factory.mktemp("bundle") / "tiny",
        artefact("onnxruntime-fp32", "onnxruntime", 2.0, passed=True),
        artefact("openvino-fp32", "openvino", 1.0, passed=True),
    )


@pytest.fixture(scope="session")
def lane_bundle_of():
    """Write a bundle with given artefacts: `lane_bundle_of(folder, artefact, ...)`."""
    return write_lane_bundle


@pytest.fixture(scope="session")
def lane_artefact():
    """Make an artefact row: `lane_artefact(name, engine, p50_ms, passed=...)`."""
    return artefact
