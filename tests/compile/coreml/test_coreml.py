"""Core ML's programs against ONNX Runtime, by way of a reader of the finished files."""

import io
import json
import sys
import types
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from contract_networks import frame_network
from mil_reference import Mil, read_package
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compile.coreml.check import check_spec
from edgecnn.compile.coreml.program import features
from edgecnn.compile.coreml_from_onnx import FILE, NAMES, compile_model
from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines import coreml
from edgecnn.runtime.selftest import try_engine

RNG = np.random.default_rng(0)


def arr(*shape, low=-1.0, high=1.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


X = "x"  # [1, 4, 6, 8]
W34, W44 = arr(3, 4, 3, 3), arr(4, 4, 3, 3)
# (operator, inputs: names and constants, attributes); each gives an output of one model.
CASES = [
    ("Conv", [X, W34, arr(3)], {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", [X, arr(4, 1, 3, 3)], {"group": 4, "dilations": [2, 1], "pads": [2, 1, 2, 1]}),
    ("Conv", [X, arr(2, 4, 3, 2)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ("Conv", [X, arr(2, 4, 4, 2)], {"auto_pad": "SAME_LOWER", "strides": [1, 2]}),
    ("ConvTranspose", [X, arr(4, 3, 3, 3), arr(3)], {"strides": [2, 2], "pads": [1, 0, 1, 1]}),
    (
        "ConvTranspose",
        [X, arr(4, 2, 3, 2)],
        {"strides": [2, 3], "group": 2, "output_padding": [1, 0], "pads": [1, 0, 0, 0]},
    ),
    ("MaxPool", [X], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [1, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("GlobalAveragePool", [X], {}),
    ("GlobalMaxPool", [X], {}),
    ("BatchNormalization", [X, arr(4), arr(4), arr(4), arr(4, low=0.5)], {}),
    ("InstanceNormalization", [X, arr(4), arr(4)], {}),
    ("LayerNormalization", [X, arr(6, 8), arr(6, 8)], {"axis": -2}),
    ("Clip", [X, np.float32(-0.2), np.float32(0.4)], {}),
    ("Clip", [X, np.float32(0)], {}),
    ("PRelu", [X, arr(4, 1, 1)], {}),
    ("PRelu", [X, arr(1, 1, 1)], {}),
    ("LeakyRelu", [X], {"alpha": 0.2}),
    ("Elu", [X], {"alpha": 0.7}),
    ("Gelu", [X], {"approximate": "tanh"}),
    ("Gelu", [X], {}),
    ("Mish", [X], {}),
    ("HardSwish", [X], {}),
    ("HardSigmoid", [X], {"alpha": 0.3, "beta": 0.4}),
    ("Softmax", [X], {"axis": 1}),
    ("LogSoftmax", [X], {"axis": -1}),
    ("Tanh", [X], {}),
    ("Erf", [X], {}),
    ("Softplus", [X], {}),
    ("Neg", [X], {}),
    ("Sub", [np.float32(1), X], {}),
    ("Div", [X, arr(4, 1, 1, low=0.5)], {}),
    ("Reciprocal", ["positive"], {}),
    ("Log", ["positive"], {}),
    ("Sqrt", ["positive"], {}),
    ("Pow", ["positive", np.float32(1.5)], {}),
    ("Max", [X, np.float32(0.1), arr(1, 4, 6, 8)], {}),
    ("Mul", [X, X], {}),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}),
    ("Transpose", [X], {}),
    ("Reshape", [X, np.array([0, -1, 16])], {}),
    ("Flatten", [X], {"axis": 2}),
    ("Unsqueeze", [X, np.array([0])], {}),
    ("Concat", [X, X, arr(1, 2, 6, 8)], {"axis": 1}),
    ("Slice", [X, np.array([1, -6]), np.array([4, 100]), np.array([2, -1]), np.array([1, 2])], {}),
    ("Slice", [X, np.array([-1, 5]), np.array([-(2**40), 1]), np.array([1, 3]), np.array([-1, -2])], {}),
    ("Gather", [X, np.array([2, -1, 0])], {"axis": 1}),
    ("Gather", [X, np.array(1)], {"axis": 3}),
    ("Pad", [X, np.array([0, 0, 1, 2, 0, 0, 0, 1]), np.float32(0.5)], {}),
    ("Pad", [X, np.array([0, 0, 1, 2, 0, 0, 0, 1])], {"mode": "reflect"}),
    ("Pad", [X, np.array([0, 0, 1, 2, 0, 0, 0, 1])], {"mode": "edge"}),
    ("DepthToSpace", [X], {"blocksize": 2}),
    ("DepthToSpace", ["deep"], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [X], {"blocksize": 2}),
    ("Expand", [arr(4, 1, 1), np.array([1, 1, 1, 1])], {}),
    ("Tile", [X, np.array([1, 2, 1, 3])], {}),
    (
        "Resize",
        [X, "", np.array([1, 1, 2, 3], np.float32)],
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    ("Resize", [X, "", np.array([1, 1, 3, 3], np.float32)], {}),
    ("Resize", [X, "", "", np.array([1, 4, 9, 20])], {"mode": "linear"}),
    (
        "Resize",
        [X, "", "", np.array([1, 4, 9, 20])],
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    ("ReduceMean", [X, np.array([1, -1])], {"keepdims": 0}),
    ("ReduceMax", [X, np.array([2])], {}),
    ("ReduceL2", [X, np.array([1])], {}),
    ("ReduceSum", [X], {}),
    ("MatMul", [X, arr(8, 5)], {}),
    ("Gemm", ["rows", arr(5, 8), arr(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", ["rows", arr(6, 5)], {"transA": 1}),
]


def model_of(cases, opset=20):
    nodes, constants, outputs = [], [], []
    for number, (op, given, attributes) in enumerate(cases):
        names = []
        for place, value in enumerate(given):
            name = value if isinstance(value, str) else f"c{number}_{place}"
            if name is not value:
                constants.append(numpy_helper.from_array(np.asarray(value), name))
            names.append(name)
        raw = f"raw{number}"
        nodes.append(helper.make_node(op, names, [raw], f"node{number}", **attributes))
        # So that a case of constants alone is computed, too.
        nodes.append(helper.make_node("Add", [raw, "zero"], [f"out.{number}"]))
    shapes = {"x": (1, 4, 6, 8), "positive": (1, 2, 3, 4), "deep": (1, 8, 3, 2), "rows": (6, 8), "zero": (1,)}
    used = {name for node in nodes for name in node.input}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items() if name in used
    ]
    bare = helper.make_graph(nodes, "cases", inputs, [], constants)
    made = helper.make_model(bare, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    known = {info.name: info for info in onnx.shape_inference.infer_shapes(made, data_prop=True).graph.value_info}
    outputs = [known[f"out.{number}"] for number in range(len(cases))]
    made.graph.output.extend(outputs)
    onnx.checker.check_model(made, full_check=True)
    return made, {name: shape for name, shape in shapes.items() if name in used}


def compiled(folder, model, precision="fp32"):
    (folder / "source.onnx").write_bytes(model.SerializeToString())
    made = compile_model(folder / "source.onnx", folder / "out", precision)
    return {file.name: file.read_bytes() for file in made.files}


def test_every_operator_means_what_onnx_says(tmp_path):
    # Expand has nothing to expand to but a constant; all else reads an input.
    model, shapes = model_of(CASES)
    feeds = {name: arr(*shape, low=0.1 if name == "positive" else -2, high=2) for name, shape in shapes.items()}
    feeds["zero"][:] = 0
    files = compiled(tmp_path, model)
    names = [value.name for value in model.graph.output]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = dict(zip(names, session.run(names, feeds), strict=True))
    got = Mil(files[FILE]).run(feeds)
    for number, name in enumerate(names):
        feature = name.replace(".", "_")
        np.testing.assert_allclose(
            got[feature], wanted[name], rtol=1e-4, atol=1e-5, err_msg=f"{CASES[number][0]} {CASES[number][2]}"
        )


@pytest.fixture(scope="module")
def int8(tmp_path_factory):
    network = frame_network(33, 17).quantized("coreml")
    return network, compiled(tmp_path_factory.mktemp("int8"), network.model, "int8")


def test_int8_is_what_the_q_dq_graph_says(int8):
    network, files = int8
    mil = Mil(files[FILE])
    kinds = [op.type for op in mil.block.operations]
    assert kinds.count("quantize") == sum(node.op_type == "QuantizeLinear" for node in network.model.graph.node)
    assert "constexpr_affine_dequantize" in kinds
    for seed in range(3):
        feeds = network.feeds(seed)
        got, wanted = mil.run(feeds), network.reference(feeds)
        for name in wanted:
            # What is not INT8 is float16: 11 bits of mantissa, and a rounding step where that tips a tie.
            np.testing.assert_allclose(got[name], wanted[name], rtol=2e-3, atol=network.step)
            assert np.abs(got[name] - wanted[name]).mean() < network.step / 5


def test_fp16_is_fp32_to_its_rounding_and_half_the_bytes(tmp_path):
    network = frame_network(7, 5)
    model, _ = model_of([("Conv", [X, arr(64, 4, 3, 3)], {})])
    whole, half = (compiled(tmp_path, model, precision)[FILE] for precision in ("fp32", "fp16"))
    assert len(Mil(half).weights) < 0.6 * len(Mil(whole).weights)
    feeds = network.feeds(0)
    got, wanted = Mil(compiled(tmp_path, network.model, "fp16")[FILE]).run(feeds), network.reference(feeds)
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], rtol=5e-3, atol=5e-3)


def test_the_same_model_gives_the_same_bytes_and_a_package_as_apple_has_it(int8, tmp_path):
    network, files = int8
    assert compiled(tmp_path, network.model, "int8") == files
    archive = zipfile.ZipFile(tmp_path / "out" / FILE)
    assert sorted(archive.namelist()) == [
        "model.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
        "model.mlpackage/Manifest.json",
    ]
    manifest = json.loads(archive.read("model.mlpackage/Manifest.json"))
    paths = {entry["path"] for entry in manifest["itemInfoEntries"].values()}
    assert paths == {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}
    assert manifest["rootModelIdentifier"] in manifest["itemInfoEntries"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (("Resize", [X, "", "", np.array([1, 4, 9, 20])], {}), r"Resize 'node0' resizes .* to 9x20"),
        (("MaxPool", [X], {"kernel_shape": [2, 2], "dilations": [2, 2]}), "dilated"),
        (("Celu", [X], {}), r"no translation of Celu \('node0'\).*Elu"),
    ],
)
def test_what_core_ml_has_not_is_one_line(tmp_path, case, words):
    model, _ = model_of([case])
    with pytest.raises(EngineError, match=words) as caught:
        compiled(tmp_path, model)
    assert "\n" not in str(caught.value)


def test_a_specification_that_lost_something_is_noticed(int8):
    network, files = int8
    spec, weights = read_package(files[FILE])
    given = (network.inputs, network.outputs, json.loads(files[NAMES])["names"])
    assert check_spec(spec, weights, *given)["conv"] == 2
    with pytest.raises(EngineError, match="weight"):
        check_spec(spec, weights[:-1], *given)
    with pytest.raises(EngineError, match="weight"):
        check_spec(spec, b"\0" * len(weights), *given)
    for damage in (
        lambda s: s.description.output.pop(),
        lambda s: s.description.input[0].type.multiArrayType.shape.append(2),
        lambda s: s.mlProgram.functions["main"].block_specializations.clear(),
        lambda s: setattr(s, "specificationVersion", 7),
    ):
        damaged = type(spec)()
        damaged.CopyFrom(spec)
        damage(damaged)
        with pytest.raises(EngineError, match="Core ML"):
            check_spec(damaged, weights, *given)


def opened(files, network, **options):
    return coreml.open_engine(files, network.inputs, network.outputs, options)


def test_elsewhere_the_engine_says_where_it_runs(int8, monkeypatch):
    network, files = int8
    monkeypatch.setattr(coreml.platform, "system", lambda: "Linux")
    with pytest.raises(EngineError, match="macOS") as caught:
        opened(files, network)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="units"):
        opened(files, network, unit="cpu")


class FakeModel:
    """coremltools' MLModel on a Mac, as far as the engine uses it."""

    def __init__(self, path, compute_units):
        self.units = compute_units
        folder = Path(path)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.writestr(f"model.mlpackage/{file.relative_to(folder).as_posix()}", file.read_bytes())
        self.mil = Mil(buffer.getvalue())

    def get_spec(self):
        return self.mil.spec

    def predict(self, feeds):
        assert all(feed.dtype == np.float32 for feed in feeds.values())
        return self.mil.run(feeds)


@pytest.fixture
def mac(monkeypatch):
    """A Mac: the engine's own code runs, a reader of the package stands in for Core ML."""
    root, models = types.ModuleType("coremltools"), types.ModuleType("coremltools.models")
    root.ComputeUnit = types.SimpleNamespace(ALL="ALL", CPU_ONLY="CPU_ONLY")
    models.MLModel = FakeModel
    monkeypatch.setitem(sys.modules, "coremltools", root)
    monkeypatch.setitem(sys.modules, "coremltools.models", models)
    monkeypatch.setattr(coreml.platform, "system", lambda: "Darwin")


@pytest.mark.usefixtures("mac")
def test_on_a_mac_the_engine_maps_names_and_types(int8):
    network, files = int8
    engine = opened(files, network, units="cpu", threads=2)
    feeds = network.feeds(0)
    got, wanted = engine.infer(feeds), network.reference(feeds)
    for spec in network.outputs:
        assert (got[spec.name].dtype, got[spec.name].shape) == (np.dtype(spec.dtype), spec.shape)
        np.testing.assert_allclose(got[spec.name], wanted[spec.name], rtol=2e-3, atol=network.step)
    assert engine.facts()["device"] == "CPU_ONLY"
    assert engine.facts()["version"] == metadata.version("coremltools")
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(feeds)


@pytest.mark.usefixtures("mac")
def test_on_a_mac_the_first_sign_of_life_is_a_package_of_its_own():
    assert try_engine("coreml") == metadata.version("coremltools")


@pytest.mark.usefixtures("mac")
def test_on_a_mac_damage_and_strange_tensors_are_one_line(int8):
    network, files = int8
    for damage in ({FILE: b"junk"}, {FILE: files[FILE][:500]}, {NAMES: b"{"}):
        with pytest.raises(EngineError) as caught:
            opened({**files, **damage}, network)
        assert "\n" not in str(caught.value)
    strange = (TensorSpec("frame", (1, 8, 17, 3), "uint8"),)
    with pytest.raises(EngineError, match="frame"):
        coreml.open_engine(files, strange, network.outputs, {})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../escaped", b"x")
    with pytest.raises(EngineError, match="outside"):
        opened({**files, FILE: buffer.getvalue()}, network)


def test_names_that_core_ml_does_not_take_are_mapped(tmp_path):
    model, _ = model_of([("Relu", [X], {})])
    files = compiled(tmp_path, model)
    assert json.loads(files[NAMES])["names"]["out.0"] == "out_0"
    assert features((TensorSpec("a.b", (1,), "float32"), TensorSpec("a_b", (1,), "float32"))) == {
        "a.b": "a_b",
        "a_b": "a_b_",
    }
