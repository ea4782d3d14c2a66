"""Rounding by columns against exhaustive search, placed weights found and replaced, layers that answer better."""

import itertools

import numpy as np
import pytest
from correction_nets import Frames, shuffle_net
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from edgecnn.compress.quantize.correction import rounding
from edgecnn.compress.quantize.correction.bias import better_of, correct_biases
from edgecnn.compress.quantize.correction.lattice import cost, descend, is_2_4, round_by_columns
from edgecnn.compress.quantize.correction.placed import Placed
from edgecnn.compress.quantize.correction.rounding import Budget, reconstruct
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.simulate import output_error, outputs
from edgecnn.core.errors import DataError
from edgecnn.core.registry import SCHEMES, resolve

ENOUGH = Budget(frames=64, seconds=60, rows=2000)
PLAIN = Settings(correct=False)
NAMES = ("openvino_cpu", "onnxruntime_x86", "tensorrt_8", "onnxruntime_avx2")


def placed_by(name, seed=0):
    model = shuffle_net(seed, spread=0.5)
    quantized, _ = quantize(model, resolve("scheme", name), Frames(16), PLAIN)
    return model, quantized


@given(st.integers(0, 2**16))
def test_columns_then_descent_beat_rounding_to_the_nearest(seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5))
    moment = (rows.T @ rows / 40 + 0.01 * np.eye(5))[None]
    weights, scale = rng.normal(size=(1, 3, 5)), np.full((1, 3, 1), 0.5)
    nearest = np.clip(np.round(weights / scale), -7, 7)
    integers = round_by_columns(weights, scale, moment, 7)
    best = descend(integers, weights, scale, moment, 7)
    assert np.array_equal(integers, np.round(integers))
    assert np.abs(best).max() <= 7
    assert cost(best, weights, scale, moment) <= cost(integers, weights, scale, moment) + 1e-9
    assert cost(descend(nearest, weights, scale, moment, 7), weights, scale, moment) <= cost(
        nearest, weights, scale, moment
    )


def test_columns_come_near_the_best_of_all_integers():
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(20):
        rows = rng.normal(size=(30, 4)) + 2 * rng.normal(size=(30, 1))
        moment = (rows.T @ rows / 30)[None]
        weights, scale = rng.normal(size=(1, 1, 4)), np.ones((1, 1, 1))
        around = itertools.product(*[(np.floor(w) - 1, np.floor(w), np.ceil(w), np.ceil(w) + 1) for w in weights[0, 0]])
        best = min(cost(np.array([[row]]), weights, scale, moment) for row in around)
        found = descend(round_by_columns(weights, scale, moment, 9), weights, scale, moment, 9)
        ratios.append(np.sqrt(cost(found, weights, scale, moment) / best))
        assert cost(np.round(weights), weights, scale, moment) >= best
    assert np.median(ratios) < 1.3


def test_blocks_of_columns_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2, 60, 11))
    moment = np.swapaxes(rows, 1, 2) @ rows / 60
    weights, scale = rng.normal(size=(2, 3, 11)), np.full((2, 3, 1), 0.1)
    whole = round_by_columns(weights, scale, moment, 127)
    monkeypatch.setattr("edgecnn.compress.quantize.correction.lattice.BLOCK", 3)
    np.testing.assert_array_equal(whole, round_by_columns(weights, scale, moment, 127))


@pytest.mark.parametrize("name", NAMES)
def test_weights_behind_dq_come_back_as_they_are_stored(name):
    model, quantized = placed_by(name)
    placed = Placed(quantized)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    assert len(placed.layers) >= 6
    assert placed.limit <= (64 if name == "onnxruntime_avx2" else 127)
    for layer in placed.layers:
        weights = constants[nodes[layer.node.name].input[1]]
        real = placed.integers(layer) * placed.scales(layer)
        assert np.linalg.norm(real - weights) < 0.03 * np.linalg.norm(weights)
        bias = placed.bias(layer)
        step = placed.array(layer.bias_scale).max() if layer.bias_scale else 1e-6
        np.testing.assert_allclose(bias, constants[nodes[layer.node.name].input[2]], atol=step)
        turned, shifted = -placed.integers(layer), bias + 0.5
        placed.set_integers(layer, turned)
        assert placed.set_bias(layer, shifted)
        np.testing.assert_array_equal(placed.integers(layer), turned)
        np.testing.assert_allclose(placed.bias(layer), shifted, atol=step)


def test_a_bias_beyond_int32_is_refused():
    _, quantized = placed_by("onnxruntime_x86")
    placed = Placed(quantized)
    layer = next(one for one in placed.layers if one.bias_scale is not None)
    before = placed.bias(layer)
    assert not placed.set_bias(layer, before + 1e9)
    np.testing.assert_array_equal(placed.bias(layer), before)


@pytest.mark.parametrize("name", NAMES)
def test_fitted_layers_lower_the_error_of_the_outputs(name):
    # Weights of four bits in eight: what is lost there can be made good, unlike most of what activations lose.
    model, quantized = placed_by(name, 3)
    placed = Placed(quantized)
    for layer in placed.layers:
        placed.set_integers(layer, placed.integers(layer) // 12 * 12)
    unseen = list(Frames(6, seed=99))
    reference = outputs(model, unseen)
    before = output_error(reference, outputs(quantized, unseen))
    stored = quantized.SerializeToString(deterministic=True)
    fitted, done = reconstruct(model, quantized, Frames(64), ENOUGH)
    assert quantized.SerializeToString(deterministic=True) == stored
    assert output_error(reference, outputs(fitted, unseen)) < 0.4 * before
    changed = [one for one in done if not one.reason]
    assert len(changed) >= 6
    assert all(one.after < one.before for one in changed)
    old, new = Placed(quantized), Placed(fitted)
    assert new.limit <= 128
    for one, other in zip(old.layers, new.layers, strict=True):
        np.testing.assert_array_equal(old.scales(one), new.scales(other))


def test_biases_alone_take_out_a_mean_error():
    model, quantized = placed_by("openvino_cpu", 4)
    placed = Placed(quantized)
    for layer in placed.layers[:3]:
        bias = placed.bias(layer)
        placed.set_bias(layer, bias + 0.2 * (1 + np.abs(bias)))
    mended, done = correct_biases(model, quantized, Frames(16), ENOUGH)
    assert sum(not one.reason for one in done) >= 3
    one, other = Placed(quantized), Placed(mended)
    for before, after in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(one.integers(before), other.integers(after))
    name, errors = better_of(model, {"as it was": quantized, "mended": mended}, Frames(8, seed=5))
    assert name == "mended"
    assert errors["mended"] < 0.5 * errors["as it was"]


def test_time_names_and_size_leave_layers_as_they_are(monkeypatch):
    model, quantized = placed_by("openvino_cpu")
    fitted, done = reconstruct(model, quantized, Frames(4), Budget(seconds=0))
    assert {one.reason for one in done} == {"time is up"}
    assert fitted == quantized
    for node in model.graph.node:
        node.name += ".other"
    _, done = reconstruct(model, quantized, Frames(4), ENOUGH)
    assert {one.reason for one in done} == {"the float model has no such layer"}
    monkeypatch.setattr(rounding, "MOST_WORK", 10)
    _, done = reconstruct(shuffle_net(0, 0.5), quantized, Frames(4), ENOUGH)
    assert {one.reason for one in done} == {"too large"}
    with pytest.raises(DataError):
        reconstruct(model, quantized, Frames(0), ENOUGH)


def test_one_frame_is_enough_to_run():
    model, quantized = placed_by("openvino_cpu")
    fitted, _ = reconstruct(model, quantized, Frames(1), ENOUGH)
    assert all(np.isfinite(answer).all() for frame in outputs(fitted, Frames(2)) for answer in frame)


def test_every_scheme_is_known():
    assert set(NAMES) <= set(SCHEMES)


def test_zeros_of_a_2_4_pattern_stay_zero():
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 1, (1, 6, 16))
    free = np.tile([True, False, True, False], 4)
    weights *= free
    scale = np.abs(weights).max(axis=2, keepdims=True) / 127
    x = rng.normal(0, 1, (400, 16)) @ rng.normal(0, 1, (16, 16))
    moment = (x.T @ x / len(x))[None]
    pushed = rng.normal(0, 0.05, weights.shape) + weights
    for may, zeros in ((np.broadcast_to(free, weights.shape), True), (None, False)):
        integers = round_by_columns(pushed, scale, moment, 127, may)
        integers = descend(integers, pushed, scale, moment, 127, may)
        assert bool((integers[..., ~free] == 0).all()) is zeros
    assert is_2_4(weights[0])
    assert not is_2_4(pushed[0])
