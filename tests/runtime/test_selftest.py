import numpy as np
import pytest

from edgecnn.core.errors import EngineError
from edgecnn.runtime import selftest

onnx = pytest.importorskip("onnx")


def test_the_bytes_are_the_network_they_are_said_to_be():
    def info(name):
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4])

    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "probe", [info("x")], [info("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    assert onnx.load_from_string(selftest.RELU_ONNX) == model
    onnx.checker.check_model(selftest.RELU_ONNX, full_check=True)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_that_works_gives_its_version(engine):
    assert selftest.try_engine(engine)[0].isdigit()


def test_an_engine_that_computes_nonsense_is_found_out():
    with pytest.raises(EngineError, match="reinstall"):
        selftest.try_engine("null")


def test_the_probe_tells_relu_from_identity():
    x = np.array([[-2.0, -0.5, 0.0, 3.5]], np.float32)
    assert not np.array_equal(np.maximum(x, 0), x)
