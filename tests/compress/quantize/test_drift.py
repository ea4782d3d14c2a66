import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from small_nets import Builder, feeds, small_net

from edgecnn.compress.quantize import drift_meter
from edgecnn.compress.quantize.drift import measure_drift
from edgecnn.compress.quantize.drift_tensors import LIMIT_DB, ActivationDrift, in_db, sampled, weight_drift
from edgecnn.compress.quantize.error import ErrorSum
from edgecnn.compress.quantize.macs import macs
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.reach import Reach
from edgecnn.compress.quantize.simulate import Simulator
from edgecnn.compress.quantize.splice import splice
from edgecnn.compress.quantize.submodel import restrict
from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import resolve

SCHEMES = ("openvino_cpu", "onnxruntime_x86", "tensorrt_11", "qnn")
OUTLIER = 5
PLAIN = Settings(correct=False)
rng = np.random.default_rng(0)


class Frames:
    def __init__(self, count=6):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        return iter(feeds(self.count))


def planted():
    """Four convolutions; the third gives one channel 100 times as strong, which the fourth takes back."""
    b = Builder(1)
    x = b.node("Relu", [b.conv(b.pixels(128.0), 3, 8, stride=2, scale=1 / 64)])
    x = b.node("Relu", [b.conv(x, 8, 8)])
    x = b.node("Relu", [b.conv(x, 8, 8)])
    b.constants[b.nodes[-2].input[1]][OUTLIER] *= 100
    b.constants[b.nodes[-2].input[2]][OUTLIER] *= 100
    y = b.conv(x, 8, 8)
    b.constants[b.nodes[-1].input[1]][:, OUTLIER] /= 100
    return b.finish(b.node("GlobalAveragePool", [b.node("Relu", [y])])), b.nodes


@pytest.fixture(scope="module", params=SCHEMES)
def pair(request):
    model = small_net(3, blocks=("residual", "concat", "down", "pool"))
    result, report = quantize(model, resolve("scheme", request.param), Frames(), PLAIN)
    return model, result, report


@pytest.fixture(scope="module")
def measured(pair):
    model, result, report = pair
    return measure_drift(model, result, Frames(), frames=4, threads=1, left_in_float=report.left_in_float)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_layer_behind_a_planted_outlier_is_named_first(scheme):
    model, nodes = planted()
    result, _ = quantize(model, resolve("scheme", scheme), Frames(), PLAIN)
    drift = measure_drift(model, result, Frames(), frames=3, threads=1)
    first = max(drift.layers, key=lambda layer: layer.share)
    conv = [node for node in nodes if node.op_type == "Conv"][3]
    assert first.name == conv.name
    assert first.share > 0.5
    assert min(drift.layers, key=lambda layer: layer.born_db or LIMIT_DB).name == conv.name
    tensor = drift.tensors[first.reads[0]]
    assert next(iter(tensor.outliers)) == str(OUTLIER)
    assert tensor.outliers[str(OUTLIER)] > 20
    assert tensor.median_levels < 20


def test_each_layers_error_by_itself_adds_up_to_the_whole(measured):
    assert sum(layer.share for layer in measured.layers) == pytest.approx(1)
    assert measured.shares == "measured"
    assert measured.parts_db == pytest.approx(measured.outputs_db["y"], abs=4)


def test_nothing_but_layers_that_read_rounded_values_has_an_error_of_its_own(measured):
    for layer in measured.layers:
        assert (layer.born_db is not None) == (bool(layer.reads) and layer.precision != "moved")
    assert {layer.op for layer in measured.layers if layer.born_db is not None} >= {"Conv", "Add", "Gemm"}


def test_the_first_layers_error_is_all_there_is_behind_it(measured):
    first = next(layer for layer in measured.layers if layer.op == "Conv")
    assert first.snr_db == pytest.approx(first.born_db, abs=0.2)
    assert first.snr_db > measured.outputs_db["y"]


def test_a_node_in_float_carries_its_reason(pair, measured):
    reasons = {layer.name: layer.reason for layer in measured.layers if layer.reason}
    known = {layer.name for layer in measured.layers}
    assert reasons == {name: why for name, why in pair[2].left_in_float.items() if name in known}
    assert all(layer.precision != "int8" for layer in measured.layers if layer.reason)
    relu = next(layer for layer in measured.layers if layer.op == "Relu")
    assert relu.precision == "int8"


def test_weights_are_compared_channel_by_channel(measured):
    found = [layer.weights for layer in measured.layers if layer.weights is not None]
    assert len(found) == sum(layer.op in {"Conv", "Gemm"} for layer in measured.layers)
    assert all(one.worst_db <= one.snr_db + 3 and one.snr_db > 25 for one in found)


def test_running_in_parts_gives_the_same(pair, measured, monkeypatch):
    monkeypatch.setattr(drift_meter, "FETCH_BYTES", 1)
    model, result, report = pair
    again = measure_drift(model, result, Frames(), frames=4, threads=1, left_in_float=report.left_in_float)
    assert [layer.name for layer in again.layers] == [layer.name for layer in measured.layers]
    for one, other in zip(again.layers, measured.layers, strict=True):
        assert one.share == pytest.approx(other.share, abs=1e-4)
        assert (one.reads, one.precision, one.reason) == (other.reads, other.precision, other.reason)
        for first, second in ((one.snr_db, other.snr_db), (one.born_db, other.born_db)):
            # Beyond 100 dB float32's own rounding shows, which other fusions change.
            assert first == second or min(first, second) > 100 or first == pytest.approx(second, abs=0.01)
    assert again.tensors.keys() == measured.tensors.keys()


def test_without_probes_shares_are_predicted(pair):
    drift = measure_drift(*pair[:2], Frames(), frames=2, threads=1, probes=0)
    assert (drift.shares, drift.parts_db) == ("predicted", None)
    assert sum(layer.share for layer in drift.layers) == pytest.approx(1)


def test_where_following_takes_too_long_shares_are_predicted(pair):
    drift = measure_drift(*pair[:2], Frames(), frames=2, threads=1, seconds=1e-9)
    assert drift.shares == "predicted"


def test_a_float_network_against_itself_has_no_error():
    model = small_net(2)
    drift = measure_drift(model, model, Frames(), frames=2, threads=1)
    assert all(layer.born_db is None and layer.share == 0 for layer in drift.layers)
    assert drift.outputs_db["y"] == pytest.approx(LIMIT_DB, abs=5)
    assert drift.unmatched == ()


def test_a_rewritten_layer_is_listed_and_its_error_goes_to_the_next(pair):
    model, result, _ = pair
    changed = onnx.ModelProto()
    changed.CopyFrom(result)
    relu = next(node for node in changed.graph.node if node.op_type == "Relu")
    old = relu.output[0]

    def renamed(name):
        return f"new.{name}" if name.split(".")[0] == old else name

    for node in changed.graph.node:
        node.input[:], node.output[:] = map(renamed, node.input), map(renamed, node.output)
    for one in changed.graph.initializer:
        one.name = renamed(one.name)
    drift = measure_drift(model, changed, Frames(), frames=2, threads=1)
    assert drift.unmatched == (relu.name,)
    assert next(layer for layer in drift.layers if layer.name == relu.name).snr_db is None
    assert drift.outputs_db["y"] > 10


def coded(value, name, constants, nodes):
    constants |= {f"{name}.scale": np.float32(1 / 64), f"{name}.zero": np.uint8(0)}
    parameters = [f"{name}.scale", f"{name}.zero"]
    nodes.append(helper.make_node("QuantizeLinear", [value, *parameters], [f"{name}.stored"]))
    nodes.append(helper.make_node("DequantizeLinear", [f"{name}.stored", *parameters], [f"{name}.dequantized"]))
    return f"{name}.dequantized"


def build(nodes, constants, outputs=("y",), opset=17):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


class Vectors:
    def __len__(self):
        return 3

    def __iter__(self):
        return iter([{"x": np.linspace(0, k + 1, 4, dtype=np.float32)[None]} for k in range(3)])


def test_layers_in_half_precision_are_compared_too():
    weights = rng.normal(size=(4, 4)).astype(np.float32)
    matmul = helper.make_node("MatMul", ["x", "w"], ["a"], name="matmul")
    model = build([matmul, helper.make_node("Tanh", ["a"], ["y"], name="tanh")], {"w": weights})
    nodes, constants = [], {"w16": weights.astype(np.float16)}
    value = coded("x", "x", constants, nodes)
    nodes += [
        helper.make_node("Cast", [value], ["x16"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["x16", "w16"], ["a"], name="matmul"),
        helper.make_node("Tanh", ["a"], ["y16"], name="tanh"),
        helper.make_node("Cast", ["y16"], ["y"], to=TensorProto.FLOAT, name="back"),
    ]
    drift = measure_drift(model, build(nodes, constants), Vectors(), threads=1)
    layer = next(layer for layer in drift.layers if layer.name == "matmul")
    assert 20 < layer.born_db < 70
    assert layer.reads == ("x",)
    assert 20 < drift.outputs_db["y"] < 80


def test_a_subgraph_reads_the_right_values():
    def branch(name, value):
        out = helper.make_tensor_value_info(f"{name}.out", TensorProto.FLOAT, None)
        node = helper.make_node("Add", [value, "shift"], [f"{name}.out"], name=f"{name}.add")
        return helper.make_graph([node], name, [], [out])

    def net(*, rounded):
        nodes, constants = [], {"shift": np.float32(0.5), "yes": np.asarray(np.True_)}
        value = coded("x", "x", constants, nodes) if rounded else "x"
        nodes.append(helper.make_node("Relu", [value], ["a"], name="relu"))
        branches = {"then_branch": branch("then", "a"), "else_branch": branch("else", "a")}
        nodes.append(helper.make_node("If", ["yes"], ["y"], name="if", **branches))
        return build(nodes, constants)

    drift = measure_drift(net(rounded=False), net(rounded=True), Vectors(), threads=1)
    assert [layer.name for layer in drift.layers if layer.share] == ["relu"]
    assert 20 < drift.outputs_db["y"] < LIMIT_DB


def test_a_value_that_is_moved_between_two_roundings_was_rounded_once():
    def net(*, rounded):
        nodes, constants = [], {"shape": np.array([4, 1])}
        value = coded("x", "x", constants, nodes) if rounded else "x"
        nodes.append(helper.make_node("Reshape", [value, "shape"], ["r"], name="reshape"))
        value = coded("r", "r", constants, nodes) if rounded else "r"
        nodes.append(helper.make_node("Tanh", [value], ["y"], name="tanh"))
        return build(nodes, constants)

    drift = measure_drift(net(rounded=False), net(rounded=True), Vectors(), threads=1)
    shares = {layer.name: layer.share for layer in drift.layers}
    assert shares == {"reshape": 0.0, "tanh": pytest.approx(1)}
    assert set(drift.tensors) == {"x", "r"}


def test_models_of_two_opsets_are_refused(pair):
    other = build([helper.make_node("Relu", ["x"], ["y"])], {})
    with pytest.raises(InputError, match="opset 20 and the quantized one 17"):
        measure_drift(pair[0], other, Frames(), threads=1)


def test_no_frame_is_refused(pair):
    with pytest.raises(DataError, match="at least one"):
        measure_drift(*pair[:2], Frames(0), threads=1)


def test_an_added_error_reaches_the_outputs_by_the_networks_own_gain():
    nodes = [
        helper.make_node("Mul", ["x", "three"], ["a"]),
        helper.make_node("Neg", ["a"], ["y"]),
        helper.make_node("Relu", ["x"], ["z"]),
    ]
    model = build(nodes, {"three": np.float32(3)}, ("y", "z"))
    reach = Reach(model, ["a"], 1)
    frame = {"x": np.ones((1, 4), np.float32)}
    clean = reach.clean(frame)
    np.testing.assert_array_equal(clean[0], np.full((1, 4), -3, np.float32))
    error = np.full((1, 4), 0.3, np.float32)
    # A tenth of `y` in amplitude is a hundredth in power; `z` is untouched.
    assert reach.noise(frame, clean, {"a": error}) == pytest.approx(0.01 / 2, rel=1e-5)
    assert reach.noise(frame, clean, {"a": 0 * error}) == 0
    assert reach.noise(frame, clean, {"a": np.full((1, 4), np.nan, np.float32)}) == math.inf


def test_the_joined_network_is_valid(pair):
    onnx.checker.check_model(splice(*pair[:2]).model, full_check=True)


def test_a_large_tensor_is_sampled_in_every_column():
    columns = np.broadcast_to(np.arange(640.0), (1, 8, 360, 640))
    some = sampled(columns)
    assert 150_000 < some.size < 300_000
    assert set(some) == set(range(640))
    np.testing.assert_array_equal(sampled(columns[:, 0, :2]), np.tile(np.arange(640.0), 2))


def test_a_part_of_a_model_holds_what_it_needs_and_no_more():
    nodes = [helper.make_node("Add", ["x", "one"], ["a"]), helper.make_node("Mul", ["a", "two"], ["y"])]
    model = build(nodes, {"one": np.float32(1), "two": np.float32(2)})
    part = restrict(model, ["a"])
    assert [node.op_type for node in part.graph.node] == ["Add"]
    assert [one.name for one in part.graph.initializer] == ["one"]
    frame = {"x": np.ones((1, 4), np.float32)}
    np.testing.assert_array_equal(Simulator(part).run(frame)[0], np.full((1, 4), 2, np.float32))


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
    st.floats(1e-6, 1e3),
    st.floats(-100, 100),
)
def test_db_is_that_of_the_ratio_and_never_beyond_its_limits(values, factor, db):
    want = np.asarray(values, np.float64)
    total = ErrorSum()
    total.add(want, want * (1 + 10 ** (-db / 20)))
    assert -LIMIT_DB <= in_db(total) <= LIMIT_DB
    if np.abs(want).max() > 1e-3:
        assert in_db(total) == pytest.approx(db, abs=0.01)
        scaled = ErrorSum()
        scaled.add(factor * want, factor * want * (1 + 10 ** (-db / 20)))
        assert in_db(scaled) == pytest.approx(in_db(total), abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_count_as_lost(bad):
    total = ErrorSum()
    total.add(np.ones(3), np.array([1, bad, 1]))
    assert in_db(total) == -LIMIT_DB


def test_an_activation_counts_what_it_clips_and_how_its_channels_spread():
    one = ActivationDrift(0.1, 0, np.dtype(np.uint8))
    values = np.zeros((1, 4, 10), np.float32)
    values[0, :, 0] = [1, 1, 2, 30]
    one.add(values)
    found = one.result()
    assert (found.low, found.high, found.seen_max, found.channels) == (0, pytest.approx(25.5), 30, 4)
    assert found.clipped == pytest.approx(1 / 40)
    assert found.outliers == {"3": pytest.approx(20)}
    assert found.median_levels == pytest.approx(16)


def test_channels_that_are_switched_off_are_not_the_worst():
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    weights[2] *= 1e-12
    rounded = weights + np.float32(0.001)
    rounded[1] += np.float32(0.05)
    rounded[2] = 0
    found = weight_drift(weights, rounded, 0)
    assert (found.worst_channel, found.channels) == (1, 4)
    assert found.spread < 10


@pytest.mark.parametrize(
    ("op", "shapes", "count"),
    [
        ("Conv", ((1, 8, 10, 10), (16, 4, 3, 3), (1, 16, 5, 5)), 16 * 25 * 36),
        ("ConvTranspose", ((1, 8, 5, 5), (8, 6, 2, 2), (1, 6, 10, 10)), 8 * 25 * 24),
        ("Gemm", ((1, 20), (7, 20), (1, 7)), 140),
        ("MatMul", ((2, 5, 20), (20, 7), (2, 5, 7)), 2 * 5 * 140),
        ("Conv", ((1, 8, 0, 0), (16, 8, 3, 3), (1, 16, 0, 0)), 0),
        ("Add", ((1, 8), (1, 8), (1, 8)), 0),
    ],
)
def test_multiply_adds(op, shapes, count):
    node = helper.make_node(op, ["x", "w"], ["y"])
    assert macs(node, dict(zip("xwy", shapes, strict=True))) == count
