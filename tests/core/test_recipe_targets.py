"""Boards and schemes as a recipe's targets."""

from pathlib import Path

import pytest

from edgecnn.core.errors import RecipeError
from edgecnn.core.recipe import load_recipe
from edgecnn.core.registry import TARGETS

TINY = Path(__file__).parents[1] / "tiny.yaml"


def targets(names, *, quantized=True):
    overrides = {"targets": names} | ({} if quantized else {"quantize": "null"})
    return load_recipe(TINY, overrides).targets


def test_targets_stay_as_they_are():
    assert targets("[openvino, onnxruntime]") == ("openvino", "onnxruntime")


def test_a_board_becomes_its_engines_and_none_is_named_twice():
    found = targets("[openvino, x86-host-vnni, raspberry-pi-5]")
    assert found[:2] == ("openvino", "onnxruntime")
    assert {"onnxruntime_arm", "ncnn"} <= set(found)
    assert len(set(found)) == len(found)
    assert set(found) <= set(TARGETS)


def test_a_scheme_becomes_its_target():
    assert targets("[tensorrt_8, xnnpack]") == ("tensorrt_8", "onnxruntime-xnnpack")


def test_the_tensorrt_is_that_of_the_boards_jetpack():
    assert "tensorrt_10" in targets("[jetson-orin-nx-16gb]")
    assert targets("[jetson-orin-nx-16gb-jp5.1]") == ("tensorrt_8",)
    assert "tensorrt_11" in targets("[jetson-agx-orin-64gb-jp7.2.2]")


@pytest.mark.parametrize(
    ("names", "quantized", "words"),
    [
        ("[openvno]", True, r"--set targets: unknown target 'openvno'.*did you mean 'openvino'"),
        ("[jetson-nano-4gb]", True, "jetson-nano-4gb: none of its engines has INT8 units"),
        ("[jetson-nano-4gb]", False, r"TensorRT 8\.2\.1 reads 13 at most"),
        ("[jetson-orin-nano-8g]", True, "did you mean 'jetson-orin-nano-8gb'"),
    ],
)
def test_what_a_board_can_not_run_is_told_before_any_work(names, quantized, words):
    with pytest.raises(RecipeError, match=words) as caught:
        targets(names, quantized=quantized)
    assert "\n" not in str(caught.value)
