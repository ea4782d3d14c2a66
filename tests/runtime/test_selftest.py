import os
import sys
import textwrap

import numpy as np
import pytest

from edgecnn.core import registry
from edgecnn.core.errors import EngineError, MissingExtraError
from edgecnn.runtime import selftest

onnx = pytest.importorskip("onnx")


def test_the_bytes_are_the_network_they_are_said_to_be():
    def info(name):
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4])

    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "probe", [info("x")], [info("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    assert onnx.load_from_string(selftest.RELU_ONNX) == model
    onnx.checker.check_model(selftest.RELU_ONNX, full_check=True)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_that_works_gives_its_version(engine):
    assert selftest.try_engine(engine)[0].isdigit()


def test_an_engine_that_computes_nonsense_is_found_out():
    with pytest.raises(EngineError, match="reinstall"):
        selftest.try_engine("null")


def test_the_probe_tells_relu_from_identity():
    x = np.array([[-2.0, -0.5, 0.0, 3.5]], np.float32)
    assert not np.array_equal(np.maximum(x, 0), x)


def engine_module(tmp_path, monkeypatch, text):
    """Put an engine called `made` into the registry, whose file says `text`."""
    (tmp_path / "made_engine.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_engine", raising=False)
    monkeypatch.setitem(registry.ENGINES, "made", registry.Entry("made_engine:open_engine"))


OWN_FORM = """
    import numpy as np

    def probe():
        return {"relu.own": b"max(x, 0)"}

    class Engine:
        def infer(self, feeds):
            return {"y": np.maximum(feeds["x"], 0)}
        def facts(self):
            return {"version": "7.1"}
        def close(self):
            pass

    def open_engine(files, inputs, outputs, options):
        assert files == {"relu.own": b"max(x, 0)"}
        assert [spec.name for spec in (*inputs, *outputs)] == ["x", "y"]
        return Engine()
"""


def test_an_engine_of_another_form_brings_its_own_network(tmp_path, monkeypatch):
    engine_module(tmp_path, monkeypatch, OWN_FORM)
    assert selftest.try_engine("made") == "7.1"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Let an engine called `made` be found by its entry point, in other processes too."""

    def write(text):
        info = tmp_path / "made-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[edgecnn.engines]\nmade = made_engine:open_engine\n")
        (tmp_path / "made_engine.py").write_text(textwrap.dedent(text))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\ndef open_engine(*_): os.abort()\n", r"made: took its process down \(SIGABRT\)"),
        ("import os\ndef open_engine(*_): os._exit(3)\n", r"made: took its process down \(exit code 3\)"),
        ("def open_engine(*_): raise RuntimeError('two\\nlines')\n", "does not load: two lines"),
        ("raise OSError('libmade.so.3: cannot open shared object file')\n", r"does not load: libmade\.so\.3"),
        ("def open_engine(*_):\n    while True: pass\n", "made: no answer within 2 s"),
        ("import made_sdk\n", "pip install made_sdk"),
    ],
)
def test_an_engine_that_crashes_or_hangs_takes_nobody_with_it(plugin, text, words):
    plugin(text)
    with pytest.raises((EngineError, MissingExtraError), match=words) as caught:
        selftest.try_engine_apart("made", 2 if "while True" in text else 60)
    assert "\n" not in str(caught.value)


def test_an_engine_that_chatters_is_understood(plugin):
    plugin(OWN_FORM + "\n    print('loading the made engine')\n")
    assert selftest.try_engine_apart("made", 60) == "7.1"
