"""ONNX Runtime's providers: what each may be told, what is told where it is missing, and the session's own settings."""

import types

import onnxruntime as ort
import pytest
from contract_networks import float_network, frame_network

from edgecnn.core.errors import EngineError, InputError, MissingExtraError
from edgecnn.core.registry import ENGINES, resolve
from edgecnn.runtime.engines import onnxruntime as engine_file
from edgecnn.runtime.engines import onnxruntime_provider as providers
from edgecnn.runtime.engines.onnxruntime_provider import PROVIDERS


def opened(name, **options):
    network = frame_network(7, 5)
    return resolve("engine", name)(network.onnx_files(), network.inputs, network.outputs, options)


def test_every_provider_is_an_engine_that_onnx_runtime_knows():
    assert {name for name in ENGINES if name.startswith("onnxruntime-")} == set(PROVIDERS)
    assert {provider.ort for provider in PROVIDERS.values()} <= set(ort.get_all_providers())


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_this_build_has_not_names_the_package_in_one_line(name):
    if PROVIDERS[name].ort in ort.get_available_providers():
        pytest.skip("this build has it")
    with pytest.raises((MissingExtraError, EngineError)) as caught:
        opened(name)
    said = str(caught.value)
    assert said.startswith(name)
    assert "\n" not in said
    assert "pip install" in said or "build" in said or "emulate" in said


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("onnxruntime-tensorrt", {"trt_fp16_enable": True}, "did you mean 'fp16'|has no option"),
        ("onnxruntime-tensorrt", {"builder_level": 6}, "0 to 5"),
        ("onnxruntime-tensorrt", {"fp16": 1}, "true or false"),
        ("onnxruntime-cuda", {"conv_search": "exhaustive"}, "EXHAUSTIVE"),
        ("onnxruntime-openvino", {"streams": 0}, "from 1"),
        ("onnxruntime-qnn", {"performance_mode": "fast"}, "burst"),
        ("onnxruntime-xnnpack", {"thread": 1}, "threads"),
        ("onnxruntime-coreml", {"units": "NPU"}, "CPUAndNeuralEngine"),
        ("onnxruntime", {"graph_optimization": "layout"}, "extended"),
    ],
)
def test_options_are_checked_before_anything_is_looked_for(name, options, words):
    with pytest.raises(InputError, match=words):
        opened(name, **options)


def test_options_reach_onnx_runtime_in_its_own_words():
    asked = {"fp16": True, "workspace_mib": 2, "builder_level": 5, "engine_cache_dir": "cache", "threads": 3}
    assert PROVIDERS["onnxruntime-tensorrt"].settings(asked) == {
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "2097152",
        "trt_builder_optimization_level": "5",
        "trt_engine_cache_path": "cache",
    }
    assert PROVIDERS["onnxruntime-xnnpack"].settings({"threads": 3}) == {"intra_op_num_threads": "3"}
    assert PROVIDERS["onnxruntime-cuda"].settings({})["use_tf32"] == "0"
    assert PROVIDERS["onnxruntime-openvino"].settings({"qdq_optimizer": False, "device": "NPU"}) == {
        "device_type": "NPU",
        "enable_qdq_optimizer": "False",
    }


def test_session_settings_are_read_back():
    engine = opened("onnxruntime", threads=1, spinning=False, graph_optimization="basic", memory_arena=False)
    facts = engine.facts()
    assert (facts["threads"], facts["spinning"], facts["memory_arena"]) == (1, False, False)
    assert facts["graph_optimization"] == "ORT_ENABLE_BASIC"
    assert facts["execution_mode"] == "ORT_SEQUENTIAL"
    engine.close()


class Session:
    """A session that took `ran` where another was asked for."""

    def __init__(self, ran):
        self.ran = ran

    def get_providers(self):
        return self.ran


def test_a_provider_that_quietly_did_not_start_is_an_error(monkeypatch):
    # ONNX Runtime says so on stderr only, and goes on with the CPU alone.
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    asked = {}

    def session(data, options, **given):
        asked.update(given)
        return Session(["CPUExecutionProvider"])

    monkeypatch.setattr(engine_file.ort, "InferenceSession", session)
    with pytest.raises(EngineError, match="CUDAExecutionProvider did not start"):
        opened("onnxruntime-cuda", device_id=1)
    assert asked["providers"][0] == ("CUDAExecutionProvider", {"use_tf32": "0", "device_id": "1"})
    assert asked["providers"][-1] == "CPUExecutionProvider"
    assert asked["enable_fallback"] is False


def test_tensorrt_leaves_the_rest_to_cuda_before_the_cpu(monkeypatch):
    both = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: both)
    attached = providers.attach("onnxruntime-tensorrt", ort.SessionOptions(), {"fp16": True})
    assert attached.providers == [("TensorrtExecutionProvider", {"trt_fp16_enable": "1"}), *both[1:]]


def device(kind):
    return types.SimpleNamespace(
        ep_name="QNNExecutionProvider", device=types.SimpleNamespace(type=types.SimpleNamespace(name=kind))
    )


def test_a_plug_in_takes_its_own_hardware_and_emulates_only_when_asked(monkeypatch):
    monkeypatch.setattr(providers, "_register", lambda name, package: True)
    chosen = types.SimpleNamespace(add_provider_for_devices=lambda devices, told: picked.append((devices, told)))
    picked = []
    monkeypatch.setattr(providers.ort, "get_ep_devices", lambda: [device("CPU"), device("NPU")])
    attached = providers.attach("onnxruntime-qnn", chosen, {"performance_mode": "burst"})
    assert picked[0][0][0].device.type.name == "NPU"
    assert picked[0][1] == {"backend_type": "htp", "htp_performance_mode": "burst"}
    assert (attached.providers, attached.emulated) == ([], False)
    monkeypatch.setattr(providers.ort, "get_ep_devices", lambda: [device("CPU")])
    with pytest.raises(EngineError, match="emulate"):
        providers.attach("onnxruntime-qnn", chosen, {})
    assert providers.attach("onnxruntime-qnn", chosen, {"emulate": True}).emulated
    monkeypatch.setattr(providers.ort, "get_ep_devices", list)
    with pytest.raises(EngineError, match="no device"):
        providers.attach("onnxruntime-qnn", chosen, {"emulate": True})


def test_what_fell_back_to_the_cpu_is_counted_by_kind():
    """The CPU stands in for a provider here: what is recorded is ONNX Runtime's own account of a real session."""
    network = float_network()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = ort.InferenceSession(network.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    told = providers.Attached([], {"num_of_threads": "2"})
    facts = engine_file._provider_facts(PROVIDERS["onnxruntime-openvino"], told, session)
    assert facts["nodes"] == {"CPUExecutionProvider": 2}
    assert facts["on_cpu"] == {"Add": 1, "Relu": 1}
    assert facts["threads"] == 2
