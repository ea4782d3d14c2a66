"""LiteRT's engine: its first sign of life, its options, and what it says of itself."""

import numpy as np
import pytest

from edgecnn.compile.litert.writer import Writer
from edgecnn.core.errors import EngineError, InputError
from edgecnn.runtime.engines import litert
from edgecnn.runtime.selftest import INPUTS, OUTPUTS, try_engine


def relu_bytes():
    writer = Writer()
    x, y = (writer.tensor(name, (1, 4), "float32") for name in "xy")
    writer.operator("RELU", [x], [y])
    return writer.finish({"x": x}, {"y": y})


def test_the_probe_is_what_the_writer_makes():
    assert litert.probe() == {"model.tflite": relu_bytes()}
    assert try_engine("litert") == litert.version("ai-edge-litert")


@pytest.mark.parametrize("xnnpack", [True, False])
def test_both_kinds_of_kernels_compute(xnnpack):
    engine = litert.open_engine(litert.probe(), INPUTS, OUTPUTS, {"xnnpack": xnnpack})
    x = np.array([[-1, 0, 2, -3]], np.float32)
    np.testing.assert_array_equal(engine.infer({"x": x})["y"], np.maximum(x, 0))
    assert engine.facts()["xnnpack"] is xnnpack
    engine.close()


def test_senseless_options_are_refused():
    with pytest.raises(InputError, match="'xnnpack' must be true or false"):
        litert.open_engine(litert.probe(), INPUTS, OUTPUTS, {"xnnpack": 1})


def test_a_file_that_is_no_flatbuffer_is_named():
    with pytest.raises(EngineError, match="no TFLite flatbuffer"):
        litert.open_engine({"model.tflite": b"\x08\x08onnx"}, INPUTS, OUTPUTS, {})
