"""Which form of a network a search goes on with."""

import pytest

from edgecnn.compress.quantize.candidate import fastest_form
from edgecnn.core.measure import Measurement


def raced(*values):
    return [Measurement(value, "x", 9) for value in values]


def test_a_form_has_to_pay_in_float_and_in_int8_together():
    names = ["as it came", "gather", "convolutions"]
    # Fastest in INT8 alone, but slower in float by more.
    name, gain = fastest_form(names, raced(1.0, 1.04, 0.8, 1.2, 1.25, 1.3))
    assert name == "gather"
    assert gain == pytest.approx((1 / 1.04, 1.2 / 1.25))


def test_next_to_nothing_is_no_reason_to_rewrite():
    assert fastest_form(["as it came", "gather"], raced(1.0, 1.004, 1.5, 1.51)) == ("as it came", None)
