"""A first sign of life from an engine: one ReLU, loaded and run through the same code that runs a bundle."""

import numpy as np

from edgecnn.core.errors import EngineError
from edgecnn.core.registry import resolve
from edgecnn.core.tensor import TensorSpec

# An ONNX file of one node, y = Relu(x), x and y float32 [1, 4], opset 13. Written out in bytes because the device side
# has no onnx package; tests/runtime/test_selftest.py makes the same bytes with it.
RELU_ONNX = bytes.fromhex(
    "08083a3f0a0c0a0178120179220452656c75120570726f62655a130a0178120e0a0c080112080a0208010a020804"
    "62130a0179120e0a0c080112080a0208010a02080442040a00100d"
)


def try_engine(name: str) -> str:
    """Load and run one ReLU in the engine `name` (any but `null`, which computes nothing) and return its version.

    Raises:
        MissingExtraError: the engine's package is not installed; the message gives the command.
        EngineError: the engine is there and does not work.
    """
    opener = resolve("engine", name)
    inputs, outputs = ((TensorSpec(name=name, shape=(1, 4), dtype="float32"),) for name in "xy")
    engine = opener({"relu.onnx": RELU_ONNX}, inputs, outputs, {"threads": 1})
    try:
        x = np.array([[-2.0, -0.5, 0.0, 3.5]], np.float32)
        y = engine.infer({"x": x})["y"]
        version = str(engine.facts().get("version", ""))
    finally:
        engine.close()
    if not np.array_equal(y, np.maximum(x, 0)):
        raise EngineError(f"{name} computes ReLU({x.tolist()}) as {y.tolist()}; reinstall it")
    return version
