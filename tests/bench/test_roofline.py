"""Roofline: the longer of computing and moving, in blocks of channels; what is not known is said."""

import pytest

from edgecnn.bench.roofline import Rates, Roofline, roofline
from edgecnn.core import shared
from edgecnn.core.device import load_device
from edgecnn.core.errors import InputError
from edgecnn.core.layers import LayerShape


def conv(inputs: int, outputs: int, size: int = 16) -> LayerShape:
    sizes = {"kernel": (3, 3), "in_size": (size, size), "out_size": (size, size)}
    return LayerShape(op="conv", in_channels=inputs, out_channels=outputs, **sizes)


def test_the_longer_of_computing_and_moving_counts():
    shape = conv(64, 64)
    slow_memory = Roofline(Rates(1e12, 1e3, 2, 1), "x")
    slow_units = Roofline(Rates(1e3, 1e12, 2, 1), "x")
    assert slow_memory.time_ms(shape) == pytest.approx(shape.moved * 2 / 1e3)
    assert slow_units.time_ms(shape) == pytest.approx(shape.macs / 1e3)


def test_channels_are_worked_in_blocks():
    times = Roofline(Rates(1e3, 1e12, 2, 16), "x")
    assert times.time_ms(conv(17, 32)) == times.time_ms(conv(32, 32))
    assert times.time_ms(conv(16, 32)) == pytest.approx(times.time_ms(conv(32, 32)) / 2)


def time_or_reason(device, engine: str, precision: str, mode: str = "") -> float | str:
    try:
        return roofline(device, engine, precision, mode).time_ms(conv(256, 256, 64))
    except InputError as error:
        return str(error)


def test_a_device_in_its_modes():
    device = load_device("jetson-orin-nx-16gb")
    answers = [time_or_reason(device, "tensorrt", "int8", mode.name) for mode in device.modes]
    assert any(isinstance(answer, float) for answer in answers)
    assert all("is not known" in answer for answer in answers if isinstance(answer, str))
    assert roofline(device, "tensorrt", "int8").how == "predicted"
    assert time_or_reason(device, "tensorrt", "fp16") >= time_or_reason(device, "tensorrt", "int8")


@pytest.mark.parametrize("name", shared.names("devices"))
def test_every_device_gives_times_or_says_why_not(name):
    device = load_device(name)
    for support in device.engines:
        for precision in set(support.precisions) & {"fp32", "fp16", "int8"}:
            answer = time_or_reason(device, support.engine, precision)
            if isinstance(answer, str):
                assert "give layer times that were measured there" in answer
            else:
                assert 0 < answer < 1e3


def test_what_a_device_does_not_run_is_refused():
    with pytest.raises(InputError, match="does not run ncnn in int8; it has"):
        roofline(load_device("x86-host-vnni"), "ncnn", "int8")
