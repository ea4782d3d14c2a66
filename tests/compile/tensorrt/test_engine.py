"""The engine over fakes of each version: numbers, buffers, CUDA graphs, threads, errors, and nothing left behind."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fake_tensorrt import VERSIONS
from onnx import TensorProto, helper
from simulated import simulated
from small_tensorrt import INPUTS, OUTPUTS, files, frame, model, wanted

from edgecnn.core.errors import EngineError, InputError, TensorError
from edgecnn.core.tensor import TensorSpec


@pytest.fixture(params=VERSIONS)
def place(request):
    with simulated(request.param) as found:
        yield found


def opened(place, **options):
    return place.engine.open_engine(files(), INPUTS, OUTPUTS, options)


def same(got, feed):
    for name, array in wanted(feed).items():
        np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-6)
        assert got[name].dtype == np.float32


def test_inferences_give_what_numpy_gives_and_own_their_memory(place):
    engine = opened(place)
    first = engine.infer({"frame": frame(0)})
    kept = {name: array.copy() for name, array in first.items()}
    for seed in range(1, 4):
        same(engine.infer({"frame": frame(seed)}), frame(seed))
    engine.close()
    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])
    same(kept, frame(0))


def test_strided_frames_are_copied_as_what_they_show(place):
    engine = opened(place)
    wide = np.random.default_rng(1).integers(0, 256, (1, 10, 8, 6), np.uint8)
    same(engine.infer({"frame": wide[:, ::2, ::-2, ::2]}), wide[:, ::2, ::-2, ::2])
    engine.close()


def test_one_graph_launch_is_an_inference(place):
    engine = opened(place)
    place.cuda.calls.clear()
    place.trt.calls.clear()
    engine.infer({"frame": frame()})
    assert place.cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]
    assert place.trt.calls == []
    assert engine.facts()["cuda_graph"] is True
    engine.close()


def test_without_a_graph_copies_and_the_network_go_on_the_stream_in_order(place):
    engine = opened(place, cuda_graph=False)
    place.cuda.calls.clear()
    place.trt.calls.clear()
    same(engine.infer({"frame": frame(5)}), frame(5))
    assert place.cuda.calls == ["cudaMemcpyAsync", "cudaMemcpyAsync", "cudaMemcpyAsync", "cudaStreamSynchronize"]
    assert [call.partition("(")[0] for call in place.trt.calls] == ["IExecutionContext.execute_async_v3"]
    assert engine.facts()["why_no_cuda_graph"] == ""
    engine.close()


def test_a_network_that_cannot_be_captured_runs_all_the_same_and_says_why(place):
    place.trt.fail["capture"] = "operation not permitted when stream is capturing"
    engine = opened(place)
    same(engine.infer({"frame": frame(2)}), frame(2))
    facts = engine.facts()
    assert facts["cuda_graph"] is False
    assert "not permitted when stream is capturing" in facts["why_no_cuda_graph"]
    engine.close()
    assert not place.cuda.streams


@pytest.mark.parametrize("call", ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"])
def test_a_capture_that_cuda_refuses_is_given_up(place, call):
    place.cuda.fail[call] = "cudaErrorStreamCaptureUnsupported"
    engine = opened(place)
    assert "cudaErrorStreamCaptureUnsupported" in engine.facts()["why_no_cuda_graph"]
    if call != "cudaStreamEndCapture":
        same(engine.infer({"frame": frame(2)}), frame(2))
        engine.close()


def test_sixteen_threads_match_one(place):
    engine = opened(place)
    answers = [wanted(frame(seed)) for seed in range(16)]

    def work(number):
        for turn in range(10):
            k = (number + turn) % 16
            got = engine.infer({"frame": frame(k)})
            for name, array in answers[k].items():
                np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-6)
        return 10

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(16))) == 160
    engine.close()


def test_nothing_is_left_on_the_device(place):
    for _ in range(3):
        engine = opened(place)
        engine.infer({"frame": frame()})
        engine.layer_times({"frame": frame()}, 2)
        engine.close()
        engine.close()
    assert (place.cuda.memory, place.cuda.streams, place.cuda.graphs) == ({}, {}, {})


def test_a_failed_load_leaves_nothing_either(place):
    place.trt.fail["IExecutionContext.set_tensor_address"] = "Error Code 3: invalid address"
    with pytest.raises(EngineError, match="'frame' can't be given its memory: Error Code 3"):
        opened(place)
    assert (place.cuda.memory, place.cuda.streams) == ({}, {})


def test_a_closed_engine_says_so(place):
    engine = opened(place)
    engine.close()
    for use in (lambda: engine.infer({"frame": frame()}), engine.facts, lambda: engine.layer_times({"frame": frame()})):
        with pytest.raises(EngineError, match="closed; load the bundle again"):
            use()


def test_bad_inputs_are_refused_and_the_next_good_one_works(place):
    engine = opened(place)
    for feeds in ({}, {"frame": frame().astype(np.float32)}, {"frame": frame()[:, :2]}):
        with pytest.raises(TensorError):
            engine.infer(feeds)
        same(engine.infer({"frame": frame(3)}), frame(3))
    engine.close()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Runtime.__init__", "no runtime"),
        ("ICudaEngine.create_execution_context", "no execution context"),
        ("IExecutionContext.set_input_shape", "input 'frame' can't be of shape"),
        ("IExecutionContext.execute_async_v3", "can't be put on the stream"),
    ],
)
def test_every_refusal_carries_the_loggers_words(place, step, words):
    place.trt.fail[step] = "Error Code 2: OutOfMemory"
    with pytest.raises(EngineError, match=f"{words}.*Error Code 2: OutOfMemory"):
        opened(place)


@pytest.mark.parametrize("call", ["cudaGetDeviceCount", "cudaMalloc", "cudaHostAlloc", "cudaStreamCreateWithFlags"])
def test_every_refusal_of_cuda_carries_its_words(place, call):
    place.cuda.fail[call] = "cudaErrorNoDevice"
    with pytest.raises(EngineError, match=r"CUDA could not .*: cudaErrorNoDevice"):
        opened(place)
    assert place.cuda.memory == {}


def test_facts_tell_what_is_in_force(place):
    engine = opened(place, threads=3)
    facts = engine.facts()
    told = {key: facts[key] for key in ("engine", "device", "compute_capability", "threads", "precision", "tf32")}
    assert told == {
        "engine": "tensorrt",
        "device": "Orin",
        "compute_capability": "8.7",
        "threads": 3,
        "precision": "fp32",
        "tf32": False,
    }
    assert facts["version"] == place.trt.module.__version__
    assert (facts["cuda_driver"], facts["cuda_runtime"]) == ("12.6", "12.9")
    assert (facts["layers"], facts["sparse_layers"], facts["layers_on_dla"]) == (4, 4, 0)
    engine.close()


def test_layer_times_come_from_a_run_of_their_own(place):
    engine = opened(place)
    times = engine.layer_times({"frame": frame()}, 5)
    assert {name: len(values) for name, values in times.items()} == dict.fromkeys(["cast", "unit", "rows", "sum"], 5)
    assert engine.facts()["cuda_graph"] is True
    same(engine.infer({"frame": frame(4)}), frame(4))
    engine.close()


def test_a_dla_engine_is_loaded_onto_its_core(place):
    place.trt.dla_cores, place.trt.off_dla = 2, {"Cast"}
    half = {"precision": "fp16", "typing": "weak" if place.trt.version == 8 else "strong", "opset": 17}
    engine = place.engine.open_engine(
        files(place.engine.BuildSettings().prepared.__class__(**half, quantized=False)), INPUTS, OUTPUTS, {"dla": 1}
    )
    assert "Runtime.DLA_core = 1" in place.trt.calls
    assert engine.facts()["dla_fallback"] == ["cast"]
    engine.close()


def test_a_version_compatible_plan_may_bring_its_runtime(place):
    engine = opened(place, version_compatible=True)
    assert "Runtime.engine_host_code_allowed = True" in place.trt.calls
    engine.close()
    place.trt.calls.clear()
    opened(place).close()
    assert "Runtime.engine_host_code_allowed = True" not in place.trt.calls


@pytest.mark.parametrize(
    ("spec", "role"),
    [
        (TensorSpec("frame", (1, 6, 4, 3), "uint8"), "input"),
        (TensorSpec("picture", (1, 5, 4, 3), "uint8"), "input"),
        (TensorSpec("rows", (1, 5, 4, 3), "float32"), "output"),
        (TensorSpec("rows", (1, 5, 4, 2), "float16"), "output"),
        (TensorSpec("columns", (1, 5), "float32"), "output"),
    ],
)
def test_a_network_that_is_not_the_manifests_is_refused(place, spec, role):
    inputs, outputs = ((spec,), OUTPUTS) if role == "input" else (INPUTS, (spec,))
    with pytest.raises(EngineError, match=spec.name):
        place.engine.open_engine(files(), inputs, outputs, {})


@pytest.mark.parametrize("damage", [b"", b"junk" * 50, model().SerializeToString()[:300]])
def test_what_is_no_network_is_one_clear_line(place, damage):
    with pytest.raises(EngineError, match=r"^tensorrt: the parser refused the network") as caught:
        place.engine.open_engine({"model.onnx": damage}, INPUTS, OUTPUTS, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thread_count": 2}, "no option 'thread_count'.*threads"),
        ({"threads": 0}, "'threads' must be a whole number above 0"),
        ({"level": 6}, "'level' must be a whole number from 0 to 5"),
        ({"dla": True}, "'dla' must be a DLA core"),
        ({"hardware": "hopper"}, "'hardware' must be same, ampere"),
        ({"profiles": {"frame": [[1, 2], [1, 1], [1, 3]]}}, "'profiles' must be .* in rising order"),
        ({"profiles": {"frames": [[1], [1], [1]]}}, "profiles name no input 'frames'.*frame"),
    ],
)
def test_senseless_options_are_refused(options, words):
    with simulated(10) as place, pytest.raises(InputError, match=words):
        place.engine.open_engine(files(), INPUTS, OUTPUTS, options)


def test_a_network_of_free_batch_runs_at_the_bundles_shape():
    free = model(shape=("N", 5, 4, 3))
    for version in VERSIONS:
        with simulated(version) as place:
            profiles = {"frame": [[1, 5, 4, 3], [1, 5, 4, 3], [4, 5, 4, 3]]}
            engine = place.engine.open_engine(files(network=free), INPUTS, OUTPUTS, {"profiles": profiles})
            same(engine.infer({"frame": frame(7)}), frame(7))
            engine.close()
            assert "IExecutionContext.set_input_shape('frame', (1, 5, 4, 3))" in place.trt.calls


def test_int64_is_narrowed_and_given_back_where_a_version_has_none():
    ends = [helper.make_tensor_value_info(name, TensorProto.INT64, (1, 3)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", ends[:1], ends[1:])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    specs = (TensorSpec("x", (1, 3), "int64"),), (TensorSpec("y", (1, 3), "int64"),)
    for version in (8, 10):
        with simulated(version) as place:
            engine = place.engine.open_engine(files(network=network), *specs, {})
            got = engine.infer({"x": np.array([[1, -2, 3]])})["y"]
            assert (got.dtype, got.tolist()) == (np.int64, [[2, -4, 6]])
            if version == 8:
                with pytest.raises(TensorError, match="beyond int32"):
                    engine.infer({"x": np.array([[1, 2, 1 << 40]])})
            engine.close()
