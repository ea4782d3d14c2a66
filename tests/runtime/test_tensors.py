"""Networks of unknown meaning: outputs as they are, with or without camera frames."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgecnn.bench.coldstart import cold_start
from edgecnn.bench.model_system import model_system
from edgecnn.cli import main
from edgecnn.core.bundle import GOLDEN, Artefact, DecodeSpec, Manifest, open_bundle, write_bundle
from edgecnn.core.errors import BundleError, InputError
from edgecnn.core.npz import npz_bytes
from edgecnn.core.results import Tensors
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime import load
from edgecnn.runtime.codecs.tensors import TensorsCodec
from edgecnn.verify.parity import parity

INPUTS = (TensorSpec("x", (2, 3), "float32"), TensorSpec("k", (3,), "float32"))
OUTPUTS = (TensorSpec("sum", (2, 3), "float32"), TensorSpec("top", (2,), "int64"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Two inputs without a common batch axis, two outputs, one of whole numbers."""
    nodes = [
        helper.make_node("Add", ["x", "k"], ["sum"]),
        helper.make_node("ArgMax", ["sum"], ["top"], axis=1, keepdims=0),
    ]
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    values = [
        [helper.make_tensor_value_info(s.name, kinds[s.dtype], s.shape) for s in side] for side in (INPUTS, OUTPUTS)
    ]
    graph = helper.make_graph(nodes, "sum", *values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(5, 2, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    total = x + k[:, None]
    golden = {"input:x": x, "input:k": k, "output:sum": total, "output:top": total.argmax(2)}
    name = "artefacts/onnxruntime-fp32/model.onnx"
    manifest = Manifest(
        name="sum",
        task="tensors",
        frame=None,
        decode=DecodeSpec(
            "tensors", {"outputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in OUTPUTS]}
        ),
        artefacts=(Artefact("onnxruntime-fp32", "onnxruntime", "fp32", (name,), INPUTS, OUTPUTS),),
        files={},
    )
    files = {name: model.SerializeToString(), GOLDEN: npz_bytes(golden)}
    return write_bundle(tmp_path_factory.mktemp("bundle") / "sum", manifest, files)


def test_infer_works_and_a_frame_is_refused(bundle):
    with load(bundle) as model:
        found = model.infer({"x": np.ones((2, 3), np.float32), "k": np.array([1, 3, 2], np.float32)})
        assert found["sum"].tolist() == [[2, 4, 3]] * 2
        assert isinstance(model.postprocess(found, 4, 4), Tensors)
        with pytest.raises(
            BundleError, match=r"takes no camera frames; call `infer` with 'x' float32 of shape \[2, 3\]"
        ):
            model(np.zeros((4, 4, 3), np.uint8))


def test_parity_and_bench_feed_golden_inputs(bundle):
    with load(bundle) as model:
        assert parity(model, 1e-3).rel_error == {"sum": 0.0, "top": 0.0}
        system = model_system("s", model)
        assert len(system.frames) == 4
        out = system.engine(system.pre(system.frames[0]))
        assert system.post(out, system.frames[0]).arrays.keys() == {"sum", "top"}


def test_a_cold_start_runs_it(bundle):
    assert cold_start(bundle, "onnxruntime-fp32", 1)["first_inference_ms"] > 0


def test_the_commands_work_or_say_why_not(bundle, capsys, tmp_path):
    assert main.run(["bundle", "inspect", str(bundle)]) == 0
    assert "none; it takes 'x' float32 of shape [2, 3]" in capsys.readouterr().out
    assert main.run(["verify", str(bundle)]) == 0
    assert main.run(["verify", str(bundle), "--data", str(tmp_path)]) == 2
    assert "labels can't judge them" in capsys.readouterr().err
    (tmp_path / "a.png").write_bytes(b"")
    assert main.run(["infer", str(bundle), str(tmp_path), "--out", str(tmp_path / "out")]) == 2


def test_golden_vectors_of_another_network_are_refused(bundle):
    opened = open_bundle(bundle)
    files = {name: opened.read(name) for name in opened.manifest.files} | {GOLDEN: npz_bytes({"input:y": np.ones(3)})}
    other = write_bundle(bundle.parent / "other", opened.manifest, files)
    with load(other) as model, pytest.raises(BundleError, match="does not fit artefact"):
        parity(model, 1e-3)


def test_large_tensors_are_summed_up_in_json():
    told = Tensors({"big": np.arange(10000.0), "small": np.arange(3), "none": np.zeros((0, 7))}, 4, 3).to_json()
    json.dumps(told)
    assert told["tensors"]["big"] == {"dtype": "float64", "shape": [10000], "min": 0, "max": 9999, "mean": 4999.5}
    assert told["tensors"]["small"]["values"] == [0, 1, 2]
    assert told["tensors"]["none"]["shape"] == [0, 7]


def test_bad_parameters_and_training_are_refused():
    with pytest.raises(InputError, match="decode parameters of tensors"):
        TensorsCodec({"outputs": [{"name": 3}]})
    with pytest.raises(InputError, match="no training target"):
        TensorsCodec({"outputs": []}).encode(None)
