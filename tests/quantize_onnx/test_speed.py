"""What is said of a gain follows its interval, whatever the value in the middle."""

import pytest

from edgecnn.core.measure import Measurement
from edgecnn.quantize_onnx.speed import speed_note

SAID = {
    "faster": (1.5, 1.4, 1.6, ""),
    "slower": (0.8, 0.7, 0.9, "is not faster than"),
    "slower or not": (0.81, 0.18, 1.43, "no difference in speed"),
    "faster or not": (1.05, 0.95, 1.15, "no difference in speed"),
    "timed too short": (1.5, None, None, "no difference in speed"),
}


@pytest.mark.parametrize("case", SAID)
def test_the_interval_decides(case):
    value, low, high, said = SAID[case]
    text = speed_note("a-int8", "a-fp32", Measurement(value, "x", 9, low, high))
    assert (said in text) if said else not text
