"""What --target may name."""

import pytest

from edgecnn.core import registry, shared
from edgecnn.core.destination import Destination, destinations
from edgecnn.core.errors import InputError


def test_a_target_a_scheme_and_a_board():
    openvino = Destination("openvino", "openvino_cpu", "openvino", "openvino")
    assert destinations("openvino") == destinations("openvino_cpu") == [openvino]
    assert [place.name for place in destinations("x86-host-vnni")] == ["openvino", "onnxruntime"]


def test_a_scheme_whose_engine_is_not_here_has_no_target(monkeypatch):
    monkeypatch.setitem(registry.SCHEMES, "tensorrt_10", registry.Entry("none:NONE"))
    monkeypatch.setitem(registry.SCHEMES, "qnn", registry.Entry("none:NONE"))
    assert destinations("tensorrt_10") == [Destination("tensorrt_10", "tensorrt_10", "tensorrt", None)]
    assert destinations("qnn") == [Destination("qnn", "qnn", "onnxruntime-qnn", None)]
    board = destinations("jetson-orin-nano-8gb-jp6.1")
    assert board[0] == Destination("tensorrt_10", "tensorrt_10", "tensorrt", None)


@pytest.mark.parametrize("name", shared.names("devices"))
def test_every_board_has_a_destination_or_says_that_there_is_none(name):
    try:
        found = destinations(name)
    except InputError:
        with pytest.raises(InputError, match=f"{name}: edgecnn has no INT8 scheme"):
            destinations(name)
    else:
        assert all(place.scheme in registry.SCHEMES for place in found)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown target 'openvno'.*did you mean 'openvino'"):
        destinations("openvno")
    with pytest.raises(InputError, match="no such file"):
        destinations("boards/mine.yaml")
