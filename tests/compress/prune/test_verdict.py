"""Verdicts: what can be reached, and the reason where it can't."""

from fake_times import FakeTimes, by_work

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.predict import prediction
from edgecnn.compress.prune.verdict import can_pruning_help
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import Measurement


def conv(inputs: int, outputs: int) -> tuple[LayerShape, ...]:
    sizes = {"kernel": (3, 3), "in_size": (8, 8), "out_size": (8, 8)}
    return (LayerShape(op="conv", in_channels=inputs, out_channels=outputs, **sizes),)


SHAPES = {"stem": conv(3, 64), "middle": conv(64, 64), "last": conv(64, 10)}
GROUPS = (Group("stem", 64, 1, {"stem": 1}, {"middle": 1}), Group("middle", 64, 1, {"middle": 1}, {"last": 1}))


def verdict(asked, rule=by_work, whole=None, call_ms=0.0, shapes=SHAPES, groups=GROUPS, **more):
    given = None if whole is None else Measurement(whole, "ms", 9)
    return can_pruning_help(prediction(shapes, groups, FakeTimes(rule), given, call_ms=call_ms), asked, **more)


def test_a_goal_within_reach():
    found = verdict(3.0)
    assert found.helps
    assert found.best_speedup > 3
    assert (found.why, round(found.shrinkable, 6)) == ("", 1)
    assert found.text.startswith("pruning can reach 3.00x")
    assert found.best == {"stem": 8, "middle": 8}


def test_the_floor_limits_what_can_be_reached():
    assert verdict(3.0, floor=0.1).helps
    assert not verdict(3.0, floor=0.8).helps


def test_overhead_is_named():
    found = verdict(2.0, whole=10.0, call_ms=9.0)
    assert not found.helps
    assert round(found.call, 6) == 0.9
    assert "90% of the time is the engine's overhead a call" in found.why
    assert found.why in found.text
    assert "\n" not in found.text


def test_layers_that_have_to_stay_are_named():
    shapes = {**SHAPES, "fixed": conv(256, 256)}
    found = verdict(2.0, shapes=shapes)
    assert not found.helps
    assert "layers whose channels have to stay" in found.why
    assert "fixed" in found.why


def test_work_outside_of_layers_is_named():
    found = verdict(5.0, whole=50.0)
    assert not found.helps
    assert "outside of layers" in found.why


def test_widths_below_what_the_engine_gains_from_are_named():
    found = verdict(1.5, rule=lambda shape: 1.0)
    assert not found.helps
    assert found.best_speedup == 1
    assert "below the widths that the engine gains from" in found.why


def test_without_a_goal_a_gain_has_to_be_measurable():
    assert verdict(None).helps
    assert not verdict(None, rule=lambda shape: 1.0).helps


def test_the_least_widths_are_not_taken_for_the_fastest():
    slow_when_thin = lambda shape: by_work(shape) + (5.0 if shape.out_channels == 8 else 0.0)  # noqa: E731
    assert verdict(1.5, rule=slow_when_thin).best["middle"] > 8


def test_a_prediction_from_a_data_sheet_says_so():
    found = can_pruning_help(prediction(SHAPES, GROUPS, FakeTimes(by_work, "predicted")), 2.0)
    assert "by data-sheet layer times" in found.text
