"""One contract over every engine of the registry. An engine that is not in CASES fails the first test."""

import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contract_networks import Network, float_network, frame_network

from edgecnn.core.errors import EngineError, InputError, TensorError
from edgecnn.core.registry import ENGINES, resolve
from edgecnn.core.tensor import TensorSpec

# (engine, how its files are made, whether it computes anything)
CASES = {
    "onnxruntime": ("onnxruntime", Network.onnx_files, True),
    "openvino": ("openvino", Network.openvino_files, True),
    "openvino-onnx": ("openvino", Network.onnx_files, True),
    "null": ("null", Network.onnx_files, False),
}
REAL = [name for name, case in CASES.items() if case[2]]
ODD_SHAPES = [(1, 1), (7, 5), (33, 17), (2, 31)]


def engine_of(case, network, **options):
    name, files, _ = CASES[case]
    return resolve("engine", name)(files(network), network.inputs, network.outputs, {"threads": 1, **options})


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def test_every_engine_is_in_the_contract():
    assert {case[0] for case in CASES.values()} == set(ENGINES)


@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize("name", REAL)
def test_fp32_agrees_with_the_reference(name, shape):
    network = frame_network(*shape, int8=False)
    engine = engine_of(name, network)
    for seed in range(3):
        feeds = network.feeds(seed)
        got, wanted = engine.infer(feeds), network.reference(feeds)
        for key in wanted:
            np.testing.assert_allclose(got[key], wanted[key], rtol=1e-4, atol=1e-5, err_msg=key)
    engine.close()


@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize("name", REAL)
def test_int8_agrees_with_the_reference_to_a_rounding_step(name, shape):
    network = frame_network(*shape, int8=True)
    engine = engine_of(name, network)
    # A tie rounded the other way moves one activation by one step of its scale; weights are below 1.
    step = 3 / 255
    for seed in range(3):
        feeds = network.feeds(seed)
        got, wanted = engine.infer(feeds), network.reference(feeds)
        for key in wanted:
            np.testing.assert_allclose(got[key], wanted[key], atol=step, err_msg=key)
            assert np.abs(got[key] - wanted[key]).mean() < step / 10
    engine.close()


def test_outputs_are_named_shaped_and_typed_as_the_manifest_says(case):
    network = frame_network(7, 5, int8=False)
    engine = engine_of(case, network)
    assert (engine.inputs, engine.outputs) == (network.inputs, network.outputs)
    out = engine.infer(network.feeds(0))
    assert list(out) == [spec.name for spec in network.outputs]
    for spec in network.outputs:
        spec.check(out[spec.name])
    engine.close()


def bad_feeds(good):
    left = good["left"]
    poisoned, endless = left.copy(), left.copy()
    poisoned[0, 1, 2], endless[0, 2, 4] = np.nan, np.inf
    yield "one missing", {"left": left}, "named"
    yield "one too many", {**good, "extra": left}, "named"
    yield "misnamed", {"lefty": left, "right": left}, "named"
    yield "shape", {**good, "left": left[:, :2]}, r"\[1, 3, 5\]"
    yield "rank", {**good, "left": left[0]}, r"\[1, 3, 5\]"
    yield "transposed", {**good, "left": left.transpose(0, 2, 1)}, r"\[1, 3, 5\]"
    yield "empty", {**good, "left": left[:0]}, r"\[1, 3, 5\]"
    yield "double", {**good, "left": left.astype(np.float64)}, "float32"
    yield "integers", {**good, "left": left.astype(np.int32)}, "float32"
    yield "bytes swapped", {**good, "left": left.astype(left.dtype.newbyteorder())}, "float32"
    yield "a list", {**good, "left": left.tolist()}, "NumPy"
    yield "NaN", {**good, "left": poisoned}, "NaN"
    yield "infinity", {**good, "left": endless}, "NaN or infinity"


def test_bad_inputs_are_refused_by_name_and_the_next_good_one_works(case):
    network = float_network()
    engine = engine_of(case, network)
    good = network.feeds(0)
    wanted = engine.infer(good)["sum"]
    for what, feeds, words in bad_feeds(good):
        with pytest.raises(TensorError, match=words) as caught:
            engine.infer(feeds)
        assert "\n" not in str(caught.value), what
        np.testing.assert_array_equal(engine.infer(good)["sum"], wanted, err_msg=what)
    engine.close()


@pytest.mark.parametrize("name", REAL)
def test_strided_views_give_what_their_copies_give(name):
    network = frame_network(7, 5, int8=False)
    engine = engine_of(name, network)
    wide = np.random.default_rng(0).integers(0, 256, (1, 14, 10, 6), np.uint8)
    for view in (
        wide[:, ::2, ::-2, ::2],
        wide[:, :7, :5, :3],
        wide.transpose(0, 3, 2, 1)[:, :, :5, :3].repeat(2, 1)[:, :7],
    ):
        strided, whole = engine.infer({"frame": view}), engine.infer({"frame": view.copy()})
        for key in whole:
            np.testing.assert_array_equal(strided[key], whole[key])
    engine.close()


def test_outputs_and_inputs_are_not_aliased(case):
    network = frame_network(7, 5, int8=False)
    engine = engine_of(case, network)
    feeds = network.feeds(0)
    before = {key: array.copy() for key, array in feeds.items()}
    first = engine.infer(feeds)
    kept = {key: array.copy() for key, array in first.items()}
    for seed in range(1, 4):
        second = engine.infer(network.feeds(seed))
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])
        assert not (array.flags.writeable and np.may_share_memory(array, second[key]))
    for key, array in feeds.items():
        np.testing.assert_array_equal(array, before[key])
        array[:] = 0
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])
    engine.close()
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])


def test_sixteen_threads_match_one(case):
    network = frame_network(33, 17, int8=True)
    engine = engine_of(case, network, threads=2)
    feeds = [network.feeds(seed) for seed in range(16)]
    wanted = [engine.infer(feed) for feed in feeds]
    start = threading.Barrier(16)

    def work(number):
        start.wait()
        for turn in range(40):
            k = (number + turn) % 16
            got = engine.infer(feeds[k])
            for key in got:
                np.testing.assert_array_equal(got[key], wanted[k][key])
        return 40

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(16))) == 640
    engine.close()


def resources():
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_fifty_loads_leave_no_memory_threads_or_files_behind(case):
    network = frame_network(33, 17, int8=False)
    name, make, _ = CASES[case]
    files, feeds, opener = make(network), network.feeds(0), resolve("engine", name)

    def cycle(times):
        for _ in range(times):
            engine = opener(files, network.inputs, network.outputs, {"threads": 2})
            engine.infer(feeds)
            engine.close()

    cycle(10)
    memory_mib, threads, descriptors = resources()
    cycle(50)
    memory_after_mib, threads_after, descriptors_after = resources()
    assert threads_after <= threads
    assert descriptors_after <= descriptors
    # A network kept by mistake costs 100 KiB a cycle and more; the rest is the allocators' slack.
    assert memory_after_mib - memory_mib < 3


@pytest.mark.parametrize("name", REAL)
def test_a_closed_engine_says_so(name):
    network = float_network()
    engine = engine_of(name, network)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(network.feeds(0))
    with pytest.raises(EngineError, match="closed"):
        engine.facts()


def test_unknown_options_are_refused_with_the_nearest(case):
    with pytest.raises(InputError, match=r"thread_count.*threads"):
        engine_of(case, float_network(), thread_count=2)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("threads", [0, -1, True, "2", 1.5])
def test_senseless_thread_counts_are_refused(name, threads):
    with pytest.raises(InputError, match="'threads' must be a whole number above 0"):
        engine_of(name, float_network(), threads=threads)


def test_facts_tell_what_is_in_force(case):
    name, _, computes = CASES[case]
    engine = engine_of(case, float_network(), threads=1)
    facts = engine.facts()
    assert facts["engine"] == engine.name == name
    if computes:
        assert facts["threads"] == 1
        assert facts["version"]
    engine.close()


# In a process of its own: what one engine did to the thread can't be undone for the next.
@pytest.mark.parametrize("name", REAL)
def test_loading_and_running_leaves_the_callers_arithmetic_alone(name):
    code = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
import numpy as np
from test_engines import engine_of, frame_network
smallest = np.finfo(np.float64).tiny
network = frame_network(7, 5, int8=False)
engine = engine_of({name!r}, network, threads=2)
engine.infer(network.feeds(0))
print(smallest / 2 > 0, np.geterr()["under"])
"""
    assert in_a_fresh_process(code) == "True ignore\n"


def in_a_fresh_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_openvino_computes_in_f32_unless_told_otherwise():
    engine = engine_of("openvino", float_network())
    assert engine.facts()["precision"] == "f32"
    engine.close()


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("damage", [lambda _: b"", lambda data: data[: len(data) // 2], lambda _: b"junk" * 50])
def test_what_is_no_network_is_one_clear_line(name, damage):
    engine, make, _ = CASES[name]
    network = frame_network(7, 5, int8=False)
    files = make(network)
    main = next(iter(files))
    with pytest.raises(EngineError) as caught:
        resolve("engine", engine)({**files, main: damage(files[main])}, network.inputs, network.outputs, {})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(engine)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    ("role", "spec"),
    [
        ("input", TensorSpec("frame", (1, 8, 5, 3), "uint8")),
        ("input", TensorSpec("frame", (1, 7, 5, 3), "float32")),
        ("input", TensorSpec("picture", (1, 7, 5, 3), "uint8")),
        ("output", TensorSpec("what", (1, 5), "float32")),
        ("output", TensorSpec("whither", (1, 4), "float32")),
    ],
)
def test_a_network_that_is_not_the_manifests_is_refused(name, role, spec):
    engine, make, _ = CASES[name]
    network = frame_network(7, 5, int8=False)
    inputs = (spec,) if role == "input" else network.inputs
    outputs = (spec,) if role == "output" else network.outputs
    with pytest.raises(EngineError, match=spec.name) as caught:
        resolve("engine", engine)(make(network), inputs, outputs, {})
    assert "\n" not in str(caught.value)
