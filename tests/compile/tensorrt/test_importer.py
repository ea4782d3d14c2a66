"""Files that TensorRT's importer reads and files that it refuses, and what the compiler leaves in a bundle."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper
from scheme_graphs import GRAPHS, feeds_of, graph, quantized, run
from simulated import simulated
from small_tensorrt import files, small_bundle

from edgecnn.compile.specs import tensor_specs
from edgecnn.compile.tensorrt.from_onnx import compile_for_8, compile_for_10, compile_for_11
from edgecnn.compile.tensorrt.importer import READERS, violations
from edgecnn.compress.quantize.half import to_half
from edgecnn.core.bundle import open_bundle, write_bundle
from edgecnn.core.errors import EngineError, UnfitError
from edgecnn.core.registry import resolve
from edgecnn.runtime import load
from edgecnn.runtime.engines.tensorrt_settings import Prepared, read_files

COMPILERS = {8: compile_for_8, 10: compile_for_10, 11: compile_for_11}
OPSETS = {8: 17, 10: 19, 11: 19}
# One input is a weight here that nothing quantizes; it is read all the same.
QUANTIZED = [name for name in GRAPHS if name != "float_between"]


def int8(name, version):
    return quantized(graph(name, opset=OPSETS[version]), resolve("scheme", f"tensorrt_{version}"))[0]


def said(found, words):
    return any(words in sentence for sentence in found)


@pytest.mark.parametrize("version", READERS)
@pytest.mark.parametrize("name", QUANTIZED)
def test_every_quantized_network_keeps_the_importers_rules(name, version):
    assert violations(int8(name, version), READERS[version]) == []


@pytest.mark.parametrize("name", ["residual", "transposed_groups", "gemm_head"])
def test_a_file_of_one_version_is_not_for_another(name):
    weak, strong = int8(name, 8), int8(name, 10)
    assert said(violations(strong, READERS[8]), "reads 7 to 17")
    assert said(violations(strong, READERS[8]), "halves by a flag")
    assert violations(strong, READERS[11]) == []
    assert violations(weak, READERS[10]) == []


@pytest.mark.parametrize("version", READERS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_what_is_prepared_runs_in_onnxruntime_with_the_same_numbers(version, precision, tmp_path):
    model = graph("residual", opset=OPSETS[version])
    wanted = run(model, feeds_of(model))
    if precision == "int8":
        model = int8("residual", version)
    elif precision == "fp16" and version > 8:
        model = to_half(model)
    source = tmp_path / "source.onnx"
    onnx.save(model, source)
    made = COMPILERS[version](source, tmp_path / "out", precision)
    network, prepared = read_files({file.name: file.read_bytes() for file in made.files})
    assert (prepared.precision, prepared.quantized) == (precision, precision == "int8")
    assert prepared.typing == ("weak" if version == 8 else "strong") if precision != "fp32" else True
    bound = {"fp32": 1e-6, "fp16": 5e-3, "int8": 0.1}[precision]
    for got, want in zip(run(onnx.load_from_string(network), feeds_of(model)), wanted, strict=True):
        for one, other in zip(got, want, strict=True):
            assert np.linalg.norm(one - other) <= bound * np.linalg.norm(other)
    again = COMPILERS[version](source, tmp_path / "again", precision)
    assert [file.read_bytes() for file in again.files] == [file.read_bytes() for file in made.files]


def nodes_model(nodes, inputs, outputs, initializers=(), opset=17):
    """Return a model of plain nodes; inputs and outputs are (name, type, shape)."""
    ends = [[helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs)]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in initializers]
    graph = helper.make_graph(nodes, "g", *ends, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


FLOAT, UINT8, HALF = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.FLOAT16


def pair(scale=0.1, zero=None, shape=(1, 4), opset=17, **attributes):
    zero = np.zeros(np.shape(scale), np.int8) if zero is None else zero
    parts = ["s"] if zero is False else ["s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *parts], ["q"], name="q", **attributes),
        helper.make_node("DequantizeLinear", ["q", *parts], ["y"], name="dq", **attributes),
    ]
    kind = HALF if np.asarray(scale).dtype == np.float16 else FLOAT
    constants = [("s", np.asarray(scale, np.float16 if kind == HALF else np.float32))]
    constants += [] if zero is False else [("z", zero)]
    return nodes_model(nodes, [("x", kind, shape)], [("y", kind, shape)], constants, opset)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (pair(zero=np.int8(3)), "zero point that is not 0"),
        (pair(zero=np.uint8(0)), "of uint8, and TensorRT's GPU takes int8"),
        (pair(zero=False), "says no zero point"),
        (pair(scale=-0.1), "a scale that is not positive"),
        (pair(scale=0.0), "a scale that is not positive"),
        (pair(shape=()), "reads a scalar"),
        (pair(scale=[0.1, 0.2, 0.3, 0.4], axis=1), "is no constant; activations have one scale"),
    ],
)
@pytest.mark.parametrize("version", READERS)
def test_pairs_that_the_importer_refuses(model, words, version):
    onnx.checker.check_model(model, full_check=True)
    assert said(violations(model, READERS[version]), words)


def test_a_good_pair_is_read_by_all():
    assert [violations(pair(), READERS[version]) for version in READERS] == [[], [], []]


def test_scales_in_float16_are_for_opset_19_and_strong_typing():
    good = pair(scale=np.float16(0.1), opset=19)
    onnx.checker.check_model(good, full_check=True)
    assert violations(good, READERS[10]) == []
    assert said(violations(good, READERS[8]), "a scale in float16")
    mixed = pair(opset=19)
    mixed.graph.input[0].type.tensor_type.elem_type = HALF
    assert said(violations(mixed, READERS[10]), "a scale of float and an input of float16")


def test_biases_in_int32_are_refused():
    nodes = [helper.make_node("DequantizeLinear", ["b", "s", "z"], ["y"], name="bias")]
    constants = [("b", np.arange(4, dtype=np.int32)), ("s", np.float32(0.1)), ("z", np.int32(0))]
    model = nodes_model(nodes, [], [("y", FLOAT, (4,))], constants)
    assert said(violations(model, READERS[10]), "of int32, and TensorRT's GPU takes int8 alone; leave biases in float")


def test_weights_are_scaled_along_their_output_channels():
    for kind, right in (("Conv", 0), ("ConvTranspose", 1)):
        for axis in (0, 1):
            nodes = [
                helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], name="w", axis=axis),
                helper.make_node(kind, ["x", "d"], ["y"]),
            ]
            constants = [
                ("w", np.ones((4, 4, 1, 1), np.int8)),
                ("s", np.ones(4, np.float32)),
                ("z", np.zeros(4, np.int8)),
            ]
            ends = [("x", FLOAT, (1, 4, 3, 3))], [("y", FLOAT, (1, 4, 3, 3))]
            found = violations(nodes_model(nodes, *ends, constants), READERS[10])
            assert bool(found) == (axis != right), (kind, axis, found)
    nameless = [node for node in nodes if node.op_type == "DequantizeLinear"]
    del nameless[0].attribute[:]
    assert said(violations(nodes_model(nodes, *ends, constants), READERS[10]), "names no axis")


def unary(kind, shape=(1, 2, 6, 6), out=None, extra=(), opset=17, outputs=1, **attributes):
    names = [f"c{index}" for index in range(len(extra))]
    inputs = [name if array is not None else "" for name, array in zip(names, extra, strict=True)]
    node = helper.make_node(kind, ["x", *inputs], ["y", "i"][:outputs], name="n", **attributes)
    constants = [(name, array) for name, array in zip(names, extra, strict=True) if array is not None]
    ends = [("y", FLOAT, out or shape), ("i", TensorProto.INT64, out or shape)][:outputs]
    return nodes_model([node], [("x", FLOAT, shape)], ends, constants, opset)


SIZES = np.array([1, 2, 12, 12])
LIMITS = [
    (unary("MaxPool", out=(1, 2, 2, 2), kernel_shape=[3, 3], dilations=[2, 2]), "dilations"),
    (unary("MaxPool", out=(1, 2, 5, 5), kernel_shape=[2, 2], outputs=2), "gives indices"),
    (unary("TopK", out=(1, 2, 6, 2), extra=[np.array([2])], outputs=2, sorted=0), "TopK is sorted"),
    (unary("TopK", (1, 5000), (1, 4000), [np.array([4000])], outputs=2), "fewer than 3840"),
    (
        unary(
            "Resize", out=(1, 2, 12, 12), extra=[None, None, SIZES], coordinate_transformation_mode="tf_crop_and_resize"
        ),
        "maps coordinates by 'tf_crop_and_resize'",
    ),
    (
        unary("Resize", out=(1, 2, 12, 12), extra=[None, None, SIZES], mode="linear", antialias=1, opset=18),
        "antialiasing",
    ),
    (
        unary(
            "Resize",
            out=(1, 2, 12, 12),
            extra=[None, None, SIZES],
            coordinate_transformation_mode="tf_half_pixel_for_nn",
            nearest_mode="ceil",
        ),
        "rounds by 'ceil'",
    ),
    (unary("LpPool", out=(1, 2, 5, 5), kernel_shape=[2, 2], p=3), "a norm other than L1 and L2"),
]


@pytest.mark.parametrize(("model", "words"), LIMITS)
def test_limits_of_operators_are_named(model, words):
    found = violations(model, READERS[10])
    assert said(found, words), found


def test_operators_that_a_version_has_not_are_named():
    gelu = unary("Gelu", opset=20)
    assert said(violations(gelu, READERS[8]), "Gelu 'n' is read since TensorRT 10")
    assert violations(gelu, READERS[10]) == []
    det = unary("Det", shape=(1, 2, 3, 3), out=(1, 2))
    assert said(violations(det, READERS[10]), "Det 'n' is not read by TensorRT 10")
    nodes = [helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")]
    foreign = nodes_model(nodes, [("x", FLOAT, (1,))], [("y", FLOAT, (1,))])
    assert said(violations(foreign, READERS[11]), "of domain 'com.microsoft'")
    whole = [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])]
    integer = nodes_model(whole, [("x", FLOAT, (4,))], [("y", UINT8, (4,))])
    assert said(violations(integer, READERS[11]), "computes in integers")


def frames(nodes, out=(1, 3, 4, 5), inside=()):
    return nodes_model(nodes, [("image", UINT8, (1, 4, 5, 3))], [("y", FLOAT, out)], inside)


def cast(before, after, kind=FLOAT):
    return helper.make_node("Cast", [before], [after], to=kind, name=f"cast-{after}")


def turned(before, after):
    return helper.make_node("Transpose", [before], [after], perm=[0, 3, 1, 2], name=f"turn-{after}")


def relu(before, after):
    return helper.make_node("Relu", [before], [after])


MOVED = {
    "turned": frames([turned("image", "t"), cast("t", "f"), relu("f", "y")]),
    "twice": frames([turned("image", "t"), cast("t", "f"), cast("t", "g"), helper.make_node("Add", ["f", "g"], ["y"])]),
    "flattened": frames(
        [turned("image", "t"), helper.make_node("Reshape", ["t", "to"], ["r"]), cast("r", "f"), relu("f", "y")],
        (1, 60),
        [("to", np.array([1, 60]))],
    ),
    "beside": frames(
        [
            turned("image", "t"),
            cast("t", "f"),
            cast("image", "g"),
            turned("g", "h"),
            helper.make_node("Add", ["f", "h"], ["y"]),
        ]
    ),
}


@pytest.mark.parametrize("name", MOVED)
def test_pixels_are_cast_before_they_are_moved_and_no_number_changes(name, tmp_path):
    model = MOVED[name]
    onnx.checker.check_model(model, full_check=True)
    assert said(violations(model, READERS[10]), "reads uint8")
    # With the types of inner values written down, as exporters do, a stale one would contradict the file.
    onnx.save(onnx.shape_inference.infer_shapes(model), tmp_path / "source.onnx")
    made = compile_for_10(tmp_path / "source.onnx", tmp_path / "out", "fp32")
    changed = onnx.load(made.files[0])
    onnx.checker.check_model(changed, full_check=True)
    assert violations(changed, READERS[10]) == []
    assert [value.name for value in changed.graph.input] == ["image"]
    feeds = {"image": np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), np.uint8)}
    before, after = (
        ort.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
        for one in (model, changed)
    )
    np.testing.assert_array_equal(before[0], after[0])


def test_pixels_that_nothing_casts_are_refused(tmp_path):
    onnx.save(
        nodes_model([turned("image", "y")], [("image", UINT8, (1, 4, 5, 3))], [("y", UINT8, (1, 3, 4, 5))]),
        tmp_path / "m.onnx",
    )
    with pytest.raises(EngineError, match=r"tensorrt 10 would refuse m.onnx: Transpose .* reads uint8"):
        compile_for_10(tmp_path / "m.onnx", tmp_path / "out", "fp32")


def test_a_file_that_belies_its_precision_is_refused(tmp_path):
    onnx.save(graph("residual", opset=19), tmp_path / "m.onnx")
    with pytest.raises(EngineError, match="it is float32 and would run so"):
        compile_for_10(tmp_path / "m.onnx", tmp_path / "out", "fp16")
    with pytest.raises(EngineError, match="would not run in INT8"):
        compile_for_11(tmp_path / "m.onnx", tmp_path / "out", "int8")
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(EngineError, match=r"tensorrt refused junk.onnx"):
        compile_for_8(tmp_path / "junk.onnx", tmp_path / "out", "fp32")
    assert not (tmp_path / "out").exists()


def test_what_is_written_beside_the_model_says_what_its_types_mean(tmp_path):
    onnx.save(graph("residual", opset=17), tmp_path / "m.onnx")
    told = {}
    for version, precision in ((8, "fp32"), (8, "fp16"), (10, "fp32")):
        made = COMPILERS[version](tmp_path / "m.onnx", tmp_path / f"{version}-{precision}", precision)
        told[version, precision] = json.loads(made.files[1].read_text())["typing"]
    assert told == {(8, "fp32"): "either", (8, "fp16"): "weak", (10, "fp32"): "either"}


@pytest.mark.parametrize("version", READERS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_what_is_prepared_is_built_and_run_by_the_engine_of_its_version(version, precision, tmp_path):
    model = graph("residual", opset=OPSETS[version])
    feeds = feeds_of(model)
    wanted = run(model, feeds)
    if precision == "int8":
        model = int8("residual", version)
    elif precision == "fp16" and version > 8:
        model = to_half(model)
    onnx.save(model, tmp_path / "m.onnx")
    made = COMPILERS[version](tmp_path / "m.onnx", tmp_path / "out", precision)
    inputs, outputs = tensor_specs(model)
    with simulated(version) as place:
        engine = place.engine.open_engine({file.name: file.read_bytes() for file in made.files}, inputs, outputs, {})
        for frame, want in zip(feeds, wanted, strict=True):
            got = engine.infer(frame)
            for spec, other in zip(outputs, want, strict=True):
                assert np.linalg.norm(got[spec.name] - other) <= 0.1 * np.linalg.norm(other)
        assert engine.facts()["precision"] == precision
        engine.close()
        flags = {call for call in place.trt.calls if "set_flag(FP16)" in call or "set_flag(INT8)" in call}
        assert len(flags) == ({"fp32": 0, "fp16": 1, "int8": 2}[precision] if version == 8 else 0)


def test_an_artefact_for_8_is_refused_by_10_before_anything_is_built(tmp_path):
    onnx.save(int8("residual", 8), tmp_path / "m.onnx")
    made = compile_for_8(tmp_path / "m.onnx", tmp_path / "out", "int8")
    inputs, outputs = tensor_specs(onnx.load(tmp_path / "m.onnx"))
    for version, target in ((10, "tensorrt_10"), (11, "tensorrt_11")):
        with simulated(version) as place:
            with pytest.raises(EngineError, match=f"compile for target '{target}'"):
                place.engine.open_engine({file.name: file.read_bytes() for file in made.files}, inputs, outputs, {})
            assert not [call for call in place.trt.calls if "parse" in call]


def test_of_a_bundle_for_several_boards_each_loads_its_own(tmp_path):
    bundle = open_bundle(small_bundle(tmp_path / "bundle"))
    (plain,) = bundle.manifest.artefacts
    inside, artefacts = {name: bundle.read(name) for name in bundle.manifest.files}, []
    for name, typing in (("for-8", "weak"), ("for-10", "strong")):
        told = Prepared(precision="fp16", typing=typing, opset=17, quantized=False)
        names = tuple(f"artefacts/{name}/{file}" for file in files())
        inside |= dict(zip(names, files(told).values(), strict=True))
        artefacts.append(replace(plain, name=name, files=names, precision="fp16"))
    both = write_bundle(tmp_path / "both", replace(bundle.manifest, artefacts=tuple(artefacts)), inside)
    for version, own, other in ((8, "for-8", "for-10"), (10, "for-10", "for-8"), (11, "for-10", "for-8")):
        with simulated(version):
            with load(both) as loaded:
                assert loaded.artefact.name == own
            with pytest.raises(UnfitError, match="compile for target"):
                load(both, artefact=other)
    only = write_bundle(tmp_path / "only", replace(bundle.manifest, artefacts=tuple(artefacts[1:])), inside)
    with simulated(8), pytest.raises(UnfitError, match="needs TensorRT 10"):
        load(only)
