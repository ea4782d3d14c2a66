"""A stranger's module: trusted or refused, taught by itself without labels, and a folder that builds it again."""

import importlib
import json
import sys
import textwrap

import cv2
import msgspec
import numpy as np
import onnxruntime
import pytest
import torch
from small_subject import CountedTable

from edgecnn.cli import main
from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress.prune.predict import prediction
from edgecnn.compress_model import layer_table, predictor
from edgecnn.compress_model.clock import Clock, Timed
from edgecnn.compress_model.layer_source import elsewhere
from edgecnn.compress_model.progress import load_module
from edgecnn.compress_model.trusted import allow_list, module_of
from edgecnn.core.compress_evidence import CompressResult
from edgecnn.core.errors import InputError
from edgecnn.core.layer_times import read_times
from edgecnn.core.measure import Measurement

CODE = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
            self.scores, self.map = nn.Linear(32, 4), nn.Conv2d(32, 2, 1)

        def forward(self, image):
            x = self.body(image)
            return {"scores": self.scores(x.mean((2, 3))), "map": self.map(x)}

    def make():
        torch.manual_seed(0)
        return Net()

    def three():
        return 3

    def broken():
        raise RuntimeError("no weights\\nhere")
"""
ASKED = (
    "--shape",
    "image=1,3,32,32",
    "--scale",
    "255",
    "--mean",
    "0",
    "--std",
    "1",
    "--color",
    "rgb",
    "--threads",
    "1",
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "strangers_net.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "frames").mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        picture = cv2.resize(rng.integers(0, 255, (5, 5, 3), np.uint8), (32, 32))
        cv2.imwrite(str(tmp_path / "frames" / f"{number:02}.png"), picture)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("strangers_net", None)
    return tmp_path


@pytest.fixture
def quick(monkeypatch):
    """Let the clock count parameters instead, so that nothing is timed."""

    def time(clock, module, target):
        count = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (module, clock._subject.original)]
        mine, first = (Measurement(value, "ms", 100, on=target) for value in count)
        return Timed(mine, Measurement(count[1] / count[0], "x", 100, on=target), first)

    class Table(CountedTable):
        def time_ms(self, shape):
            return shape.weights / 1e6

    monkeypatch.setattr(Clock, "time", time)
    monkeypatch.setattr(predictor, "LayerTable", Table)
    monkeypatch.setattr(predictor, "_trials", lambda *_: [])


def refused(capsys, *arguments):
    assert main.run([str(a) for a in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("edgecnn: ")
    assert len(lines) == 1
    return lines[0]


@pytest.mark.usefixtures("quick")
def test_a_module_is_finetuned_on_frames_alone_and_its_folder_builds_it_again(place, capsys):
    words = ("strangers_net:make", "--trust-code", "--calib", "frames", *ASKED, "--out", "out", "--json")
    small = ("--speedup", "1.0001", "--unhelpful", "skip", "--batches", "2", "--steps", "1", "--finetune", "1")
    (place / ".out.work.dead").mkdir()
    (place / ".out.work.dead" / "lock").touch()
    assert main.run(["prune", *words, *small]) == 0
    assert not list(place.glob(".out.*")), "its frames are gone, and what a killed run left of them"
    told = json.loads(capsys.readouterr().out)
    record = msgspec.convert(told["compress"], CompressResult)
    assert record.figure == "agreement"
    assert record.original.figure.value == 1
    assert not record.notes
    assert [step.name for step in record.steps] == ["prune", "finetune"]
    again = load_module(place / "out", module_of("strangers_net:make", trust_code=True))
    frames = torch.rand(1, 3, 32, 32)
    session = onnxruntime.InferenceSession(place / "out" / "model.onnx")
    given = session.run(None, {"image": frames.numpy()})
    with torch.no_grad():
        wanted = again(frames)
    assert [output.name for output in session.get_outputs()] == ["scores", "map"]
    for one, other in zip(given, wanted.values(), strict=True):
        assert np.allclose(one, other, atol=1e-5)
    assert "is there already" in refused(capsys, "prune", *words, *small)


def test_code_runs_only_where_somebody_vouches_for_it(place):
    with pytest.raises(InputError, match="--trust-code"):
        module_of("strangers_net:make", trust_code=False)
    assert "strangers_net" not in sys.modules
    allow_list().parent.mkdir(parents=True)
    allow_list().write_text("# mine\nother:*\nstrangers_net:make\n")
    assert not module_of("strangers_net:make", trust_code=False).training
    with pytest.raises(InputError, match="--trust-code"):
        module_of("strangers_net:three", trust_code=False)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("strangers_net:three", "returned int"),
        ("strangers_net:broken", "RuntimeError: no weights here"),
        ("strangers_net:none", "AttributeError"),
        ("no_such_package:make", "ModuleNotFoundError"),
        ("os;rm:make", "write package.module:function"),
    ],
)
def test_what_is_no_module_is_one_line(place, name, match):
    with pytest.raises(InputError, match=match) as caught:
        module_of(name, trust_code=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("strangers_net:make", "--speedup", "2", "--calib", "frames", "--out", "q"), "needs|--trust-code"),
        (("strangers_net:make", "--trust-code", "--calib", "frames", "--out", "q"), "say how far"),
        (("strangers_net:make", "--trust-code", "--speedup", "2", "--out", "q"), "needs --calib"),
        (("strangers_net:make", "--trust-code", "--speedup", "2", "--calib", "frames"), "needs --out"),
        (("strangers_net:make", "--speedup", "0.5", "--calib", "frames", "--out", "q"), "--speedup: Expected"),
        (("strangers_net:make", "--speedup", "2", "--criterion", "l3", "--out", "q"), "did you mean 'l"),
        (("strangers_net:make", "--speedup", "2", "--target", "openvin", "--out", "q"), "did you mean 'openvino'"),
        (("strangers_net:make", "--speedup", "2", "--set", "a=b", "--out", "q"), "belongs to a recipe"),
        (("strangers_net:make", "--measure-layers", "t.json"), "--trust-code"),
        (("strangers_net:make", "--speedup", "2", "--out", "frames", "--force"), "holds no pruned network"),
        (("strangers_net:make", "--speedup", "2", "--out", ".", "--force"), "holds no pruned network"),
        (("model.onnx", "--speedup", "2"), "can't be trained"),
        (("lane-quickstart",), "say how far"),
        (("lane-quickstart", "--speedup", "2", "--calib", "frames"), "goes with package.module:function"),
        (("lane-quikstart", "--speedup", "2"), "did you mean 'lane-quickstart'"),
        (("frames", "--speedup", "2"), "belongs to no run"),
        (("w.safetensors", "--speedup", "2"), "no such file"),
    ],
)
def test_bad_input_to_prune_is_one_line(place, capsys, words, match):
    pixels = ASKED[:10] if words[0].startswith("strangers_net") else ()
    assert any(part in refused(capsys, "prune", *words, *pixels) for part in match.split("|"))


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("lane-quickstart",), "needs --out"),
        (("strangers_net:make", "--calib", "frames", "--out", "q"), "--target"),
        (("strangers_net:make", "--out", "q", "--target", "openvino", "--set", "a=b"), "--set belongs to a recipe"),
        (
            ("strangers_net:make", "--out", "mine", "--target", "openvino"),
            "mine-torch: is there and holds no pruned network",
        ),
        (("model.onnx", "--out", "frames"), "is there already"),
        (("model.onnx", "--out", "q", "--target", "openvino", "--calib", "frames"), "model.onnx"),
        (("model.onnx", "--out", "q", "--trust-code"), "does not go with"),
        (("lane-quickstart", "--out", "q", "--calib", "frames"), "not for a recipe"),
        (("lane-quickstart", "--out", "q", "--target", "tensorrt_12"), "unknown target"),
    ],
)
def test_bad_input_to_compress_is_one_line(place, capsys, words, match):
    (place / "mine-torch").mkdir()
    assert main.run(["compress", *words]) == 2
    assert match in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ("prune", "strangers_net:make", "--speedup", "2", "--calib", "frames", "--out", "q"),
        ("prune", "strangers_net:make", "--measure-layers", "q"),
        ("compress", "strangers_net:make", "--target", "openvino", "--calib", "frames", "--out", "q"),
        ("run", "lane-quickstart", "--until", "compress"),
    ],
)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(place, capsys, monkeypatch, words):
    real = importlib.import_module

    def bare(name, *rest):
        if name.startswith("edgecnn.compress_model"):
            raise ModuleNotFoundError(name="torch_pruning")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", bare)
    assert main.run(list(words)) != 0
    assert "pip install 'edgecnn[compress]'" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ("img=1,3,32,32", "forward takes image"),
        ("image=2,3,32,32", "has to be 1"),
        ("image=1,4,32,32", "does not run on"),
        ("image", "write NAME="),
    ],
)
def test_shapes_that_are_not_the_modules_are_one_line(place, capsys, shape, match):
    words = ("strangers_net:make", "--trust-code", "--calib", "frames", "--out", "q", "--speedup", "2", *ASKED[2:])
    assert match in refused(capsys, "prune", *words, "--shape", shape)


def test_layers_are_measured_on_one_machine_and_pruned_for_on_another(place, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setattr(layer_table, "ROUNDS_S", 1e-3)
    net = ("strangers_net:make", "--trust-code", "--shape", "image=1,3,32,32")
    assert main.run(["prune", *net, "--threads", "1", "--target", "onnxruntime", "--measure-layers", "board.json"]) == 0
    file = read_times(place / "board.json")
    assert f"{len(file.records)} layers in onnxruntime" in capsys.readouterr().out
    assert (file.place.engine, file.place.threads, file.place.precision) == ("onnxruntime", 1, "fp32")
    module = module_of("strangers_net:make", trust_code=True)
    example = (torch.rand(1, 3, 32, 32),)
    times = elsewhere("board.json")
    predict = prediction(layer_shapes(module, example), find_groups(module, example).groups, times)
    assert predict.speedup({group.name: 8 for group in predict.groups}) > 0
    shapes = [shape for calls in layer_shapes(module, example).values() for shape in calls]
    assert len(file.records) > len(shapes), "at the widths that pruning asks for as well"
