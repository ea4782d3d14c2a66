"""The first layer where an engine departs, told with an engine that is wrong on purpose."""

import json
import sys
import textwrap
from types import MappingProxyType

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper

from edgecnn.cli import main
from edgecnn.core import registry
from edgecnn.core.bundle import open_bundle, write_bundle
from edgecnn.quantize_onnx.departure import departs, first_departure

BENT = """
    import onnx
    from edgecnn.compile.compiled import CompiledFiles
    from edgecnn.core.errors import EngineError
    from edgecnn.runtime.engines import onnxruntime

    def compile_model(source, out, precision):
        model = onnx.load(source)
        for node in model.graph.node:
            if node.op_type == "LeakyRelu":
                node.attribute[0].f = 0.5
            if node.op_type == "Abs":
                raise EngineError("bent: no operator Abs")
        out.mkdir(parents=True, exist_ok=True)
        onnx.save(model, out / "model.bent")
        return CompiledFiles((out / "model.bent",), {})

    open_engine = onnxruntime.open_engine
"""


@pytest.fixture
def bent(tmp_path, monkeypatch):
    """Add a target whose engine gets the slope of LeakyRelu wrong and does not know Abs."""
    (tmp_path / "bent_engine.py").write_text(textwrap.dedent(BENT))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bent_engine", raising=False)
    monkeypatch.setitem(registry.ENGINES, "bent", registry.Entry("bent_engine:open_engine"))
    row = registry.Target(registry.Entry("bent_engine:compile_model"), "bent", "", 20, MappingProxyType({}))
    monkeypatch.setitem(registry.TARGETS, "bent", row)
    return row


def network(*ops):
    """A row of 1x1 convolutions with the named operators between them, and a second branch that joins at the end."""
    rng = np.random.default_rng(3)
    nodes, constants, x = [], [], "image"
    for number, op in enumerate(("Conv", *ops)):
        if op == "Conv":
            w = rng.normal(0, 0.6, (4, 4 if nodes else 3, 1, 1)).astype(np.float32)
            constants.append(numpy_helper.from_array(w, f"w{number}"))
            nodes.append(helper.make_node("Conv", [x, f"w{number}"], [f"t{number}"], name=f"conv{number}"))
        else:
            attributes = {"alpha": 0.01} if op == "LeakyRelu" else {}
            nodes.append(helper.make_node(op, [x], [f"t{number}"], name=f"{op.lower()}{number}", **attributes))
        x = f"t{number}"
    nodes.append(helper.make_node("Sigmoid", ["t0"], ["side"], name="side"))
    nodes.append(helper.make_node("Add", [x, "side"], ["y"], name="join"))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "row",
        [info("image", TensorProto.FLOAT, [1, 3, 6, 6])],
        [info("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def feeds(count=2):
    rng = np.random.default_rng(0)
    return [{"image": rng.standard_normal((1, 3, 6, 6)).astype(np.float32)} for _ in range(count)]


@pytest.mark.parametrize(
    ("ops", "node"),
    [
        (("Relu", "Conv", "LeakyRelu", "Conv", "Relu"), "leakyrelu3"),
        (("LeakyRelu", "Conv", "Conv", "Relu", "Conv"), "leakyrelu1"),
        (("Conv", "Tanh", "Conv", "LeakyRelu", "Conv", "LeakyRelu"), "leakyrelu4"),
        (("Relu", "Conv", "LeakyRelu"), "leakyrelu3"),
    ],
)
def test_the_first_layer_that_departs_is_named(bent, ops, node):
    found = first_departure(network(*ops), "bent", feeds(), 1e-3, 1)
    assert (found.node, found.op) == (node, "LeakyRelu")
    assert found.error > 1e-3
    assert found.output == "y"
    assert node in found.text()
    # Halving, not trying each: far fewer prefixes than twice the nodes.
    assert found.tried <= len(ops) + 4


def test_an_engine_that_agrees_departs_nowhere(bent):
    assert first_departure(network("Relu", "Conv"), "bent", feeds(), 1e-3, 1) is None
    assert first_departure(network("LeakyRelu", "Conv"), "onnxruntime", feeds(), 1e-3, 1) is None


@pytest.fixture
def bundle(bent, tmp_path, capsys):
    """A bundle whose second artefact is of the engine that is wrong, and whose third is of one that is not here."""

    def make(model, name="bundle"):
        onnx.save(model, tmp_path / "row.onnx")
        words = ["compile", str(tmp_path / "row.onnx"), "--target", "onnxruntime", "--out", str(tmp_path / "plain")]
        assert main.run([*words, "--force"]) == 0
        capsys.readouterr()
        opened = open_bundle(tmp_path / "plain")
        right = opened.manifest.artefacts[0]
        wrong = onnx.load(tmp_path / "row.onnx")
        for node in wrong.graph.node:
            if node.op_type == "LeakyRelu":
                node.attribute[0].f = 0.5
        files = {file: opened.read(file) for file in opened.manifest.files}
        files["artefacts/bent-fp32/model.bent"] = wrong.SerializeToString()
        bad = replace(right, name="bent-fp32", engine="bent", files=("artefacts/bent-fp32/model.bent",))
        away = replace(right, name="elsewhere-int8", engine="elsewhere", precision="int8")
        manifest = replace(opened.manifest, artefacts=(right, bad, away))
        return write_bundle(tmp_path / name, manifest, files)

    return make


def test_verify_prints_a_row_an_artefact_and_names_the_layer(bundle, capsys):
    path = bundle(network("Relu", "Conv", "LeakyRelu", "Conv"))
    assert main.run(["verify", str(path), "--json"]) == 1
    captured = capsys.readouterr()
    rows = {row["artefact"]: row for row in json.loads(captured.out)["artefacts"]}
    assert list(rows) == ["onnxruntime-fp32", "bent-fp32", "elsewhere-int8"]
    right, wrong, away = rows.values()
    assert right["passed"]
    assert right["max_error"] == 0
    assert right["agreement"] == 100
    assert wrong["passed"] is False
    assert wrong["rel_error"] > wrong["tolerance"]
    assert wrong["max_error"] > 0.01
    # The bundle's own FP32 ONNX says what the wrong engine should compute.
    assert "LeakyRelu 'leakyrelu3'" in wrong["departs_at"]
    assert away["passed"] is None
    assert away["runs_here"] is False
    assert "unknown engine 'elsewhere'" in away["why_not"]
    assert "bent-fp32: output 'y' is" in captured.err


def test_verify_tells_people_too(bundle, capsys):
    path = bundle(network("Relu", "Conv", "LeakyRelu", "Conv"))
    assert main.run(["verify", str(path)]) == 1
    out = capsys.readouterr().out
    assert "agrees with FP32" in out.splitlines()[0]
    assert "bent-fp32: departs first at LeakyRelu 'leakyrelu3'" in out
    assert "elsewhere-int8: not run here: unknown engine 'elsewhere'" in out


def test_an_artefact_that_is_worse_than_what_its_source_compiles_to_is_found_out(bundle, tmp_path):
    path = bundle(network("Relu", "Conv", "LeakyRelu"))
    onnx.save(network("Relu", "Conv", "Tanh"), tmp_path / "other.onnx")
    assert "made of another model" in departs(path, "bent-fp32", tmp_path / "other.onnx", 1)


def test_what_keeps_the_layer_from_being_named_is_said(bundle, tmp_path):
    path = bundle(network("Relu", "Conv", "LeakyRelu"))
    assert departs(path, "elsewhere-int8", None, 1).startswith("edgecnn has no compiler for engine 'elsewhere'")
    other = network("Relu")
    other.graph.input[0].name = other.graph.node[0].input[0] = "picture"
    onnx.save(other, tmp_path / "other.onnx")
    assert "takes other inputs than the artefact ('picture'" in departs(path, "bent-fp32", tmp_path / "other.onnx", 1)
    onnx.save(network("Abs", "Conv"), tmp_path / "other.onnx")
    assert "takes no part of the model" in departs(path, "bent-fp32", tmp_path / "other.onnx", 1)
