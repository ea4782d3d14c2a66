"""Parting a convolution whose channels are split: the same numbers, and only where it can and should be done."""

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecnn.compile.openvino_from_onnx import compile_model
from edgecnn.compile.parted_convolutions import part_convolutions

INPUTS, HEIGHT, WIDTH = 5, 6, 7


def network(
    sizes: list[int], stored: str = "float", *, axis: int = 1, group: int = 1, read_twice: bool = False, seed: int = 0
) -> onnx.ModelProto:
    """Return a 3x3 convolution of stride 2 and a Split into `sizes`; its weights `stored` as the name says."""
    rng, channels = np.random.default_rng(seed), sum(sizes)
    weight = rng.normal(size=(channels, INPUTS // group, 3, 3)).astype(np.float32)
    constants = {"bias": rng.normal(size=channels).astype(np.float32), "sizes": np.array(sizes, np.int64)}
    nodes = []
    if stored == "float":
        constants["weight"] = weight
    else:
        each = () if stored == "one scale" else (channels,)
        constants["stored"] = rng.integers(-127, 128, weight.shape).astype(np.int8)
        constants["scale"] = rng.uniform(0.01, 0.02, each).astype(np.float32)
        constants["zero"] = np.zeros(each, np.int8)
        nodes.append(helper.make_node("DequantizeLinear", ["stored", "scale", "zero"], ["weight"], axis=0))
    nodes.append(
        helper.make_node(
            "Conv", ["x", "weight", "bias"], ["joined"], name="conv", group=group, strides=[2, 2], pads=[1, 1, 1, 1]
        )
    )
    outputs = [f"part{i}" for i in range(len(sizes))]
    nodes.append(helper.make_node("Split", ["joined", "sizes"], outputs, axis=axis))
    if read_twice:
        nodes.append(helper.make_node("Relu", ["joined"], ["again"]))
        outputs.append("again")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, INPUTS, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    )


def computed_sizes() -> onnx.ModelProto:
    """Return a network whose Split takes its sizes from an input."""
    model = network([3, 2])
    [sizes] = [one for one in model.graph.initializer if one.name == "sizes"]
    model.graph.initializer.remove(sizes)
    model.graph.input.append(helper.make_tensor_value_info("sizes", onnx.TensorProto.INT64, [2]))
    return model


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.sampled_from(["float", "one scale", "a scale a channel"]),
    st.integers(0, 99),
)
def test_the_parts_are_what_the_whole_was(sizes: list[int], stored: str, seed: int) -> None:
    model = network(sizes, stored, seed=seed)
    frame = {"x": np.random.default_rng(seed).normal(size=(1, INPUTS, HEIGHT, WIDTH)).astype(np.float32)}
    before = ReferenceEvaluator(model).run(None, frame)
    assert part_convolutions(model)
    assert [node.op_type for node in model.graph.node if node.op_type in {"Conv", "Split"}] == ["Conv"] * len(sizes)
    onnx.checker.check_model(model, full_check=True)
    for was, now in zip(before, ReferenceEvaluator(model).run(None, frame), strict=True):
        np.testing.assert_allclose(now, was, rtol=1e-5, atol=1e-5)


def test_equal_parts_need_no_sizes() -> None:
    model = network([2, 2, 1])
    [split] = [node for node in model.graph.node if node.op_type == "Split"]
    del split.input[1]
    split.attribute.append(helper.make_attribute("num_outputs", 3))
    assert part_convolutions(model)
    assert [output.type.tensor_type.shape.dim[1].dim_value for output in model.graph.output] == [2, 2, 1]
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(
    "model",
    [
        network([3, 2], read_twice=True),
        network([1, 2], axis=2),
        network([5, 5], group=5),
        computed_sizes(),
    ],
    ids=["read by another", "along another axis", "grouped", "by computed sizes"],
)
def test_others_stay_as_they_are(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    assert not part_convolutions(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("stored", ["float", "a scale a channel"])
def test_openvino_gets_parts(tmp_path: Path, stored: str) -> None:
    model = network([2, 3], stored)
    onnx.save(model, tmp_path / "model.onnx")
    [xml, _] = compile_model(tmp_path / "model.onnx", tmp_path / "out", "fp32").files
    compiled = openvino.Core().compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert not {"Split", "VariadicSplit"} & {node.get_type_name() for node in openvino.Core().read_model(xml).get_ops()}
    frame = np.random.default_rng(1).normal(size=(1, INPUTS, HEIGHT, WIDTH)).astype(np.float32)
    found = compiled([frame])
    for name, wanted in zip(("part0", "part1"), ReferenceEvaluator(model).run(None, {"x": frame}), strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-4)
