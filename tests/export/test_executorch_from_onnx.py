"""What is in an ExecuTorch program: integers, the names of its tensors, and what XNNPACK left."""

import msgspec
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from contract_networks import frame_network
from onnx import numpy_helper
from small_graphs import answers, conv_weights, model_of, node, pixels

from edgecnn.compile.specs import tensor_specs
from edgecnn.core.errors import EngineError
from edgecnn.export.executorch_from_onnx import compile_model
from edgecnn.export.passes.base import run
from edgecnn.export.passes.round_before_concat import RoundBeforeConcat
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


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_softmax_behind_a_convolution_goes_along_its_own_axis(axis, tmp_path):
    """XNNPACK lays pixels channels last there, and goes along channels whatever it is told."""
    weights = conv_weights(3, 3, 1)
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Softmax", ["c"], ["y"], axis=axis)]
    model = onnx.shape_inference.infer_shapes(model_of(nodes, {"w": weights}, shape=(1, 3, 5, 7)))
    fed = {"x": np.random.default_rng(axis).normal(0, 2, (1, 3, 5, 7)).astype(np.float32)}
    engine = open_engine(compiled(model, tmp_path), *tensor_specs(model), {"threads": 1})
    np.testing.assert_allclose(engine.infer(fed)["y"], answers(model, fed)[0], atol=1e-5)
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


@pytest.mark.parametrize("scales", [(0.1, 0.1, 0.1), (0.1, 0.3, 0.3), (0.02, 0.3, 0.2)])
def test_what_is_rounded_behind_a_concatenation_is_rounded_before_it(scales):
    """Branches of a scale of their own are brought to that of the result: the same numbers, one scale."""
    constants = {f"s{place}": np.float32(scale) for place, scale in enumerate(scales)}
    constants |= {"z": np.int8(-3)}
    nodes = []
    for place in (0, 1):
        nodes.append(node("QuantizeLinear", ["x", f"s{place}", "z"], [f"q{place}"]))
        nodes.append(node("DequantizeLinear", [f"q{place}", f"s{place}", "z"], [f"d{place}"]))
    nodes.append(node("Concat", ["d0", "d1"], ["c"], axis=1, name="joined"))
    nodes.append(node("QuantizeLinear", ["c", "s2", "z"], ["q2"]))
    nodes.append(node("DequantizeLinear", ["q2", "s2", "z"], ["y"]))
    model = onnx.shape_inference.infer_shapes(model_of(nodes, constants, shape=(1, 3, 4, 5)))
    read = ir.from_proto(model)
    changed = run(RoundBeforeConcat(), read).modified
    assert changed == (len(set(scales)) > 1)
    fed = {"x": np.random.default_rng(4).normal(0, 9, (1, 3, 4, 5)).astype(np.float32)}
    np.testing.assert_array_equal(answers(ir.to_proto(read), fed)[0], answers(model, fed)[0])
    added = sum(one.op_type == "QuantizeLinear" for one in read.graph) - 3
    assert added == sum(scale != scales[2] for scale in scales[:2])
