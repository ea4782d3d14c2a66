"""INT8: what ncnn computes is what the Q/DQ graph says, to the last bits where no number lies between two steps."""

import numpy as np
import onnx
import pytest
from onnx_text import compare, compiled, expected, opened, parsed, random_feeds

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.ncnn import SCHEME
from edgecnn.runtime.engines.ncnn_files import PARAM

QUICK = Settings("minmax", threads=1, correct=False)
NETS = {
    "plain": "(float[1,3,16,20] x, float[16,3,3,3] w1, float[16] wb, float[24,16,1,1] w2, float[24] wc)"
    " => (float[1,24,?,?] y) { a = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w1, wb) r = Relu(a)"
    " y = Conv(r, w2, wc) }",
    "residual": "(float[1,3,16,20] x, float[16,3,3,3] w1, float[16,16,3,3] w2, float[8,16,1,1] w3)"
    " => (float[1,8,?,?] y) { a = Conv <pads = [1,1,1,1]> (x, w1) r = Relu(a) b = Conv <pads = [1,1,1,1]> (r, w2)"
    " s = Add(r, b) t = Relu(s) y = Conv(t, w3) }",
    "wide depthwise": "(float[1,3,16,20] x, float[32,3,1,1] w1, float[32,1,3,3] w2, float[8,32,1,1] w3)"
    " => (float[1,8,?,?] y) { a = Conv(x, w1) r = HardSwish(a)"
    " b = Conv <pads = [1,1,1,1], strides = [2,2], group = 32> (r, w2) t = Relu(b) y = Conv(t, w3) }",
    "groups": "(float[1,3,16,20] x, float[16,3,1,1] w1, float[24,4,3,3] w2, float[24] wb)"
    " => (float[1,24,?,?] y) { a = Conv(x, w1) r = Relu(a) y = Conv <pads = [1,1,1,1], group = 4> (r, w2, wb) }",
    "classifier": "(float[1,3,16,20] x, float[16,3,3,3] w1, float[10,16] w2, float[10] wb) => (float[1,10] y)"
    " { a = Conv <strides = [2,2]> (x, w1) r = Relu(a) m = GlobalAveragePool(r) f = Flatten(m)"
    " y = Gemm <transB = 1> (f, w2, wb) }",
    "products": "(float[1,5,12] x, float[12,16] w1, float[16,6] w2) => (float[1,5,6] y)"
    " { a = MatMul(x, w1) r = Relu(a) y = MatMul(r, w2) }",
}


def in_int8(text):
    model = parsed(text)
    model.graph.ClearField("value_info")
    made, report = quantize(model, SCHEME, [random_feeds(model, seed) for seed in range(50, 54)], QUICK)
    assert report.quantized
    return made


def error(model, seed=0):
    files = compiled(model, "int8")
    engine, feeds = opened(model, files), random_feeds(model, seed)
    wanted, got = expected(model, feeds), engine.infer(feeds)
    engine.close()
    return max(np.linalg.norm(got[name] - wanted[name]) / np.linalg.norm(wanted[name]) for name in wanted)


@pytest.mark.parametrize("name", NETS)
def test_int8_computes_what_the_graph_says(name):
    model = in_int8(NETS[name])
    # A sum that falls between two steps may go either way; which frames have none depends on the processor.
    assert sorted(error(model, seed) for seed in range(3))[1] < 5e-3
    assert any(error(model, seed) < 1e-3 for seed in range(24))


def test_every_quantized_layer_runs_in_int8():
    for name, text in NETS.items():
        model = in_int8(text)
        engine = opened(model, compiled(model, "int8"))
        weighted = sum(node.op_type in {"Conv", "Gemm", "MatMul"} for node in model.graph.node)
        assert engine.facts()["int8_layers"] == weighted + (3 if name == "groups" else 0)
        engine.close()


def test_a_convolution_between_int8_ones_writes_int8():
    text = compiled(in_int8(NETS["plain"]), "int8")[PARAM].decode()
    first, second = (line for line in text.splitlines() if line.startswith("Convolution"))
    assert " 8=101 " in first
    assert " 8=1 " in second


def test_weights_are_stored_in_a_byte_each():
    model = parsed(NETS["residual"])
    whole, small = compiled(model), compiled(in_int8(NETS["residual"]), "int8")
    assert len(small["model.bin"]) < 0.3 * len(whole["model.bin"])


ROUNDED_ELSEWHERE = """(float[1,3,8,8] x) => (float[1,3,8,8] y) {
    s = Constant <value = float {0.02}> ()
    z = Constant <value = TYPE {ZERO}> ()
    q = QuantizeLinear(x, s, z)
    y = DequantizeLinear(q, s, z)
}"""


@pytest.mark.parametrize(("kind", "zero"), [("uint8", 0), ("uint8", 131), ("int8", 0), ("int8", -7)])
def test_what_ncnn_has_no_int8_form_of_is_rounded_in_float(kind, zero):
    text = ROUNDED_ELSEWHERE.replace("TYPE", kind).replace("ZERO", str(zero))
    compare(parsed(text, 19), "int8")


def test_unsigned_activations_give_a_layer_in_float():
    text = """(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) {
        s = Constant <value = float {0.02}> () z = Constant <value = uint8 {128}> ()
        q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Conv(d, w)
    }"""
    model = parsed(text, 19)
    compare(model, "int8")
    engine = opened(model, compiled(model, "int8"))
    assert engine.facts()["int8_layers"] == 0
    engine.close()


def test_pixels_that_are_the_integers_themselves():
    text = """(uint8[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) {
        s = Constant <value = float {0.01}> () z = Constant <value = uint8 {128}> ()
        d = DequantizeLinear(x, s, z) y = Conv(d, w)
    }"""
    compare(parsed(text, 19), "int8")


def test_minus_128_among_weights_is_computed_in_float():
    model = in_int8(NETS["plain"])
    for entry in model.graph.initializer:
        if entry.name.endswith("weight.stored"):
            array = onnx.numpy_helper.to_array(entry).copy()
            array.reshape(-1)[0] = -128
            entry.CopyFrom(onnx.numpy_helper.from_array(array, entry.name))
    engine = opened(model, compiled(model, "int8"))
    assert engine.facts()["int8_layers"] == 0
    engine.close()
    assert error(model) < 1e-3
