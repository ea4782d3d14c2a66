import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.measure import Measurement
from edgecnn.report import wording

value = st.floats(1e-3, 1e5)


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        (Measurement(4.2134, "ms", 900, 4.19, 4.24), "4.21 ms [4.19, 4.24]"),
        (Measurement(95.1, "%", 400, 94.4, 95.8), "95.1 % [94.4, 95.8]"),
        (Measurement(99.951, "%", 400, 99.91, 99.99), "99.95 % [99.91, 99.99]"),
        (Measurement(3.1, "x", 20, 2.9, 3.3), "3.10\N{MULTIPLICATION SIGN} [2.90, 3.30]"),
        (Measurement(237.2, "ms", 6, 230.4, 244.1), "237 ms [230, 244]"),
        (Measurement(-0.1, "points", 400, -0.3, 0.1), "\N{MINUS SIGN}0.10 points [\N{MINUS SIGN}0.30, 0.10]"),
        (Measurement(142.0, "MiB", 6), "142 MiB (no interval)"),
        (Measurement(0.0, "points", 9, 0.0, 0.0), "0.0 points [0.0, 0.0]"),
        (Measurement(1.24, "us", 9, 1.23, 1.25), "1.24 \N{MICRO SIGN}s [1.23, 1.25]"),
    ],
)
def test_a_figure_in_words(measurement, expected):
    assert wording.phrase(measurement) == expected


@given(value, st.floats(1e-4, 0.5))
def test_digits_are_few_and_show_the_value_to_within_its_interval(middle, share):
    half = middle * share
    digits = wording.digits_of(middle, middle - half, middle + half)
    assert 0 <= digits <= 4
    shown = float(wording.number(middle, digits).replace(",", ""))
    assert abs(shown - middle) <= max(half, 0.006 * middle, 0.51e-4)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_rounded_zero_has_no_sign(number, digits):
    text = wording.number(number, digits)
    assert "-" not in text
    assert not (text.startswith("\N{MINUS SIGN}") and float(text[1:].replace(",", "")) == 0)
    assert math.isclose(float(text.replace("\N{MINUS SIGN}", "-").replace(",", "")), number, abs_tol=0.51 * 10**-digits)


def test_a_cell_says_interval_count_and_origin():
    measured = wording.cell(Measurement(4.2, "ms", 900, 4.1, 4.3))
    assert measured.sub == "[4.10, 4.30]\nn 900, measured"
    assert measured.status == "none"
    predicted = wording.cell(Measurement(4.2, "ms", 1, how="predicted"))
    assert predicted.sub == "no interval\nn 1, predicted"
    assert predicted.status == "warn"
    assert wording.cell(None).text == "unknown"


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(12, "12 B"), (2_481_000, "2.48 MB"), (94_120, "94.1 kB"), (9_412_000_000, "9.41 GB"), (1_000, "1.00 kB")],
)
def test_sizes(size_bytes, expected):
    assert wording.bytes_text(size_bytes) == expected


@pytest.mark.parametrize(
    ("key", "expected"), [("cold_load_ms", "cold load"), ("frames", "frames"), ("dropped_pct", "dropped"), ("fp", "fp")]
)
def test_keys_lose_their_unit_only(key, expected):
    assert wording.words(key) == expected
