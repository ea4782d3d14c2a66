"""OpenVINO's options: each where the device knows it, read back, a cache of compiled networks, and blobs."""

import numpy as np
import pytest
from contract_networks import frame_network

from edgecnn.compile.openvino_blob_from_onnx import compile_model
from edgecnn.core.errors import EngineError, InputError
from edgecnn.runtime.engines import openvino_settings
from edgecnn.runtime.engines.openvino import open_engine
from edgecnn.runtime.engines.openvino_settings import settings_for


def opened(files=None, **options):
    network = frame_network(7, 5)
    return open_engine(files or network.onnx_files(), network.inputs, network.outputs, options)


def facts(files=None, **options):
    engine = opened(files, **options)
    found = engine.facts()
    engine.close()
    return found


def test_what_was_asked_for_is_what_the_network_reports():
    found = facts(
        threads=2,
        streams=2,
        hint="throughput",
        requests=2,
        pinning=False,
        hyper_threading=False,
        core_type="performance",
        execution_mode="accuracy",
        profiling=True,
        sparse_weights=0.5,
    )
    assert (found["threads"], found["streams"], found["requests"]) == (2, 2, 2)
    assert (found["performance_hint"], found["execution_mode"]) == ("THROUGHPUT", "ACCURACY")
    assert (found["pinning"], found["hyper_threading"], found["profiling"]) == (False, False, True)
    assert (found["core_type"], found["sparse_weights"], found["precision"]) == ("PCORE_ONLY", 0.5, "f32")


def test_auto_hands_options_on_and_stays_in_float32():
    found = facts(device="AUTO", threads=1, pinning=False)
    assert found["device"] == ["CPU"]
    assert (found["threads"], found["pinning"], found["precision"]) == (1, False, "f32")
    assert facts(device="HETERO:CPU", threads=1)["threads"] == 1


@pytest.mark.parametrize("name", ["turbo", "priority", "queue_throttle", "tiles", "compilation_mode"])
def test_an_option_of_another_device_is_refused_with_those_it_takes(name):
    value = {"turbo": True, "tiles": 2, "compilation_mode": "x=1"}.get(name, "low")
    with pytest.raises(InputError, match=f"device CPU has no option '{name}'; it takes .*pinning"):
        opened(**{name: value})


@pytest.mark.parametrize("device", ["NPU", "GPU", "GPU.1", "AUTO:NPU,CPU", "HETERO:GPU", "XPU"])
def test_a_device_that_is_not_here_is_one_line(device):
    with pytest.raises(EngineError, match=r"no device .* on this machine \(found: CPU") as caught:
        opened(device=device)
    assert "\n" not in str(caught.value)


class Npu:
    """A core with an NPU and a CPU, as their drivers list properties."""

    available_devices = ("CPU", "NPU")
    keys = {  # noqa: RUF012 - read only
        "CPU": ("INFERENCE_NUM_THREADS", "PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT", "ENABLE_CPU_PINNING"),
        "NPU": ("PERFORMANCE_HINT", "NPU_TURBO", "NPU_COMPILATION_MODE_PARAMS", "INFERENCE_PRECISION_HINT"),
        "AUTO": ("PERFORMANCE_HINT", "MODEL_PRIORITY"),
    }

    def get_property(self, device, _):
        return dict.fromkeys(self.keys[device], "RW") | {"EXECUTION_DEVICES": "RO"}


@pytest.fixture
def npu(monkeypatch):
    monkeypatch.setattr(openvino_settings, "core", Npu)
    openvino_settings._supported.cache_clear()
    yield
    openvino_settings._supported.cache_clear()


@pytest.mark.usefixtures("npu")
def test_an_npu_gets_its_own_options_and_chooses_its_precision():
    assert settings_for("NPU", {"turbo": True, "threads": 4, "compilation_mode": "optimization-level=2"}) == {
        "PERFORMANCE_HINT": "LATENCY",
        "NPU_TURBO": True,
        "NPU_COMPILATION_MODE_PARAMS": "optimization-level=2",
    }


@pytest.mark.usefixtures("npu")
def test_auto_gives_each_device_what_it_knows():
    told = settings_for("AUTO:NPU,CPU", {"turbo": True, "threads": 4, "priority": "high", "cache_dir": "c"})
    assert told == {
        "PERFORMANCE_HINT": "LATENCY",
        "MODEL_PRIORITY": "HIGH",
        "CACHE_DIR": "c",
        "DEVICE_PROPERTIES": {
            "NPU": {"NPU_TURBO": True},
            "CPU": {"INFERENCE_NUM_THREADS": 4, "INFERENCE_PRECISION_HINT": "f32"},
        },
    }


def test_a_cache_works_from_bytes_and_heals(tmp_path):
    network = frame_network(33, 17)
    feeds = network.feeds(0)
    answers, cached = [], []

    def run():
        engine = open_engine(network.onnx_files(), network.inputs, network.outputs, {"cache_dir": str(tmp_path)})
        answers.append(engine.infer(feeds)["where"])
        cached.append(engine.facts()["from_cache"])
        engine.close()

    run()
    run()
    (blob,) = tmp_path.glob("*.blob")
    blob.write_bytes(b"junk" * 100)
    run()
    run()
    assert cached == [False, True, False, True]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


@pytest.fixture(scope="module")
def blob_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blob")
    (folder / "source.onnx").write_bytes(frame_network(7, 5).model.SerializeToString())
    made = compile_model(folder / "source.onnx", folder / "out", "fp32")
    return {file.name: file.read_bytes() for file in made.files}


def test_a_blob_is_used_where_it_fits_and_never_comes_alone(blob_files):
    assert list(blob_files) == ["model.xml", "model.bin", "model.blob", "blob.json"]
    network = frame_network(7, 5)
    feeds = network.feeds(0)
    wanted = network.reference(feeds)
    for options, used in (({}, "used"), ({"threads": 1, "blob": "require"}, "used"), ({"blob": "ignore"}, None)):
        engine = opened(blob_files, **options)
        assert engine.facts().get("blob") == used
        for name, answer in engine.infer(feeds).items():
            np.testing.assert_allclose(answer, wanted[name], rtol=1e-4, atol=1e-5)
        engine.close()


@pytest.mark.parametrize(("was", "now", "word"), [(b"2026.", b"2025.", "OpenVINO"), (b"isa=", b"isa=X", "hardware")])
def test_a_blob_from_elsewhere_is_refused_in_one_line_and_the_network_compiled(blob_files, was, now, word):
    if was not in blob_files["blob.json"]:
        pytest.skip("another release")
    files = {**blob_files, "blob.json": blob_files["blob.json"].replace(was, now)}
    assert word in facts(files)["blob"]
    with pytest.raises(EngineError, match=f"compiled for {word}") as caught:
        opened(files, blob="require")
    assert "\n" not in str(caught.value)


def test_a_blob_compiled_otherwise_is_not_used(blob_files):
    assert "precision bf16" in facts(blob_files, precision="bf16")["blob"]
    assert "device CPU" in facts(blob_files, device="AUTO")["blob"]


@pytest.mark.parametrize("damage", [{"model.blob": b"junk"}, {"model.blob": b""}, {"blob.json": b"{}"}])
def test_a_damaged_blob_is_one_line(blob_files, damage):
    with pytest.raises(EngineError) as caught:
        opened({**blob_files, **damage})
    assert "\n" not in str(caught.value)


def test_require_without_a_blob_says_how_to_get_one():
    with pytest.raises(EngineError, match="openvino-blob"):
        opened(blob="require")


def test_int8_blobs_whose_input_has_a_further_name_load(tmp_path):
    # Compiling moves the conversion of pixels into the input, which then goes by both names.
    network = frame_network(33, 17).quantized("openvino_cpu")
    (tmp_path / "source.onnx").write_bytes(network.model.SerializeToString())
    made = compile_model(tmp_path / "source.onnx", tmp_path / "out", "int8")
    files = {file.name: file.read_bytes() for file in made.files}
    feeds = network.feeds(0)
    wanted = network.reference(feeds)
    for blob in ("require", "ignore"):
        engine = open_engine(files, network.inputs, network.outputs, {"blob": blob, "threads": 1})
        for name, answer in engine.infer(feeds).items():
            np.testing.assert_allclose(answer, wanted[name], atol=network.step)
        engine.close()
