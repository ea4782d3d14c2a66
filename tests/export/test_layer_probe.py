"""Layer probes: valid networks in which the layer has the shape asked for, whatever that is."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.layers import LayerShape
from edgecnn.export.layer_probe import INPUT, MOST_COPIES, copies_for, layer_probe


@st.composite
def convolutions(draw) -> LayerShape:
    groups = draw(st.sampled_from([1, 1, 2, 4]))
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 2))
    size, padding = draw(st.integers(8, 12)), draw(st.integers(0, 2))
    out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return LayerShape(
        op="conv",
        in_channels=groups * draw(st.integers(1, 4)),
        out_channels=groups * draw(st.integers(1, 4)),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        dilation=(dilation, dilation),
        groups=groups,
        in_size=(size, size + 1),
        out_size=(out, (size + 1 + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1),
        activation=draw(st.booleans()),
    )


def run(model: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return session.run(None, {INPUT: np.ones(entry.shape, np.float32)})[0]


def layers(model: onnx.ModelProto, op: str) -> list[tuple[int, ...]]:
    """Shapes of what the copies of the layer give."""
    found = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in found.value_info}
    return [shapes[n.output[0]] for n in model.graph.node if n.op_type == op and n.name.startswith("copy")]


@given(convolutions())
def test_any_convolution_has_its_shape_in_the_probe(shape):
    model = layer_probe(shape, 2, 17)
    run(model)
    assert layers(model, "Conv") == [(1, shape.out_channels, *shape.out_size)] * 2


@pytest.mark.parametrize(("kernel", "stride", "out"), [(2, 2, 12), (3, 2, 11), (4, 2, 12), (3, 1, 6)])
def test_a_transposed_convolution(kernel, stride, out):
    shape = LayerShape(
        op="conv_transpose",
        in_channels=4,
        out_channels=6,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        in_size=(6, 6),
        out_size=(out, out),
    )
    model = layer_probe(shape, 1, 20)
    run(model)
    assert layers(model, "ConvTranspose") == [(1, 6, out, out)]


@pytest.mark.parametrize("rows", [1, 5])
def test_a_linear_layer(rows):
    shape = LayerShape(op="linear", in_channels=4, out_channels=6, in_size=(rows, 1), out_size=(rows, 1))
    model = layer_probe(shape, 3, 13)
    assert run(model).shape == (rows, 4)
    assert layers(model, "Gemm") == [(rows, 6)] * 3


def test_without_a_copy_all_but_the_layer_is_there():
    shape = LayerShape(op="conv", in_channels=4, out_channels=6, kernel=(3, 3), in_size=(6, 6), out_size=(6, 6))
    one, none = layer_probe(shape, 1, 20), layer_probe(shape, 0, 20)
    left = [node for node in one.graph.node if not node.name.startswith("copy")]
    assert [(n.op_type, n.name) for n in left] == [(n.op_type, n.name) for n in none.graph.node]


def test_a_probe_is_the_same_each_time():
    shape = LayerShape(op="linear", in_channels=4, out_channels=6)
    assert layer_probe(shape, 2, 20).SerializeToString() == layer_probe(shape, 2, 20).SerializeToString()


def test_small_layers_are_copied_and_large_weights_are_not():
    small = LayerShape(op="conv", in_channels=4, out_channels=4, in_size=(6, 6), out_size=(6, 6))
    large = LayerShape(op="linear", in_channels=4096, out_channels=4096)
    assert (copies_for(small), copies_for(large)) == (MOST_COPIES, 1)
