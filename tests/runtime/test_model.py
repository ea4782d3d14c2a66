import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

import edgecnn.runtime
from edgecnn.core import registry
from edgecnn.core.bundle import open_bundle, pack
from edgecnn.core.errors import BundleError, EngineError, InputError, MissingExtraError, TensorError
from edgecnn.core.results import Lanes
from edgecnn.runtime import FrameStream, load
from edgecnn.runtime.preprocess import prepare


def frame(seed=0, height=90, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_a_frame_becomes_lanes_in_its_own_pixels(lane_bundle):
    with load(lane_bundle, threads=1) as model:
        result = model(frame())
        assert isinstance(result, Lanes)
        assert (result.width, result.height) == (160, 90)
        assert result.lines
        larger = model(frame(1, 720, 1280))
        assert (larger.width, larger.height) == (1280, 720)


def test_the_call_is_its_three_parts(lane_bundle):
    with load(str(lane_bundle), threads=1) as model:
        picture = frame(3)
        feeds = model.preprocess(picture)
        assert list(feeds) == ["image"]
        np.testing.assert_array_equal(feeds["image"][0], prepare(picture, model.frame_spec))
        outputs = model.infer(feeds)
        assert model.postprocess(outputs, 160, 90).to_json() == model(picture).to_json()


def test_both_engines_and_both_forms_of_the_bundle_agree(lane_bundle, tmp_path):
    packed = pack(lane_bundle, tmp_path / "tiny.edge")
    outputs = []
    for path in (lane_bundle, packed):
        for engine in ("onnxruntime", "openvino"):
            with load(path, engine=engine, threads=1) as model:
                assert model.engine.name == model.artefact.engine == engine
                outputs.append(model.infer(model.preprocess(frame())))
    for other in outputs[1:]:
        for name, array in other.items():
            np.testing.assert_allclose(array, outputs[0][name], rtol=1e-4, atol=1e-4)


def test_the_null_engine_runs_any_bundle(lane_bundle):
    with load(lane_bundle, engine="null") as model:
        assert model.artefact.name == "openvino-fp32"
        assert not model(frame()).lines
    with load(lane_bundle, engine="null", artefact="onnxruntime-fp32") as model:
        assert model.artefact.name == "onnxruntime-fp32"


@pytest.mark.parametrize(
    "bad",
    [np.zeros((90, 160), np.uint8), np.zeros((90, 160, 3), np.float32), np.zeros((0, 0, 3), np.uint8), None],
)
def test_a_bad_frame_is_refused_and_the_next_good_one_works(lane_bundle, bad):
    with load(lane_bundle, threads=1) as model:
        wanted = model(frame()).to_json()
        with pytest.raises(TensorError, match=r"uint8 \[height, width, 3\]"):
            model(bad)
        with pytest.raises(TensorError, match="uint8 of shape"):
            model.infer({"image": np.zeros((1, 16, 32, 3), np.float32)})
        assert model(frame()).to_json() == wanted


def test_a_closed_model_says_so(lane_bundle):
    model = load(lane_bundle, threads=1)
    model.close()
    with pytest.raises(EngineError, match="closed"):
        model(frame())


def test_the_fastest_that_passed_is_taken(lane_bundle_of, lane_artefact, tmp_path):
    path = lane_bundle_of(
        tmp_path / "b",
        lane_artefact("unmeasured", "openvino"),
        lane_artefact("failed", "onnxruntime", 0.1, passed=False),
        lane_artefact("slow", "openvino", 3.0, passed=True),
        lane_artefact("fast", "onnxruntime", 0.5, passed=None),
        lane_artefact("from-the-future", "warp_drive", 0.2),
    )
    assert load(path, threads=1).artefact.name == "fast"
    assert load(path, engine="openvino", threads=1).artefact.name == "slow"
    assert load(path, artefact="failed", threads=1).artefact.name == "failed"
    with pytest.raises(InputError, match="unknown engine 'warp_drive'"):
        load(path, artefact="from-the-future")
    with pytest.raises(BundleError, match="is for engine 'onnxruntime', not 'openvino'"):
        load(path, artefact="fast", engine="openvino")
    with pytest.raises(BundleError, match="no artefact 'fats'"):
        load(path, artefact="fats")
    with pytest.raises(InputError, match="did you mean 'openvino'"):
        load(path, engine="openvin")


def test_without_measurements_the_registrys_order_decides(lane_bundle_of, lane_artefact, tmp_path):
    path = lane_bundle_of(
        tmp_path / "b",
        lane_artefact("a", "onnxruntime"),
        lane_artefact("b", "openvino"),
        lane_artefact("c", "openvino"),
    )
    assert load(path, threads=1).artefact.name == "b"


def test_an_engine_the_bundle_has_nothing_for(lane_bundle_of, lane_artefact, tmp_path):
    path = lane_bundle_of(tmp_path / "b", lane_artefact("a", "onnxruntime", passed=False))
    with pytest.raises(BundleError, match=r"no artefact for engine 'openvino' \(the bundle has: onnxruntime\)"):
        load(path, engine="openvino")
    with pytest.raises(BundleError, match="failed a gate: a"):
        load(path)


def test_an_engine_that_is_not_installed_is_passed_over_or_named(lane_bundle, monkeypatch):
    absent = registry.Entry("edgecnn_no_such_sdk.engine:open_engine", "openvino")
    monkeypatch.setitem(registry.ENGINES, "openvino", absent)
    assert load(lane_bundle, threads=1).artefact.name == "onnxruntime-fp32"
    monkeypatch.setitem(registry.ENGINES, "onnxruntime", absent._replace(extra="onnxruntime"))
    with pytest.raises(MissingExtraError, match="nothing in it can run here") as caught:
        load(lane_bundle)
    assert "pip install 'edgecnn[openvino]'" in str(caught.value)
    assert "pip install 'edgecnn[onnxruntime]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bundle_whose_parts_do_not_fit_is_refused(lane_bundle_of, lane_artefact, tmp_path):
    good = lane_artefact("a", "onnxruntime")
    narrow = msgspec.structs.replace(good.inputs[0], shape=(1, 16, 31, 3))
    path = lane_bundle_of(tmp_path / "narrow", msgspec.structs.replace(good, inputs=(narrow,)))
    with pytest.raises(BundleError, match=r"one uint8 frame \[1, 16, 32, 3\] is expected"):
        load(path)
    path = lane_bundle_of(tmp_path / "half", msgspec.structs.replace(good, outputs=good.outputs[:1]))
    with pytest.raises(BundleError, match="gives no output 'exist'"):
        load(path)


def test_an_artefacts_options_reach_the_engine(lane_bundle_of, lane_artefact, tmp_path):
    path = lane_bundle_of(tmp_path / "b", lane_artefact("a", "onnxruntime", options={"threads": 2, "spinning": False}))
    with load(path) as model:
        assert (model.engine.facts()["threads"], model.engine.facts()["spinning"]) == (2, False)
    with load(path, threads=1) as model:
        assert (model.engine.facts()["threads"], model.engine.facts()["spinning"]) == (1, False)


def test_a_tampered_bundle_never_reaches_an_engine(lane_bundle, tmp_path, monkeypatch):
    copy = pack(lane_bundle, tmp_path / "copy.edge")
    data = bytearray(copy.read_bytes())
    data[data.index(b"lanes", 200)] ^= 1
    copy.write_bytes(data)
    opened = []
    monkeypatch.setattr("edgecnn.runtime.model.choose_artefact", lambda *_: opened.append(1))
    with pytest.raises(BundleError):
        load(copy)
    assert not opened


def test_a_stream_over_a_model(lane_bundle):
    source = [(str(number), frame(number)) for number in range(5)]
    with load(lane_bundle, threads=1) as model, FrameStream(model, source) as stream:
        items = list(stream)
    assert items[-1].index == 4
    assert items[-1].result.to_json() == load(lane_bundle, threads=1)(frame(4)).to_json()


def test_what_the_package_offers(lane_bundle):
    assert set(edgecnn.runtime.__all__) == {"FrameStream", "Model", "load"}
    assert isinstance(load(lane_bundle), edgecnn.runtime.Model)
    with pytest.raises(AttributeError, match="lode"):
        _ = edgecnn.runtime.lode
    assert open_bundle(Path(lane_bundle)).manifest.name == "tiny"


def in_a_fresh_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_runtime_never_imports_torch_or_onnx(lane_bundle):
    code = f"""
import sys
import numpy as np
from edgecnn.runtime import load, FrameStream, Model
for engine in ("onnxruntime", "openvino"):
    load({str(lane_bundle)!r}, engine=engine)(np.zeros((90, 160, 3), np.uint8))
roots = {{name.split(".")[0] for name in sys.modules}}
print(sorted(roots & {{"torch", "onnx", "onnx_ir", "onnxscript"}}))
"""
    assert in_a_fresh_process(code).strip() == "[]"


# CPU time, the best of five, less NumPy's own import: what a busy machine can't inflate much.
def test_importing_the_runtime_costs_under_60_ms_beside_numpy():
    code = """
import numpy, time
start = time.process_time()
import edgecnn.runtime
bare = time.process_time() - start
from edgecnn.runtime import load
print(bare * 1e3, (time.process_time() - start) * 1e3)
"""
    costs_ms = np.array([[float(x) for x in in_a_fresh_process(code).split()] for _ in range(5)])
    assert costs_ms[:, 0].min() < 60
