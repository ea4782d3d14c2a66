"""What a machine without TensorRT, or without CUDA for Python, is told."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from simulated import taken

from edgecnn.core.errors import MissingExtraError
from edgecnn.core.registry import resolve

pytestmark = pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed here")


@pytest.fixture(autouse=True)
def fresh_modules():
    """Have edgecnn's TensorRT modules imported anew, and put back what was there."""
    kept = taken()
    yield
    taken()
    sys.modules.update(kept)


def told():
    with pytest.raises(MissingExtraError) as caught:
        resolve("engine", "tensorrt")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_elsewhere_both_ways_are_named():
    words = told()
    assert "on a Jetson it is a system package of JetPack, not pip's (sudo apt install python3-libnvinfer" in words
    assert "pip install tensorrt-cu12 or tensorrt-cu13" in words


def test_on_a_jetson_pip_is_no_way(monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/etc/nv_tegra_release" or exists(self))
    words = told()
    assert "a system package of JetPack, not pip's: sudo apt install python3-libnvinfer" in words
    assert "--system-site-packages" in words
    assert "`edgecnn compile BUNDLE --on-device` builds and times with trtexec" in words
    assert "pip install" not in words


@pytest.mark.skipif(find_spec("cuda") is not None, reason="cuda-bindings are installed here")
def test_without_cuda_for_python_the_fitting_one_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    words = told()
    assert "pip install 'cuda-bindings>=12.8,<13' where CUDA is 12 (JetPack 6)" in words
