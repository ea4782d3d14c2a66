"""What --target may name."""

import pytest

from edgecnn.core import registry, shared
from edgecnn.core.destination import Destination, destinations
from edgecnn.core.errors import InputError


def test_a_target_a_scheme_and_a_board():
    openvino = Destination("openvino", "openvino_cpu", "openvino", "openvino")
    assert destinations("openvino") == destinations("openvino_cpu") == [openvino]
    assert [place.name for place in destinations("x86-host-vnni")] == ["openvino", "onnxruntime"]


def test_a_scheme_that_edgecnn_has_no_compiler_for_has_no_target(monkeypatch):
    for scheme, engine in (("someday_3", "someday"), ("qnn", "onnxruntime-qnn")):
        monkeypatch.setitem(registry.SCHEMES, scheme, registry.Entry("none:NONE"))
        monkeypatch.delitem(registry.TARGETS, "onnxruntime-qnn", raising=False)
        assert destinations(scheme) == [Destination(scheme, scheme, engine, None)]


def test_a_scheme_is_not_compiled_by_another_engine_that_shares_it(monkeypatch):
    entry = registry.Entry("none:NONE")
    row = registry.Target(entry, "onnxruntime-tensorrt", "tensorrt_7", 17)
    monkeypatch.setitem(registry.SCHEMES, "tensorrt_7", entry)
    monkeypatch.setitem(registry.TARGETS, "onnxruntime-tensorrt", row)
    assert destinations("tensorrt_7") == [Destination("tensorrt_7", "tensorrt_7", "tensorrt", None)]
    row = registry.Target(entry, "tensorrt", "tensorrt_7", 17)
    monkeypatch.setitem(registry.TARGETS, "tensorrt-seven", row)
    assert destinations("tensorrt_7")[0].target == "tensorrt-seven"
    monkeypatch.setitem(registry.TARGETS, "tensorrt_7", row)
    assert destinations("tensorrt_7")[0].target == "tensorrt_7"


@pytest.mark.parametrize(
    ("board", "names"),
    [
        ("jetson-orin-nano-8gb-jp6.1", {"tensorrt_10", "onnxruntime_arm"}),
        ("jetson-orin-nano-8gb-jp5.1", {"tensorrt_8"}),
        ("raspberry-pi-5", {"onnxruntime_arm", "ncnn"}),
    ],
)
def test_a_board_is_its_engines(board, names):
    # An engine of a later edgecnn may be among them too.
    assert names <= {place.name for place in destinations(board)}


def test_a_board_without_int8_still_has_its_engines_in_float():
    with pytest.raises(InputError, match=r"none of its engines has INT8 units .*take FP16"):
        destinations("jetson-nano-4gb")
    assert [place.engine for place in destinations("jetson-nano-4gb", floats=True)] == ["tensorrt"]


@pytest.mark.parametrize("name", shared.names("devices"))
def test_every_board_has_a_destination_or_says_that_there_is_none(name):
    try:
        found = destinations(name)
    except InputError:
        with pytest.raises(
            InputError, match=f"{name}: (edgecnn has no INT8 scheme|none of its engines has INT8 units)"
        ):
            destinations(name)
    else:
        assert all(place.scheme in registry.SCHEMES for place in found)
        wide = destinations(name, floats=True)
        assert {place.name for place in found} <= {place.name for place in wide}


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown target 'openvno'.*did you mean 'openvino'"):
        destinations("openvno")
    with pytest.raises(InputError, match="no such file"):
        destinations("boards/mine.yaml")
