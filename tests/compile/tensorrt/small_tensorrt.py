"""A small network with two outputs, its files as the compiler leaves them, and a bundle of it."""

import io

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgecnn.core.bundle import GOLDEN, Artefact, DecodeSpec, Manifest, write_bundle
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines.tensorrt_settings import MODEL, PREPARED, Prepared

INPUTS = (TensorSpec("frame", (1, 5, 4, 3), "uint8", "NHWC"),)
OUTPUTS = (TensorSpec("rows", (1, 5, 4, 2), "float32"), TensorSpec("sum", (1, 3), "float32"))


def model(shape=(1, 5, 4, 3), opset=17):
    """Return the network: pixels / 255 times a matrix, and pixels / 255 summed."""
    matrix = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    constants = {"scale": np.float32(1 / 255), "matrix": matrix, "axes": np.array([1, 2])}
    nodes = [
        helper.make_node("Cast", ["frame"], ["real"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "scale"], ["unit"], name="unit"),
        helper.make_node("MatMul", ["unit", "matrix"], ["rows"], name="rows"),
        helper.make_node("ReduceSum", ["unit", "axes"], ["sum"], name="sum", keepdims=0),
    ]
    ends = (
        helper.make_tensor_value_info("frame", TensorProto.UINT8, shape),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, (*shape[:3], 2)),
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, (shape[0], 3)),
    )
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "small", [ends[0]], list(ends[1:]), initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def wanted(frame):
    """Return what the network gives, by NumPy."""
    unit = frame.astype(np.float32) / 255
    matrix = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    return {"rows": unit @ matrix, "sum": unit.sum((1, 2))}


def frame(seed=0):
    """Return an input."""
    return np.random.default_rng(seed).integers(0, 256, INPUTS[0].shape, np.uint8)


def files(prepared=None, network=None):
    """Return an artefact's files by base name."""
    told = msgspec.json.encode(prepared or Prepared(precision="fp32", typing="either", opset=17, quantized=False))
    return {MODEL: (network or model()).SerializeToString(), PREPARED: told}


def small_bundle(target):
    """Write a bundle with one TensorRT artefact and golden vectors; return its path."""
    inside = {f"artefacts/tensorrt-fp32/{name}": data for name, data in files().items()}
    artefact = Artefact("tensorrt-fp32", "tensorrt", "fp32", tuple(inside), INPUTS, OUTPUTS)
    frames = np.concatenate([frame(seed) for seed in range(3)])
    arrays = {"input:frame": frames} | {f"output:{name}": array for name, array in wanted(frames).items()}
    spool = io.BytesIO()
    np.savez(spool, **arrays)
    manifest = Manifest(
        name="small",
        task="tensors",
        frame=None,
        decode=DecodeSpec("tensors", {"outputs": [msgspec.to_builtins(spec) for spec in OUTPUTS]}),
        artefacts=(artefact,),
        files={},
    )
    return write_bundle(target, manifest, {**inside, GOLDEN: spool.getvalue()})
