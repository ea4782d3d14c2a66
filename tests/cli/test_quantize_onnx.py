"""`edgecnn quantize MODEL.onnx`: from a file nobody has seen to a bundle, or one line that says why not."""

import json
import signal

import cv2
import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from detector_graph import detector
from onnx import TensorProto, helper, numpy_helper

from edgecnn.cli import main
from edgecnn.compile.artefact import compile_artefact
from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import EngineError
from edgecnn.core.workdir import temporary
from edgecnn.quantize_onnx import draft
from edgecnn.quantize_onnx import run as quantize_run
from edgecnn.runtime import load
from edgecnn.verify import agreement
from edgecnn.verify.agreement import verify_agreement

SIZE = 24
QUICK = ("--seconds", "0.5", "--threads", "1", "--precision", "int8")


def network(opset=11, inputs=1, batch="N", bend="Relu"):
    """ONNX bytes: three convolutions and a residual sum; a second input is added to what comes out."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(0, 0.3, (8, 3, 3, 3)),
        "b1": rng.normal(0, 0.1, 8),
        "w2": rng.normal(0, 0.15, (8, 8, 3, 3)),
        "w3": rng.normal(0, 0.5, (4, 8, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1] * 4),
        helper.make_node(bend, ["c2"], ["r2"]),
        helper.make_node("Add", ["r1", "r2"], ["sum"]),
        helper.make_node("Conv", ["sum", "w3"], ["y" if inputs == 1 else "c3"]),
    ]
    feeds = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])]
    if inputs == 2:
        nodes.append(helper.make_node("Add", ["c3", "shift"], ["y"]))
        feeds.append(helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1, 4, 1, 1]))
    graph = helper.make_graph(
        nodes,
        "net",
        feeds,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, SIZE // 2, SIZE // 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with models, pictures and arrays."""
    folder = tmp_path_factory.mktemp("quantize")
    onnx.save(network(), folder / "net.onnx")
    onnx.save(network(13, inputs=2, batch=1), folder / "two.onnx")
    onnx.save(network(21), folder / "new.onnx")
    onnx.save(network(21, bend="Gelu"), folder / "gelu.onnx")
    rng = np.random.default_rng(1)
    np.savez(folder / "x.npz", frames=rng.uniform(0, 1, (16, 3, SIZE, SIZE)).astype(np.float32))
    both = {"x": rng.uniform(0, 1, (9, 3, SIZE, SIZE)), "shift": rng.normal(0, 1, (9, 4, 1, 1))}
    np.savez(folder / "zero.npz", frames=np.zeros((16, 3, SIZE, SIZE), np.float32))
    np.savez(folder / "same.npz", frames=rng.uniform(0, 1, (3, SIZE, SIZE)).astype(np.float32)[None].repeat(16, 0))
    np.savez(folder / "two.npz", **{name: array.astype(np.float32) for name, array in both.items()})
    (folder / "pictures").mkdir()
    for i in range(9):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "pictures" / f"{i}.png"), cv2.resize(coarse, (64, 48)))
    return folder


def asked(place, model, calib, out, *more, report=False):
    """Run the command, without its slowest step unless that is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        if not report:
            patch.setattr(quantize_run, "_report", lambda *_: None)
        words = ["quantize", str(place / model), "--calib", str(place / calib), "--out", str(out), *QUICK, *more]
        return main.run(words)


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture(scope="module")
def from_pictures(place):
    """The bundle of a picture network for both targets of a board, and what was printed."""
    out = place / "out" / "pictures"
    more = ("--target", "x86-host-vnni", "--mean", "0.4,0.5,0.6", "--std", "0.2,0.3,0.25", "--min-agreement", "50")
    assert asked(place, "net.onnx", "pictures", out, *more, report=True) == 0
    return out


def test_pictures_give_a_bundle_that_takes_frames(place, from_pictures):
    opened = open_bundle(from_pictures)
    names = [artefact.name for artefact in opened.manifest.artefacts]
    assert names == ["openvino-fp32", "onnxruntime-fp32", "openvino-int8", "onnxruntime-int8"]
    assert {"golden.npz", "quantize.json", "artefacts/onnxruntime-int8/model.onnx"} <= set(opened.manifest.files)
    assert (opened.manifest.frame.width, opened.manifest.frame.color) == (SIZE, "rgb")
    for artefact in opened.manifest.artefacts:
        assert artefact.passed
        assert artefact.accuracy["agreement"].value > 50
        assert "engine_only.p50_ms" in artefact.latency
    assert (place / "out" / "pictures-report" / "report.html").is_file()
    assert not left_behind(place / "out")


def test_the_baked_network_answers_what_the_original_does(place, from_pictures):
    frame = cv2.imread(str(place / "pictures" / "0.png"))
    small = cv2.cvtColor(cv2.resize(cv2.resize(frame, (32, 24), interpolation=cv2.INTER_AREA), (SIZE, SIZE)), 4) / 255.0
    x = ((small - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.25]).transpose(2, 0, 1)[None].astype(np.float32)
    wanted = onnxruntime.InferenceSession(place / "net.onnx").run(None, {"x": x})[0]
    for name in ("openvino-fp32", "onnxruntime-fp32"):
        with load(from_pictures, artefact=name) as model:
            found = model(frame).arrays["y"]
            assert np.linalg.norm(found - wanted) < 1e-3 * np.linalg.norm(wanted)


def test_the_commands_take_the_bundle(from_pictures, place, capsys):
    assert main.run(["bundle", "inspect", str(from_pictures)]) == 0
    assert main.run(["verify", str(from_pictures)]) == 0
    assert main.run(["infer", str(from_pictures), str(place / "pictures"), "--out", str(place / "infer")]) == 0
    assert "nothing was drawn" in capsys.readouterr().err
    row = json.loads((place / "infer" / "results.jsonl").read_text().splitlines()[0])
    assert row["result"]["tensors"]["y"]["shape"] == [1, 4, SIZE // 2, SIZE // 2]


def test_arrays_of_two_inputs(place, capsys):
    out = place / "out" / "two"
    more = ("--target", "onnxruntime", "--json", "--min-agreement", "50")
    assert asked(place, "two.onnx", "two.npz", out, *more) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bundle"] == str(out)
    assert [row["name"] for row in told["artefacts"]] == ["onnxruntime-fp32", "onnxruntime-int8"]
    assert told["quantized"][0]["drift"]["layers"]
    with load(out) as model:
        assert model.frame_spec is None
        feeds = {"x": np.zeros((1, 3, SIZE, SIZE), np.float32), "shift": np.ones((1, 4, 1, 1), np.float32)}
        assert model.infer(feeds)["y"].shape == (1, 4, SIZE // 2, SIZE // 2)
    assert main.run(["bundle", "inspect", str(out)]) == 0
    assert "none; it takes 'x' float32" in capsys.readouterr().out


def test_a_search_keeps_the_floor_or_says_that_float_is_better(place, capsys):
    out = place / "out" / "mixed"
    more = ("--target", "onnxruntime", "--precision", "mixed", "--minutes", "0.1", "--json")
    assert asked(place, "net.onnx", "x.npz", out, *more) == 0
    told = json.loads(capsys.readouterr().out)
    artefacts = {row["name"]: row for row in told["artefacts"]}
    if "onnxruntime-mixed" in artefacts:
        assert artefacts["onnxruntime-mixed"]["agreement"]["value"] >= 98
        assert told["quantized"][0]["decisions"]
    else:
        assert list(artefacts) == ["onnxruntime-fp32"]
        assert any("FP32" in note for note in told["notes"])


def test_what_misses_the_floor_is_left_out_and_said(place, capsys, monkeypatch):
    def strict(*arguments):
        found = verify_agreement(*arguments)
        gates = tuple(msgspec.structs.replace(g, passed=not g.artefact.endswith("-int8")) for g in found.gates)
        return msgspec.structs.replace(found, gates=gates)

    monkeypatch.setattr(draft, "verify_agreement", strict)
    out = place / "out" / "floor"
    assert asked(place, "net.onnx", "pictures", out, "--target", "openvino", "--keep-input") == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    assert names == ["openvino-fp32", "openvino-fp16"]
    told = capsys.readouterr().err
    assert "openvino-int8: agrees with FP32 in" in told
    assert "left out, FP16 and FP32 stand in" in told


def test_a_target_that_cannot_have_int8_keeps_no_other_waiting(place, capsys):
    out = place / "out" / "one-of-two"
    more = ("--target", "tensorrt_8", "--target", "onnxruntime", "--min-agreement", "50")
    assert asked(place, "gelu.onnx", "x.npz", out, *more) == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    assert names == ["onnxruntime-fp32", "onnxruntime-int8"]
    told = capsys.readouterr().err
    assert "tensorrt_8: not in INT8: node '' (Gelu) can't be brought down to opset 17: there is no such op" in told


def test_a_model_too_new_for_one_target_is_lowered_for_that_alone(place):
    out = place / "out" / "lowered"
    more = ("--target", "tensorrt_8", "--target", "onnxruntime", "--min-agreement", "50")
    assert asked(place, "new.onnx", "x.npz", out, *more) == 0
    opsets = {
        artefact.name: onnx.load(out / artefact.files[0]).opset_import[0].version
        for artefact in open_bundle(out).manifest.artefacts
    }
    assert opsets == {"tensorrt_8-fp32": 17, "tensorrt_8-int8": 17, "onnxruntime-fp32": 20, "onnxruntime-int8": 21}


def test_where_no_target_can_have_int8_float_is_shipped(place, capsys):
    out = place / "out" / "float-only"
    assert asked(place, "net.onnx", "same.npz", out, "--target", "openvino", "--keep-float", "*") == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    assert names == ["openvino-fp32", "openvino-fp16"]
    told = capsys.readouterr().err
    assert "openvino: not in INT8: scheme openvino_cpu finds nothing to quantize" in told
    assert "FP16 and FP32 stand in" in told
    assert "the 16 calibration frames are all the same" in told


def test_what_the_engine_refuses_is_left_out_unless_it_is_fp32(place, capsys, monkeypatch):
    def picky(name, *arguments):
        if name.endswith(refused):
            raise EngineError(f"no engine takes {name}")
        return compile_artefact(name, *arguments)

    monkeypatch.setattr(draft, "compile_artefact", picky)
    refused = "-int8"
    out = place / "out" / "refused"
    assert asked(place, "net.onnx", "x.npz", out, "--target", "openvino") == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    assert names == ["openvino-fp32", "openvino-fp16"]
    assert "no engine takes openvino-int8; left out, FP16 and FP32 stand in" in capsys.readouterr().err
    refused = "-fp32"
    assert asked(place, "net.onnx", "x.npz", place / "out" / "never", "--target", "onnxruntime") == 2


def test_what_its_engine_fails_to_run_is_left_out_and_the_others_go_on(place, capsys, monkeypatch):
    opened = agreement.artefact_model

    def failing(bundle, artefact, threads, simulated):
        if artefact.name in broken:
            raise EngineError(f"{artefact.engine}: no memory")
        return opened(bundle, artefact, threads, simulated)

    monkeypatch.setattr(agreement, "artefact_model", failing)
    broken = {"openvino-fp32", "onnxruntime-int8"}
    out = place / "out" / "broken"
    both = ("--target", "openvino", "--target", "onnxruntime", "--min-agreement", "50")
    assert asked(place, "net.onnx", "x.npz", out, *both) == 0
    names = [artefact.name for artefact in open_bundle(out).manifest.artefacts]
    assert names == ["onnxruntime-fp32", "openvino-int8"]
    told = capsys.readouterr().err
    assert "openvino-fp32: openvino: no memory; left out, FP32 is there for the other engines" in told
    assert "onnxruntime-int8: onnxruntime: no memory; left out, FP32 stands in" in told
    broken = {"onnxruntime-fp32"}
    assert asked(place, "net.onnx", "x.npz", place / "out" / "never", "--target", "onnxruntime") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "edgecnn: onnxruntime-fp32: onnxruntime: no memory"


def test_what_varies_in_size_stays_behind_in_float(place, capsys):
    model = detector(mask=True)
    onnx.save(model, place / "detector.onnx")
    frames = np.random.default_rng(0).normal(0, 3, (12, 3, 8, 8)).astype(np.float32)
    np.savez(place / "small.npz", x=frames)
    out = place / "out" / "detector"
    more = ("--target", "onnxruntime", "--min-agreement", "20")
    assert asked(place, "detector.onnx", "small.npz", out, *more) == 0
    told = capsys.readouterr().err
    assert "the network is cut at 'boxes', 'scores', 'flat_boxes', since results behind them vary in size" in told
    bundle = open_bundle(out)
    assert [artefact.name for artefact in bundle.manifest.artefacts] == ["onnxruntime-fp32", "onnxruntime-int8"]
    tail = onnxruntime.InferenceSession(bundle.read("tail.onnx"))
    with load(out, artefact="onnxruntime-fp32") as front:
        for frame in frames[:, None]:
            given = front.infer({"x": frame})
            found = tail.run(None, {value.name: given[value.name] for value in tail.get_inputs()})
            wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": frame})
            assert np.allclose(found[0], wanted[0], atol=1e-4)
            assert np.allclose(given["r"], wanted[1], atol=1e-4)


def test_a_network_is_cut_where_the_user_says(place, capsys):
    onnx.save(detector(), place / "detector.onnx")
    frames = np.random.default_rng(0).normal(0, 3, (12, 3, 8, 8)).astype(np.float32)
    np.savez(place / "small.npz", x=frames)
    out = place / "out" / "cut"
    more = ("--target", "onnxruntime", "--min-agreement", "20")
    assert asked(place, "detector.onnx", "small.npz", out, *more, "--outputs", "rows") == 0
    assert "the network is cut at 'rows', as --outputs says" in capsys.readouterr().err
    bundle = open_bundle(out)
    assert [spec.name for spec in bundle.manifest.artefacts[0].outputs] == ["rows"]
    assert "tail.onnx" in bundle.manifest.files
    assert asked(place, "detector.onnx", "small.npz", place / "out" / "no", *more, "--outputs", "row") == 2
    assert "did you mean 'rows'?" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (ValueError, 2)])
def test_an_interrupted_or_failed_run_leaves_nothing(place, monkeypatch, capsys, error, code):
    def stop(*_):
        raise error

    monkeypatch.setattr(quantize_run, "_timed", stop)
    out = place / f"gone-{error.__name__}" / "bundle"
    assert asked(place, "net.onnx", "x.npz", out, "--target", "onnxruntime") == code
    assert capsys.readouterr().err.splitlines()[-1].startswith("edgecnn: ")
    assert list(out.parent.iterdir()) == []


def test_a_trace_is_shown_where_it_is_asked_for(place, monkeypatch, tmp_path):
    def stop(*_):
        raise ValueError("deep inside")

    monkeypatch.setattr(quantize_run, "_timed", stop)
    monkeypatch.setenv("EDGECNN_TRACE", "1")
    with pytest.raises(ValueError, match="deep inside"):
        asked(place, "net.onnx", "x.npz", tmp_path / "b", "--target", "onnxruntime")


def test_a_run_that_is_told_to_stop_cleans_up(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, temporary(tmp_path / "b", None):
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_killed_run_left_is_swept_up_and_a_living_one_is_not(tmp_path):
    with temporary(tmp_path / "b", None) as living, temporary(tmp_path / "b", None) as second:
        dead = tmp_path / ".b.work.dead"
        dead.mkdir()
        (dead / "lock").touch()
        with temporary(tmp_path / "b", None) as third:
            assert not dead.exists()
            assert living.exists()
            assert second.exists()
            assert third.exists()
    assert list(tmp_path.iterdir()) == []


BAD = {
    "no model": ("none.onnx", "x.npz", ("--target", "onnxruntime"), "none.onnx"),
    "unknown target": ("net.onnx", "x.npz", ("--target", "openvno"), "did you mean 'openvino'"),
    "no target": ("net.onnx", "x.npz", (), "--target"),
    "no data": ("net.onnx", "none", ("--target", "openvino"), "no such file or folder"),
    "wrong arrays": ("two.onnx", "x.npz", ("--target", "openvino"), "named 'x', 'shift'; it holds 'frames'"),
    "pictures for two inputs": ("two.onnx", "pictures", ("--target", "openvino"), "FILE.npz"),
    "scale for arrays": ("net.onnx", "x.npz", ("--target", "openvino", "--scale", "1"), "--scale is for pictures"),
    "a mean of two": ("net.onnx", "pictures", ("--target", "openvino", "--mean", "1,2"), "--mean 1,2"),
    "a shape of words": ("net.onnx", "x.npz", ("--target", "openvino", "--shape", "x=a"), "NAME=1,3,HEIGHT,WIDTH"),
    "a recipe's option": ("net.onnx", "x.npz", ("--target", "openvino", "--set", "a=b"), "--set belongs to a recipe"),
    "no such node": ("net.onnx", "x.npz", ("--target", "openvino", "--keep-float", "head*"), "is called 'head*'"),
    "empty frames": ("net.onnx", "zero.npz", ("--target", "openvino"), "every frame holds one value only"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(place, tmp_path, capsys, case):
    model, calib, more, told = BAD[case]
    out = tmp_path / "new" / "bundle"
    assert asked(place, model, calib, out, *more) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert [line for line in error if line.startswith("edgecnn: ")] == error[-1:]
    assert told in error[-1]
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_what_is_at_out_is_kept_unless_asked(place, from_pictures, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert asked(place, "net.onnx", "x.npz", tmp_path, "--target", "onnxruntime", "--force") == 2
    assert asked(place, "net.onnx", "x.npz", from_pictures, "--target", "onnxruntime") == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_recipe_goes_on_as_before(tmp_path, capsys):
    assert main.run(["quantize", "lane-quikstart"]) == 2
    assert "did you mean 'lane-quickstart'" in capsys.readouterr().err
    assert main.run(["quantize", "lane-quickstart", "--target", "openvino"]) == 2
    assert "--target belongs to an .onnx file" in capsys.readouterr().err


def test_check_names_the_rules_that_a_file_breaks(place, from_pictures, capsys):
    good = from_pictures / "artefacts" / "onnxruntime-int8" / "model.onnx"
    assert main.run(["quantize", str(good), "--check", "--target", "onnxruntime"]) == 0
    assert "keeps every rule" in capsys.readouterr().out
    assert main.run(["quantize", str(good), "--check", "--scheme", "openvino_cpu", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["violations"]["openvino_cpu"]
    assert main.run(["quantize", str(good), "--check", "--target", "tensorrt_8"]) == 1
    assert "TensorRT's GPU takes int8 alone" in capsys.readouterr().out
    assert main.run(["quantize", str(good), "--check"]) == 2
    assert main.run(["quantize", str(place / "x.npz"), "--check", "--scheme", "openvino_cpu"]) == 2
    assert "not a valid ONNX model" in capsys.readouterr().err
