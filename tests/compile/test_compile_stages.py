"""Export, quantize and compile, each a real stage, on random weights and synthetic frames."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from edgecnn.compile import onnxruntime_from_onnx, openvino_from_onnx
from edgecnn.compile.specs import tensor_specs
from edgecnn.compile.stage import CompileStage
from edgecnn.compress.quantize.stage import QuantizeStage
from edgecnn.compress_model.qat_stage import QatStage
from edgecnn.compress_model.stage import CompressStage
from edgecnn.core import atomic, evidence
from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import EngineError, StageError
from edgecnn.core.evidence import ExportResult, QuantizeResult
from edgecnn.core.recipe import Recipe, load_recipe
from edgecnn.core.stage import Job
from edgecnn.data.stage import DataStage
from edgecnn.export.stage import ExportStage
from edgecnn.models.build import build_model
from edgecnn.runtime import load

TINY = Path(__file__).parent.parent / "tiny.yaml"
SMALLER = {"data.train.road.frames": "10", "data.val.road.frames": "3"}


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(TINY, SMALLER)


@pytest.fixture(scope="module")
def inputs(recipe, tmp_path_factory):
    """Folders of the data and train stages; the weights are fresh, their batch norms settled on noise."""
    data, train = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("train")
    DataStage().run(Job(recipe, {}, data, data))
    torch.manual_seed(0)
    module = build_model(recipe).train()
    with torch.no_grad():
        for _ in range(10):
            module(torch.randn(4, 3, recipe.model.frame.height, recipe.model.frame.width))
    safetensors.torch.save_model(module, str(train / "model.safetensors"))
    return {"data": data, "train": train}


def through(recipe, inputs, root):
    """Run the stages from compression to compilation into `root` and return the folder of each."""
    folders = dict(inputs)
    for stage in (CompressStage(), ExportStage(), QuantizeStage(), QatStage(), CompileStage()):
        out, partial = root / stage.name, root / "partial" / stage.name
        out.mkdir(parents=True)
        partial.mkdir(parents=True)
        msgspec.json.encode(stage.parameters(recipe))
        stage.run(Job(recipe, {name: folders[name] for name in stage.needs}, out, partial))
        stage.ensures(out)
        folders[stage.name] = out
    return folders


@pytest.fixture(scope="module")
def folders(recipe, inputs, tmp_path_factory):
    return through(recipe, inputs, tmp_path_factory.mktemp("first"))


def test_bundle_holds_every_artefact_and_where_it_came_from(recipe, folders):
    manifest = open_bundle(folders["compile"] / "bundle").manifest
    assert [a.name for a in manifest.artefacts] == [
        "openvino-fp32",
        "openvino-int8",
        "onnxruntime-fp32",
        "onnxruntime-int8",
    ]
    frame = recipe.model.frame
    for artefact in manifest.artefacts:
        (image,) = artefact.inputs
        assert (image.name, image.shape, image.dtype) == ("image", (1, frame.height, frame.width, 3), "uint8")
        assert [(o.name, o.dtype) for o in artefact.outputs] == [("loc", "float32"), ("exist", "float32")]
        assert all(name.startswith(f"artefacts/{artefact.name}/") for name in artefact.files)
    assert {"torch", "onnx", "openvino", "onnxruntime"} <= set(manifest.provenance["versions"])
    assert manifest.provenance["schemes"]["openvino"] == {"name": "openvino_cpu", "ranges": "auto"}
    told = msgspec.convert(manifest.provenance["recipe"], Recipe)
    assert msgspec.structs.replace(told, verify=recipe.verify, bench=recipe.bench, note=recipe.note) == recipe


@pytest.mark.parametrize(("name", "bound"), [("fp32", 1e-5), ("int8", 0.2)])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_every_artefact_gives_the_golden_outputs(folders, engine, name, bound):
    path = folders["compile"] / "bundle"
    golden = np.load(folders["export"] / "golden.npz")
    model = load(path, artefact=f"{engine}-{name}", threads=1)
    try:
        for index, image in enumerate(golden["input:image"]):
            for output, got in model.infer({"image": image[None]}).items():
                want = golden[f"output:{output}"][index : index + 1]
                assert np.linalg.norm(got - want) <= bound * np.linalg.norm(want)
    finally:
        model.close()


def test_the_same_inputs_give_the_same_bytes(recipe, inputs, folders, tmp_path):
    again = through(recipe, inputs, tmp_path)
    for name in ("export", "quantize", "compile"):
        assert atomic.sha256_tree(again[name]) == atomic.sha256_tree(folders[name])


def test_quantize_says_what_it_did(folders):
    result = evidence.read(folders["quantize"] / "quantize.json", QuantizeResult)
    assert [model.target for model in result.models] == ["openvino", "onnxruntime"]
    for model in result.models:
        assert model.frames == 8
        assert len(model.quantized) > 5
        assert all(tensor.scale > 0 for tensor in model.tensors.values())


def test_without_a_quantize_section_only_float_is_compiled(recipe, inputs, folders, tmp_path):
    plain = msgspec.structs.replace(recipe, quantize=None)
    given = {**inputs, "export": folders["export"]}
    for stage in (QuantizeStage(), QatStage()):
        given[stage.name] = tmp_path / stage.name
        given[stage.name].mkdir()
        stage.run(Job(plain, given, given[stage.name], tmp_path))
    out = tmp_path / "compile"
    out.mkdir()
    CompileStage().run(Job(plain, given, out, tmp_path / "partial"))
    artefacts = open_bundle(out / "bundle").manifest.artefacts
    assert [a.precision for a in artefacts] == ["fp32", "fp32"]


def test_tensorrt_gets_fp16_as_well_and_what_simulates_it_is_fp16(recipe, inputs, tmp_path):
    for_gpus = msgspec.structs.replace(recipe, quantize=None, targets=("tensorrt_8", "tensorrt_10"))
    out = through(for_gpus, inputs, tmp_path)["compile"]
    opened = open_bundle(out / "bundle")
    assert [a.name for a in opened.manifest.artefacts] == [
        f"tensorrt_{version}-{precision}" for version in (8, 10) for precision in ("fp32", "fp16")
    ]
    types = {}
    for artefact in opened.manifest.artefacts:
        shipped = onnx.load_from_string(opened.read(artefact.files[0]))
        simulated = onnx.load(out / "stand-ins" / f"{artefact.name}.onnx")
        types[artefact.name] = tuple(
            any(one.data_type == onnx.TensorProto.FLOAT16 for one in model.graph.initializer)
            for model in (shipped, simulated)
        )
    assert types == {
        "tensorrt_8-fp32": (False, False),
        "tensorrt_8-fp16": (False, True),  # halved by a flag, on the device
        "tensorrt_10-fp32": (False, False),
        "tensorrt_10-fp16": (True, True),
    }


def test_a_damaged_export_does_not_pass(folders, tmp_path):
    for file in folders["export"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (name,) = evidence.read(tmp_path / "export.json", ExportResult).models.values()
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(StageError, match="is no valid ONNX model"):
        ExportStage().ensures(tmp_path)


@pytest.mark.parametrize("compiler", [onnxruntime_from_onnx, openvino_from_onnx])
def test_what_is_no_model_is_one_line(compiler, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(EngineError, match=r"refused broken\.onnx") as caught:
        compiler.compile_model(path, tmp_path / "out", "fp32")
    assert "\n" not in str(caught.value)


def test_open_shapes_are_refused():
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [])
    with pytest.raises(StageError, match="'x' has no fixed shape"):
        tensor_specs(onnx.helper.make_model(graph))
