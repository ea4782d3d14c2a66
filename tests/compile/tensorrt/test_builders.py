"""What each builder calls, in which order, against fakes that take only what the real bindings take."""

import numpy as np
import onnx
import pytest
from fake_tensorrt import VERSIONS
from onnx import TensorProto, helper
from simulated import simulated

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Prepared, Profile

START = [
    "init_libnvinfer_plugins('')",
    "Builder.__init__(Log)",
]
CONFIG = [
    "IBuilderConfig.set_memory_pool_limit(WORKSPACE, 1073741824)",
    "IBuilderConfig.profiling_verbosity = DETAILED",
    "IBuilderConfig.clear_flag(TF32)",
]
END = [
    "IBuilderConfig.create_timing_cache(b'')",
    "IBuilderConfig.set_timing_cache(ITimingCache, False)",
    "Builder.build_serialized_network(INetworkDefinition, IBuilderConfig)",
    "IBuilderConfig.get_timing_cache()",
    "ITimingCache.serialize()",
]
NATIVE_NORM = ["OnnxParser.set_flag(NATIVE_INSTANCENORM)"]
# (version, precision): flags of the network, calls of the parser beside parse, calls that set types
DIFFERENCES = {
    (8, "fp32"): (1, NATIVE_NORM, []),
    (8, "fp16"): (1, NATIVE_NORM, ["IBuilderConfig.set_flag(FP16)"]),
    (8, "int8"): (1, NATIVE_NORM, ["IBuilderConfig.set_flag(INT8)", "IBuilderConfig.set_flag(FP16)"]),
    (10, "fp32"): (2, [], []),
    (10, "fp16"): (2, [], []),
    (10, "int8"): (2, [], []),
    (11, "fp32"): (0, [], []),
    (11, "fp16"): (0, [], []),
    (11, "int8"): (0, [], []),
}


def relu(shape=(1, 4), opset=17, kind=TensorProto.FLOAT):
    """Return y = Relu(x) as bytes."""
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name="relu")], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return model.SerializeToString()


def prepared(version, precision):
    typing = "either" if precision == "fp32" else "weak" if version == 8 else "strong"
    return Prepared(precision=precision, typing=typing, opset=17, quantized=precision == "int8")


def plan(version, network=None, *, timing=b"", threads=0, change=None, **settings):
    with simulated(version) as place:
        if change is not None:
            change(place)
        built = place.build.build_plan(network or relu(), BuildSettings(**settings), timing, threads)
        return built, place.trt


def named(calls, *prefixes):
    return [call for call in calls if call.startswith(prefixes)]


@pytest.mark.parametrize(("version", "precision"), DIFFERENCES)
def test_the_sequence_of_each_version_and_precision(version, precision):
    flags, parsing, typing = DIFFERENCES[version, precision]
    built, trt = plan(version, prepared=prepared(version, precision))
    size = len(relu())
    assert trt.calls == [
        *START,
        f"Builder.create_network({flags})",
        "OnnxParser.__init__(INetworkDefinition, Log)",
        *parsing,
        f"OnnxParser.parse(<{size} bytes>)",
        "INetworkDefinition.get_input(0)",
        "ITensor.allowed_formats = 1",
        "INetworkDefinition.get_output(0)",
        "ITensor.allowed_formats = 1",
        "Builder.create_builder_config()",
        *typing,
        *CONFIG,
        "INetworkDefinition.get_input(0)",
        *END,
    ]
    assert built.plan
    assert built.timing_cache == b"timed " + trt.module.__version__.encode()
    assert built.seconds > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_every_setting_reaches_the_configuration(version):
    _, trt = plan(
        version,
        prepared=prepared(version, "fp32"),
        workspace_mib=256,
        level=5,
        sparse=True,
        tf32=True,
        version_compatible=True,
        hardware="ampere+",
        detailed=False,
        threads=3,
    )
    assert "Builder.max_threads = 3" in trt.calls
    assert named(trt.calls, "IBuilderConfig.")[:6] == [
        "IBuilderConfig.set_memory_pool_limit(WORKSPACE, 268435456)",
        "IBuilderConfig.profiling_verbosity = LAYER_NAMES_ONLY",
        "IBuilderConfig.set_flag(SPARSE_WEIGHTS)",
        "IBuilderConfig.builder_optimization_level = 5",
        "IBuilderConfig.set_flag(VERSION_COMPATIBLE)",
        "IBuilderConfig.hardware_compatibility_level = AMPERE_PLUS",
    ]


def test_a_hardware_level_that_a_version_lacks_is_named():
    _, trt = plan(11, hardware="same_compute_capability")
    assert "IBuilderConfig.hardware_compatibility_level = SAME_COMPUTE_CAPABILITY" in trt.calls
    with pytest.raises(EngineError, match="SAME_COMPUTE_CAPABILITY, only NONE, AMPERE_PLUS"):
        plan(8, hardware="same_compute_capability")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_free_input_gets_a_profile(version):
    network = relu(("N", 4))
    own = Profile((1, 4), (2, 4), (8, 4))
    _, trt = plan(version, network, profiles={"x": own}, shapes={"x": (1, 4)})
    profiles = named(trt.calls, "IOptimizationProfile", "IBuilderConfig.add_optimization_profile")
    assert profiles == [
        "IOptimizationProfile.set_shape('x', (1, 4), (2, 4), (8, 4))",
        "IBuilderConfig.add_optimization_profile(IOptimizationProfile)",
    ]
    _, trt = plan(version, network, shapes={"x": (3, 4)})
    assert "IOptimizationProfile.set_shape('x', (3, 4), (3, 4), (3, 4))" in trt.calls


def test_profiles_that_do_not_fit_are_refused():
    with pytest.raises(EngineError, match="of free shape \\[-1, 4\\]; give its shapes"):
        plan(10, relu(("N", 4)))
    with pytest.raises(EngineError, match=r"'x' is \[-1, 4\]; its profile says \[1, 5\]"):
        plan(10, relu(("N", 4)), profiles={"x": Profile((1, 5), (1, 5), (1, 5))})
    with pytest.raises(EngineError, match=r"fixed shape \[1, 4\]; give no profile"):
        plan(10, profiles={"x": Profile((1, 4), (1, 4), (1, 4))})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_timing_cache_is_used_where_it_fits_and_left_where_not(version):
    fitting, _ = plan(version)
    _, trt = plan(version, timing=fitting.timing_cache)
    assert len(named(trt.calls, "IBuilderConfig.set_timing_cache")) == 1
    assert f"IBuilderConfig.create_timing_cache(<{len(fitting.timing_cache)} bytes>)" in trt.calls
    _, trt = plan(version, timing=b"timed elsewhere")
    assert len(named(trt.calls, "IBuilderConfig.set_timing_cache")) == 2
    assert "IBuilderConfig.create_timing_cache(b'')" in trt.calls


@pytest.mark.parametrize("version", VERSIONS)
def test_refusals_carry_the_parsers_own_words(version):
    where = "node 3)" if version == 8 else "node 3, Conv 'conv1')"
    with pytest.raises(EngineError) as caught:
        plan(version, b"junk" * 9)
    assert str(caught.value).startswith("tensorrt: the parser refused the network: ModelImporter: ")
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match=r"opset 2[56] is not supported"):
        plan(version, relu(opset=26 if version == 11 else 25))


FAILING = {
    "Builder.__init__": "no builder: CUDA initialization failure with error: 35",
    "Builder.create_network": "no network: ",
    "OnnxParser.__init__": "no ONNX parser: ",
    "Builder.create_builder_config": "no builder configuration: ",
    "Builder.build_serialized_network": "no engine could be built: ",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("step", FAILING)
def test_every_failure_is_an_error_with_the_loggers_words(version, step):
    words = "CUDA initialization failure with error: 35"
    with pytest.raises(EngineError, match=FAILING[step]) as caught:
        plan(version, change=lambda place: place.trt.fail.update({step: words}))
    assert words in str(caught.value)
    with pytest.raises(EngineError, match=r"TensorRT gives no reason|returned nullptr"):
        plan(version, change=lambda place: place.trt.fail.update({step: ""}))


def test_plugins_that_do_not_register_are_an_error():
    with pytest.raises(EngineError, match="plugins can't be registered"):
        plan(10, change=lambda place: place.trt.fail.update({"init_libnvinfer_plugins": ""}))


@pytest.mark.parametrize(
    ("version", "told", "words"),
    [
        (8, Prepared(precision="int8", typing="strong", opset=19, quantized=True), "compile for target 'tensorrt_8'"),
        (8, Prepared(precision="fp32", typing="either", opset=20, quantized=False), "opset 20.*needs TensorRT 10"),
        (10, Prepared(precision="int8", typing="weak", opset=17, quantized=True), "compile for target 'tensorrt_10'"),
        (11, Prepared(precision="fp16", typing="weak", opset=17, quantized=False), "compile for target 'tensorrt_11'"),
    ],
)
def test_an_artefact_of_another_version_is_refused_by_name(version, told, words):
    with pytest.raises(EngineError, match=words):
        plan(version, prepared=told)


def test_int8_on_a_gpu_without_such_units_is_refused():
    with pytest.raises(EngineError, match="no INT8 units; take the fp16"):
        plan(8, prepared=prepared(8, "int8"), change=lambda place: setattr(place.trt, "int8_units", False))


def with_dla(cores=2, off=()):
    def change(place):
        place.trt.dla_cores, place.trt.off_dla = cores, set(off)

    return change


@pytest.mark.parametrize("version", VERSIONS)
def test_the_dla_is_configured_and_what_falls_back_is_told(version):
    told = prepared(version, "fp16")
    built, trt = plan(version, prepared=told, dla=1, change=with_dla(off=["Relu"]))
    calls = named(trt.calls, "IBuilderConfig", "Builder.create_network")
    assert ("IBuilderConfig.set_flag(FP16)" in calls) == (version < 11)
    assert calls[0] == f"Builder.create_network({ {8: 1, 10: 0, 11: 0}[version] })"
    start = calls.index("IBuilderConfig.default_device_type = DLA")
    assert calls[start : start + 4] == [
        "IBuilderConfig.default_device_type = DLA",
        "IBuilderConfig.DLA_core = 1",
        "IBuilderConfig.set_flag(GPU_FALLBACK)",
        "IBuilderConfig.can_run_on_DLA(ILayer)",
    ]
    assert built.notes == ("[GpuFallback] relu",)
    built, _ = plan(version, prepared=told, dla=0, gpu_fallback=False, change=with_dla())
    assert built.notes == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_dla_cannot_do_is_refused(version):
    half = prepared(version, "fp16")
    with pytest.raises(EngineError, match="has 0 DLA cores"):
        plan(version, prepared=half, dla=0)
    with pytest.raises(EngineError, match="can't run 1 of 1 layers, first 'relu'; allow gpu_fallback"):
        plan(version, prepared=half, dla=0, gpu_fallback=False, change=with_dla(off=["Relu"]))
    with pytest.raises(EngineError, match="computes in FP16 or INT8"):
        plan(version, prepared=prepared(version, "fp32"), dla=0, change=with_dla())
    ranged = {"x": Profile((1, 4), (1, 4), (2, 4))}
    with pytest.raises(EngineError, match="fixed shapes only"):
        plan(version, relu(("N", 4)), prepared=half, dla=0, profiles=ranged, change=with_dla())
    if version < 11:
        with pytest.raises(EngineError, match="takes no Q/DQ"):
            plan(version, prepared=prepared(version, "int8"), dla=0, change=with_dla())


def test_a_lone_file_with_pairs_gets_the_flags_it_needs():
    with simulated(8) as place:
        scale, zero = (helper.make_tensor(n, t, [], [v]) for n, t, v in (("s", 1, 0.1), ("z", 3, 0)))
        ends = [helper.make_tensor_value_info(name, 1, (1, 4)) for name in "xy"]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [scale, zero])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        assert place.build.build_plan(model.SerializeToString(), BuildSettings(), b"", 0).plan
        assert "IBuilderConfig.set_flag(INT8)" in place.trt.calls
        assert np.all(np.isin(["IBuilderConfig.set_flag(FP16)"], place.trt.calls))


def test_what_a_builder_says_of_sparse_kernels_is_kept():
    lines = [
        "(Sparsity) Found 3 layer(s) eligible to use sparse tactics: a, b, c",
        "(Sparsity) Chose 1 layer(s) using sparse tactics: b",
        "Using cublas as a tactic source",
    ]
    built, _ = plan(10, sparse=True, change=lambda place: place.trt.said.extend(lines))
    assert built.notes == tuple(lines[:2])
