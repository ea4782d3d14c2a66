"""Predictions: the measured whole at full widths, what layers save at others, a fit that finds what is hidden."""

import numpy as np
import pytest
from fake_times import FakeTimes, by_work

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.predict import LatencyPrediction, Trial, prediction
from edgecnn.core.errors import InputError
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import Measurement


def conv(inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> tuple[LayerShape, ...]:
    size = (8, 8)
    return (
        LayerShape(
            op="conv",
            in_channels=inputs,
            out_channels=outputs,
            kernel=(kernel, kernel),
            groups=groups,
            in_size=size,
            out_size=size,
        ),
    )


# Three layers in a row and a depthwise one between: a and b can be pruned, the ends can't.
SHAPES = {
    "a": conv(3, 64),
    "deep": conv(64, 64, groups=64),
    "b": conv(64, 128, 1),
    "c": conv(128, 10),
    "head": (LayerShape(op="linear", in_channels=10, out_channels=500, activation=False),),
}
GROUPS = (
    Group("a", 64, 1, {"a": 1, "deep": 1}, {"deep": 1, "b": 1}, {"deep": 1}),
    Group("b", 128, 1, {"b": 1}, {"c": 1}),
)


def ms(value: float) -> Measurement:
    return Measurement(value, "ms", 9)


def truth(widths: dict[str, int], factors=(1.3, 0.8, 1.0, 1.2), moves=0.4, stays=0.3, call=0.05) -> float:
    """The time of a network whose layers take other times inside of it than alone."""
    a, b = widths.get("a", 64), widths.get("b", 128)
    alone = [
        by_work(conv(3, a)[0]) + by_work(conv(b, 10)[0]),
        by_work(conv(a, b, 1)[0]),
        by_work(conv(a, a, groups=a)[0]),
        by_work(SHAPES["head"][0]),
    ]
    written = (a + a + b + 10) * 64 + 500
    return float(np.dot(factors, alone)) + moves * written / ((64 + 64 + 128 + 10) * 64 + 500) + stays + call


def made(whole: float | None, **more) -> LatencyPrediction:
    given = None if whole is None else ms(whole)
    return prediction(SHAPES, GROUPS, FakeTimes(by_work), given, **more)


def test_at_full_widths_it_is_what_was_measured():
    assert made(5.0).milliseconds({}) == pytest.approx(5.0)
    assert made(0.9, call_ms=0.1).milliseconds({}) == pytest.approx(0.9)


def test_layers_save_what_they_take_less():
    predicted = made(None)
    saved = predicted.milliseconds({}) - predicted.milliseconds({"b": 64})
    gone = [by_work(conv(64, 128, 1)[0]) / 2, by_work(conv(128, 10)[0]) / 2]
    assert saved == pytest.approx(sum(gone))
    assert predicted.whole.how == "predicted"


def test_depthwise_layers_follow_the_group():
    predicted = made(None)
    halved = [by_work(conv(3, 32)[0]), by_work(conv(32, 32, groups=32)[0]), by_work(conv(32, 128, 1)[0])]
    rest = by_work(SHAPES["c"][0]) + by_work(SHAPES["head"][0])
    assert predicted.milliseconds({"a": 32}) == pytest.approx(sum(halved) + rest)


def test_a_fit_finds_what_layers_alone_do_not_tell():
    rng = np.random.default_rng(0)
    drawn = [{"a": int(rng.integers(1, 9)) * 8, "b": int(rng.integers(1, 9)) * 16} for _ in range(30)]
    bare = made(truth({}), call_ms=0.05)
    fitted = bare.fitted([Trial(widths, truth(widths)) for widths in drawn[:6]])
    before, after = (np.mean([abs(one.milliseconds(w) / truth(w) - 1) for w in drawn[6:]]) for one in (bare, fitted))
    assert after < 0.01 < before
    assert fitted.error is not None
    assert fitted.error < 0.02
    assert (fitted.trials, bare.fitted([])) == (6, bare)
    figure = fitted.predict({"a": 32})
    assert figure.low < figure.value < figure.high
    assert figure.how == "predicted"


def test_times_never_fall_below_nothing():
    fitted = made(2.0).fitted([Trial({"a": 8, "b": 8}, 1e-3), Trial({"a": 8}, 5.0)])
    assert min(*fitted.factors, fitted.moves_ms, fitted.stays_ms) >= 0
    assert fitted.milliseconds({"a": 8, "b": 8}) > 0


def test_shares_add_up():
    shares = made(5.0, call_ms=0.5).shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["call"] == pytest.approx(0.1)


def test_a_layer_that_was_not_timed_is_judged_by_its_work():
    times = FakeTimes(lambda shape: None if shape.op == "linear" else by_work(shape))
    known, guessed = made(None).milliseconds({}), prediction(SHAPES, GROUPS, times).milliseconds({})
    assert guessed == pytest.approx(known, rel=0.2)


def test_times_of_other_layers_are_refused():
    with pytest.raises(InputError, match="hold none of this network's layers"):
        prediction(SHAPES, GROUPS, FakeTimes(lambda _: None))


def test_each_shape_is_asked_for_once_a_layer_and_whole_layers_first():
    times = FakeTimes(by_work)
    prediction(SHAPES, GROUPS, times)
    assert [shape.in_channels for shape in times.asked[:5]] == [3, 64, 64, 128, 10]
    assert len(times.asked) < 60
