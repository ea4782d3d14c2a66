"""Ranges judged by the network's outputs: the better method wins, time ends the trials, shared scales are one."""

import numpy as np
import pytest
from correction_nets import Frames, Net, shuffle_net
from onnx import helper

from edgecnn.compress.quantize.observers import observe
from edgecnn.compress.quantize.ranges import METHODS, scale_and_zero
from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.simulate import Simulator, output_error, outputs
from edgecnn.compress.quantize.trials import Group, choose_ranges, group_range
from edgecnn.core.errors import DataError

SIGNED, UNSIGNED = Format("int8", symmetric=True), Format("uint8", symmetric=False)


def stored_and_back(x, low, high, form):
    scale, zero = scale_and_zero(low, high, form)
    return ((np.clip(np.round(x / scale) + zero, form.low, form.high) - zero) * scale).astype(np.float32)


class Spiked(Frames):
    """Frames of which the first holds one value twenty times as large as the rest."""

    def __iter__(self):
        for index, feeds in enumerate(super().__iter__()):
            if index == 0:
                feeds["x"][0, 1, 4, 4] = 60
            yield feeds


def test_trials_measure_what_rounding_the_input_does():
    model = shuffle_net(2, 0.5)
    frames = Spiked(60)
    histograms, _ = observe(model, ("x",), frames, 1)
    group = Group(("x",), SIGNED)
    choice = choose_ranges(model, [group], histograms, frames, frames=60, budget_s=60)[0]
    reference = outputs(model, list(frames))
    assert len(choice.errors) >= 2
    for method, error in choice.errors.items():
        low, high = group_range(group, histograms, method)
        rounded = [{"x": stored_and_back(feeds["x"], low, high, SIGNED)} for feeds in frames]
        assert error == pytest.approx(output_error(reference, outputs(model, rounded)), rel=0.05)
    assert choice.errors[choice.method] == min(choice.errors.values())
    assert (choice.low, choice.high) == group_range(group, histograms, choice.method)


def test_an_outlier_that_matters_is_kept_and_one_that_does_not_is_cut():
    found = {}
    for matters in (True, False):
        net = Net(0, 0.1)
        y = net.add("Identity", "x")
        z = net.add("GlobalMaxPool", y) if matters else net.add("Clip", y, np.float32(-3), np.float32(3))
        model = net.finish(net.conv(z, 3, 4, kernel=1))
        histograms, _ = observe(model, (y,), Spiked(60), 1)
        found[matters] = choose_ranges(model, [Group((y,), SIGNED)], histograms, Spiked(60), budget_s=60)[0]
    assert found[True].high > 2 * found[False].high
    assert found[True].high > 55


def test_tensors_of_a_shared_scale_are_rounded_together():
    model = shuffle_net(1, 0.5)
    concat = next(node for node in model.graph.node if node.op_type == "Concat")
    names = (*concat.input, concat.output[0])
    histograms, _ = observe(model, names, Frames(4), 1)
    together, *alone = choose_ranges(
        model,
        [Group(names, UNSIGNED), *(Group((name,), UNSIGNED) for name in names)],
        histograms,
        Frames(4),
        budget_s=60,
    )
    for method, error in together.errors.items():
        assert error >= 0.8 * max(one.errors.get(method, 0) for one in alone)
    assert together.high >= max(one.high for one in alone if one.method == together.method)


def test_branches_read_what_they_make_themselves():
    net = Net(0)
    y = net.add("Relu", net.conv("x", 3, 4))
    branches = {}
    for name, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        inner = [helper.make_node(op, [y], [f"{op}.inner"]), helper.make_node("Relu", [f"{op}.inner"], [f"{op}.out"])]
        branches[name] = helper.make_graph(inner, op, [], [helper.make_tensor_value_info(f"{op}.out", 1, None)])
    asked = net.add("Less", net.add("ReduceMean", "x", keepdims=0), np.float32(1e9))
    picked = net.add("If", asked, **branches)
    model = net.finish(net.conv(net.add("Add", net.conv(y, 4, 4), picked), 4, 2))
    histograms, _ = observe(model, ("x", y), Spiked(20), 1)
    for name in ("x", y):
        choice = choose_ranges(model, [Group((name,), SIGNED)], histograms, Spiked(20), frames=20, budget_s=60)[0]
        assert len(choice.errors) >= 2
        assert all(0 < error < 1 for error in choice.errors.values())


def test_time_is_kept_and_frames_are_needed():
    model = shuffle_net(1)
    histograms, _ = observe(model, ("x",), Frames(2), 1)
    group = Group(("x",), SIGNED)
    choice = choose_ranges(model, [group], histograms, Frames(2), budget_s=0)[0]
    assert (choice.method, choice.errors) == ("mse", {})
    assert (choice.low, choice.high) == group_range(group, histograms, "mse")
    with pytest.raises(DataError):
        choose_ranges(model, [group], histograms, Frames(0))


def test_a_tensor_that_no_output_reads_costs_nothing():
    net = Net(0)
    y = net.conv("x", 3, 4)
    net.add("Relu", y)
    model = net.finish(net.conv("x", 3, 2))
    histograms, _ = observe(model, (y,), Frames(3), 1)
    choice = choose_ranges(model, [Group((y,), SIGNED)], histograms, Frames(3), budget_s=60)[0]
    assert set(choice.errors.values()) <= {0.0}
    assert set(choice.errors) <= set(METHODS)
    assert Simulator(model).run(next(iter(Frames(1))))[0].shape[1] == 2
