"""What is refused, what stays the same, and how frames and weights are handled."""

import numpy as np
import onnx
import pytest
from onnx_text import compare, compiled, opened, parsed, random_feeds

from edgecnn.compile.ncnn_from_onnx import compile_model
from edgecnn.core.errors import EngineError, StageError

REFUSED = {
    "NonZero": "(float[1,3,8,8] x) => (int64[4,?] y) { y = NonZero(x) }",
    "ArgMax": "(float[1,3,8,8] x) => (int64[1,1,8,8] y) { y = ArgMax <axis = 1> (x) }",
    "TopK": "(float[1,9] x) => (float[1,3] y, int64[1,3] i)"
    " { k = Constant <value = int64[1] {3}> () y, i = TopK(x, k) }",
    "Where": "(float[1,9] x, float[1,9] w) => (float[1,9] y) { c = Greater(x, w) y = Where(c, x, w) }",
    "Conv": "(float[1,2,5,6,7] x, float[3,2,3,3,3] w) => (float[1,3,3,4,5] y) { y = Conv(x, w) }",
    "MaxPool": "(float[1,3,9,9] x) => (float[1,3,7,7] y) { y = MaxPool <kernel_shape = [2,2], dilations = [2,2]> (x) }",
    "Resize": "(float[1,3,9,9] x) => (float[1,3,14,14] y)"
    ' { z = Constant <value = int64[4] {1,3,14,14}> () y = Resize <nearest_mode = "ceil"> (x, , , z) }',
    "Transpose": "(float[2,3,4,5,6] x) => (float[6,5,4,3,2] y) { y = Transpose <perm = [4,3,2,1,0]> (x) }",
    "RandomNormal": "(float[1,9] x) => (float[1,9] y) { r = RandomNormal <shape = [1,9]> () y = Add(x, r) }",
    "Cast": "(float[1,9] x) => (double[1,9] y) { y = Cast <to = 11> (x) }",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_ncnn_can_not_take_is_one_line_that_names_it(kind):
    with pytest.raises((EngineError, StageError)) as caught:
        compiled(parsed(REFUSED[kind]))
    assert "\n" not in str(caught.value)
    if isinstance(caught.value, EngineError):
        assert {"Where": "Greater"}.get(kind, kind) in str(caught.value)


def test_an_operator_of_a_foreign_domain_is_named():
    model = parsed("(float[1,9] x) => (float[1,9] y) { y = Relu(x) }")
    model.graph.node[0].domain = "com.acme"
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    with pytest.raises(EngineError, match=r"com\.acme\.Relu"):
        compiled(model)


NET = """(uint8[4,9,7,3] frame, float[6,3,3,3] w, float[5,6] v) => (float[4,5] y, float[4,6,9,7] z) {
    f = Cast <to = 1> (frame) t = Transpose <perm = [0,3,1,2]> (f) c = Conv <pads = [1,1,1,1]> (t, w)
    s = Constant <value = int64[4] {4, 2, 3, 63}> () r = Reshape(c, s) u = Softmax <axis = -1> (r)
    k = Constant <value = int64[4] {4, 6, 9, 7}> () z = Reshape(u, k)
    m = GlobalAveragePool(z) g = Flatten(m) y = Gemm <transB = 1> (g, wv)
}""".replace("v)", "wv)", 1)


def test_four_frames_run_one_after_another():
    files = compare(parsed(NET))
    assert b'"frames":4' in files["model.json"]


@pytest.mark.parametrize(
    "body",
    [
        "y = Softmax <axis = 0> (x)",
        "i = Constant <value = int64[4] {3,2,1,0}> () y = Gather <axis = 0> (x, i)",
        "m = ReduceMean <axes = [0]> (x) y = Sub(x, m)",
        "y = Add(x, w)",
    ],
)
def test_frames_that_depend_on_one_another_are_refused(body):
    text = f"(float[4,3,8,8] x, float[4,3,8,8] w, float[3,3,1,1] w2) => (float[4,3,8,8] z) {{ {body} z = Conv(y, w2) }}"
    with pytest.raises(EngineError, match="mixes the 4"):
        compiled(parsed(text, 13))


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = parsed(NET)
    onnx.save(model, tmp_path / "m.onnx")
    made = [compile_model(tmp_path / "m.onnx", tmp_path / name, "fp32") for name in ("a", "b")]
    for one, other in zip(made[0].files, made[1].files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert set(made[0].versions) == {"ncnn", "onnx"}


def test_halved_weights_take_half_the_room_and_cost_little():
    model = parsed(
        "(float[1,3,16,16] x, float[64,3,3,3] w, float[64,64,3,3] w2) => (float[1,64,12,12] y)"
        " { c = Conv(x, w) y = Conv(c, w2) }"
    )
    whole, half = compiled(model), compare(model, "fp16", most=2e-3)
    assert len(half["model.bin"]) < 0.51 * len(whole["model.bin"])


def test_weights_beyond_half_precision_stay_whole():
    model = parsed("(float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,4,8,8] y) { y = Conv(x, w) }")
    array = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    array[0, 0] = 1e5
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(array, "w"))
    engine = opened(model, compiled(model, "fp16"), precision="fp32")
    feeds = random_feeds(model)
    assert np.isfinite(engine.infer(feeds)["y"]).all()
    engine.close()


def test_a_value_times_its_sigmoid_is_one_layer():
    model = parsed(
        "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { c = Conv(x, w) s = Sigmoid(c) y = Mul(c, s) }"
    )
    kinds = [line.split()[0] for line in compare(model)["model.param"].decode().splitlines()[2:]]
    assert kinds == ["Input", "Convolution", "Swish"]


def test_odd_names_survive():
    model = parsed("(float[1,3,4,4] x) => (float[1,3,4,4] y) { r = Relu(x) y = Sigmoid(r) }")
    for index, node in enumerate(model.graph.node):
        node.name = "a name with spaces, ünï=1 " * 20 + str(index)
    model.graph.input[0].name = model.graph.node[0].input[0] = "in put"
    model.graph.output[0].name = model.graph.node[1].output[0] = "out\tput" + "x" * 300
    compare(model)
