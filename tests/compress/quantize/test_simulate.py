"""Error sums, the simulator against ONNX Runtime as it is, subsets, and observing in fixed memory."""

import tracemalloc

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from small_nets import answers, feeds, frames, relative_error, small_net

from edgecnn.compress.quantize import simulate
from edgecnn.compress.quantize.error import ErrorSum, snr_db
from edgecnn.compress.quantize.error import relative_error as measured
from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.observers import observe
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.simulate import Calibration, Simulator, Subset, output_error, outputs
from edgecnn.core.errors import DataError, EngineError
from edgecnn.core.registry import resolve


class Frames:
    """A calibration of seeded frames, made anew each time."""

    def __init__(self, count, seed=0):
        self.count, self.seed = count, seed

    def __len__(self):
        return self.count

    def __iter__(self):
        yield from feeds(self.count, self.seed)


@given(st.integers(0, 2**16), st.integers(1, 5), st.floats(1e-3, 10))
def test_error_sums_do_not_depend_on_how_the_frames_are_cut(seed, parts, scale):
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(parts, 40))
    got = want + scale * rng.normal(size=want.shape)
    total = ErrorSum()
    for first, second in zip(want, got, strict=True):
        total.add(first, second)
    assert total.relative == pytest.approx(np.linalg.norm(got - want) / np.linalg.norm(want))
    assert total.snr_db == pytest.approx(-20 * np.log10(total.relative))
    assert (total.relative, total.snr_db) == pytest.approx((measured(want, got), snr_db(want, got)))


def test_errors_of_silence():
    zero, one = np.zeros(3), np.ones(3)
    assert measured(zero, zero) == 0
    assert snr_db(one, one) == np.inf
    assert measured(zero, one) == np.inf
    assert snr_db(zero, one) == -np.inf


def test_simulation_follows_the_graph_where_integer_kernels_do_not():
    model = small_net(3)
    quantized, _ = quantize(model, resolve("scheme", "openvino_cpu"), feeds(8), Settings())
    batch = frames(6, seed=5)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(quantized.SerializeToString(), options, providers=["CPUExecutionProvider"])
    literal = np.concatenate([plain.run(None, {"image": frame[None]})[0] for frame in batch])
    for optimize in (False, True):
        simulator = Simulator(quantized, optimize=optimize)
        got = np.concatenate([simulator.run({"image": frame[None]})[0] for frame in batch])
        # Where convolutions sum in another order a value between two steps may fall to the other side.
        assert relative_error(got, literal) < (0.02 if optimize else 1e-6)


def test_named_tensors_in_the_order_asked():
    model = small_net(4)
    simulator = Simulator(model, ["v5", "y", "v4"], 1)
    feed = next(iter(feeds(1)))
    five, y, four = simulator.run(feed)
    np.testing.assert_array_equal(five, np.maximum(four, 0))
    np.testing.assert_allclose(y, answers(model, feed["image"]), rtol=1e-4, atol=1e-5)
    assert [a.shape for a in simulator.run(feed, ["v4"])] == [four.shape]
    with pytest.raises(EngineError):
        Simulator(model, ["no_such_tensor"])
    with pytest.raises(EngineError):
        simulator.run({"image": feed["image"][:, :3]})


@given(st.integers(1, 40), st.integers(1, 50))
def test_subsets_are_spread_and_as_long_as_they_say(total, count):
    chosen = Subset(_Numbers(total), count)
    seen = [int(feed["i"]) for feed in chosen]
    assert len(seen) == len(chosen) == min(total, count)
    assert seen == sorted(set(seen))
    assert seen[0] == 0
    assert len(set(np.diff(seen))) <= 1


class _Numbers:
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        yield from ({"i": np.array(i)} for i in range(self.count))


def test_two_subsets_share_no_frame():
    first, second = ({int(f["i"]) for f in Subset(_Numbers(20), 5, start)} for start in (0, 1))
    assert not first & second
    assert isinstance(Subset(_Numbers(3), 1), Calibration)


def test_output_error_weighs_outputs_alike():
    want = [[np.array([100.0, 0]), np.array([0.0, 1e-3]), np.array([1, 2])]]
    got = [[np.array([101.0, 0]), np.array([0.0, 1.1e-3]), np.array([3, 4])]]
    assert output_error(want, got) == pytest.approx(np.sqrt((0.01**2 + 0.1**2) / 2))
    model = small_net(5)
    same = outputs(model, Frames(2), 1)
    assert output_error(same, same) == 0


def test_observing_in_chunks_gives_the_same(monkeypatch):
    model = small_net(6)
    names = ("v3", "v4", "v5", "v6")
    whole, _ = observe(model, names, Frames(4), 1)
    monkeypatch.setattr(simulate, "FETCH_BYTES", 1000)
    cut, count = observe(model, names, Frames(4), 1)
    assert count == 4
    for name in names:
        np.testing.assert_array_equal(whole[name].counts, cut[name].counts)


def test_memory_does_not_grow_with_the_frames():
    model = small_net(7)
    peaks = []
    for count in (4, 4, 400):
        tracemalloc.start()
        observe(model, ("v4", "v5", "v6"), ({"image": frames(1, i)} for i in range(count)), 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 400 frames would be 265 kB of pixels and 3 MB of activations.
    assert peaks[2] - peaks[1] < 50_000


def test_nan_is_named_with_its_frame():
    class Broken(Frames):
        def __iter__(self):
            yield {"x": np.ones((1, 4), np.float32)}
            yield {"x": np.array([[1, np.nan, 1, 1]], np.float32)}

    info = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(DataError, match="frame 1 makes 'y'"):
        observe(model, ("y",), Broken(2), 1)


@given(st.integers(0, 2**16))
def test_merged_histograms_count_what_either_counted(seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=300).astype(np.float32) * 10 ** rng.uniform(-2, 2) for _ in range(2)]
    first, second = Histogram(), Histogram()
    first.add(parts[0])
    second.add(parts[1])
    first.merge(second)
    values = np.concatenate(parts)
    assert first.counts.sum() == 600
    assert (first.seen_min, first.seen_max) == (values.min(), values.max())
    mean = float(first.counts @ first.centres) / 600
    assert mean == pytest.approx(float(values.mean()), abs=2 * first.bound / 4096)
