"""What is in an ExecuTorch program: integers, the names of its tensors, and what XNNPACK left."""

import msgspec
import numpy as np
import onnx
import pytest
from contract_networks import frame_network
from onnx import numpy_helper
from small_graphs import answers, conv_weights, model_of, node, pixels

from edgecnn.compile.specs import tensor_specs
from edgecnn.core.errors import EngineError
from edgecnn.export.executorch_from_onnx import compile_model
from edgecnn.runtime.engines.executorch import open_engine
from edgecnn.runtime.engines.executorch_files import Description


def compiled(model, folder, precision="fp32"):
    source = folder / "source.onnx"
    source.write_bytes(model.SerializeToString())
    result = compile_model(source, folder / "out", precision)
    return {file.name: file.read_bytes() for file in result.files}


def described(files):
    return msgspec.json.decode(files["model.json"], type=Description)


def test_int8_convolutions_go_to_xnnpack_as_integers_and_compiling_again_gives_the_same_bytes(tmp_path):
    network = frame_network(9, 7).quantized("executorch")
    files = compiled(network.model, tmp_path, "int8")
    found = described(files)
    assert (found.inputs, found.outputs) == (("frame",), ("what", "where"))
    assert (found.delegates, found.delegated["aten.convolution.default"]) == (1, 2)
    assert found.portable == {"dim_order_ops._to_dim_order_copy.default": 1}
    stored = [numpy_helper.to_array(one) for one in network.model.graph.initializer]
    weights = [value for value in stored if value.ndim == 4]
    assert len(weights) == 2
    for value in weights:
        assert value.dtype == np.int8
        assert value.transpose(0, 2, 3, 1).tobytes() in files["model.pte"]
    assert compiled(network.model, tmp_path, "int8") == files


def unrounded(weights):
    """An INT8 convolution whose result stays float, which XNNPACK has no form of."""
    constants = {
        "s": np.float32(0.05),
        "z": np.int8(0),
        "w": np.clip(weights * 100, -127, 127).astype(np.int8),
        "ws": np.float32([0.01, 0.02, 0.03, 0.04]),
        "wz": np.zeros(4, np.int8),
    }
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["v"], axis=0),
        node("Conv", ["d", "v"], ["y"], name="deep"),
    ]
    return onnx.shape_inference.infer_shapes(model_of(nodes, constants, shape=(1, 3, 4, 5, 3)[: weights.ndim]))


def test_an_int8_layer_that_xnnpack_has_no_form_of_runs_in_float(tmp_path):
    model = unrounded(conv_weights())
    files = compiled(model, tmp_path, "int8")
    assert described(files).delegated["aten.convolution.default"] == 1
    engine = open_engine(files, *tensor_specs(model), {"threads": 1})
    x = pixels((1, 3, 4, 5))
    np.testing.assert_allclose(engine.infer({"x": x})["y"], answers(model, {"x": x})[0], rtol=1e-4, atol=1e-4)
    engine.close()


def test_what_can_not_be_compiled_is_one_line(tmp_path):
    with pytest.raises(EngineError, match=r"source\.onnx.*Celu") as caught:
        compiled(model_of([node("Celu", ["x"], ["y"])]), tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match=r"aten\.convolution\.default") as caught:
        compiled(unrounded(conv_weights()[..., None]), tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match="fp32 or int8"):
        compiled(model_of([node("Relu", ["x"], ["y"])]), tmp_path, "fp16")
