"""Engines are built once, kept under what they depend on, and never loaded unless they are what was built."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulated import simulated
from small_tensorrt import INPUTS, OUTPUTS, files, frame, model, small_bundle, wanted

from edgecnn.core import atomic
from edgecnn.core.errors import BundleError, EngineError
from edgecnn.runtime import load


@pytest.fixture
def place():
    with simulated(10) as found:
        yield found


def opened(place, network=None, **options):
    return place.engine.open_engine(files(network=network), INPUTS, OUTPUTS, options)


def builds(place):
    return sum(call.startswith("Builder.build_serialized_network") for call in place.trt.calls)


def test_a_second_load_builds_nothing(place, engine_cache):
    first = opened(place)
    assert first.facts()["built_now"] is True
    second = opened(place)
    facts = second.facts()
    assert (builds(place), facts["built_now"]) == (1, False)
    assert facts["plan"].startswith(str(engine_cache))
    first.close()
    second.close()


@pytest.mark.parametrize(
    "change",
    [
        {"level": 5},
        {"workspace_mib": 2048},
        {"tf32": True},
        {"sparse": True},
        {"version_compatible": True},
        {"hardware": "ampere+"},
        {"detailed": False},
    ],
)
def test_another_option_is_another_engine(place, change):
    opened(place).close()
    opened(place, **change).close()
    assert builds(place) == 2


def test_options_that_change_nothing_built_share_the_engine(place):
    opened(place).close()
    opened(place, threads=2, cuda_graph=False, timing_cache=False).close()
    assert builds(place) == 1


def test_another_model_gpu_or_version_is_another_engine(place):
    opened(place).close()
    changed = model()
    changed.graph.doc_string = "another"
    opened(place, changed).close()
    assert builds(place) == 2
    place.cuda.properties.name = b"Thor\0"
    opened(place).close()
    assert builds(place) == 3
    with simulated(11) as later:
        opened(later).close()
        assert builds(later) == 1


def test_kernels_timed_before_are_not_timed_again(place, engine_cache):
    opened(place).close()
    place.trt.calls.clear()
    opened(place, level=4).close()
    kept = next(engine_cache.glob("timing-*.cache")).read_bytes()
    assert f"IBuilderConfig.create_timing_cache(<{len(kept)} bytes>)" in place.trt.calls
    place.trt.calls.clear()
    opened(place, level=3, timing_cache=False).close()
    assert "IBuilderConfig.create_timing_cache(b'')" in place.trt.calls


def plan_of(engine_cache):
    return next(engine_cache.glob("*/engine.plan"))


@pytest.mark.parametrize("damage", ["plan", "record", "half", "gone", "swapped"])
def test_a_plan_that_is_not_what_was_built_is_built_again_and_never_loaded(place, engine_cache, damage):
    opened(place).close()
    plan = plan_of(engine_cache)
    record = plan.with_name("engine.json")
    if damage == "plan":
        plan.write_bytes(plan.read_bytes()[:-1] + b"\xff")
    elif damage == "half":
        plan.write_bytes(plan.read_bytes()[: plan.stat().st_size // 2])
    elif damage == "record":
        record.write_text("{")
    elif damage == "gone":
        plan.unlink()
    else:
        told = json.loads(record.read_text())
        told["key"]["model_sha256"] = "0" * 64
        record.write_text(json.dumps(told))
    place.trt.calls.clear()
    engine = opened(place)
    loads = [call for call in place.trt.calls if "deserialize" in call]
    assert (builds(place), len(loads)) == (1, 1)
    assert engine.infer({"frame": frame()})["sum"].shape == (1, 3)
    engine.close()


def test_a_plan_that_tensorrt_no_longer_takes_is_built_again(place, engine_cache):
    opened(place).close()
    plan = plan_of(engine_cache)
    record = plan.with_name("engine.json")
    told = json.loads(record.read_text())
    plan.write_bytes(b"from another library of the same version")
    told["sha256"] = atomic.sha256_file(plan)
    record.write_text(json.dumps(told))
    engine = opened(place)
    assert builds(place) == 2
    assert engine.facts()["built_now"] is True
    engine.close()


def test_what_was_just_built_and_does_not_load_is_an_error_at_once(place):
    place.trt.fail["Runtime.deserialize_cuda_engine"] = "magic tag does not match"
    with pytest.raises(EngineError, match="can't be loaded: magic tag does not match"):
        opened(place)
    assert builds(place) == 1


def test_threads_that_load_at_once_build_once(place):
    with ThreadPoolExecutor(4) as pool:
        for engine in pool.map(lambda _: opened(place), range(4)):
            engine.close()
    assert builds(place) == 1


def test_the_cache_is_the_users_own(place, engine_cache):
    opened(place).close()
    assert stat.S_IMODE(engine_cache.stat().st_mode) == 0o700
    engine_cache.chmod(0o777)
    with pytest.raises(EngineError, match=r"others can write to .* chmod 700"):
        opened(place)
    assert builds(place) == 1


def test_a_folder_that_cannot_be_made_is_named(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"no cache of engines at .*file/inside"):
        opened(place, cache=str(tmp_path / "file" / "inside"))


def test_an_asked_folder_is_taken(place, tmp_path):
    engine = opened(place, cache=str(tmp_path / "own"))
    assert engine.facts()["plan"].startswith(str(tmp_path / "own"))
    engine.close()


def test_a_bundle_runs_and_a_changed_one_reaches_no_builder(place, tmp_path):
    path = small_bundle(tmp_path / "bundle")
    with load(path, engine="tensorrt") as loaded:
        got = loaded.infer({"frame": frame(3)})
    assert abs(got["sum"] - wanted(frame(3))["sum"]).max() < 1e-4
    place.trt.calls.clear()
    network = path / "artefacts" / "tensorrt-fp32" / "model.onnx"
    network.chmod(0o644)
    network.write_bytes(network.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=r"not the file that was sealed"):
        load(path, engine="tensorrt")
    assert place.trt.calls == []
