"""Selections of channels: found through any operators, folded, and equal to what they replace."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgecnn.core.errors import StageError
from edgecnn.export import rewrites
from edgecnn.export.passes.base import run
from edgecnn.export.passes.convolve_selections import ConvolveSelections
from edgecnn.export.passes.fold_selections import FoldSelections
from edgecnn.export.passes.selections import find_selections
from edgecnn.export.passes.simplify_selections import SimplifySelections
from edgecnn.export.prepare import prepare
from edgecnn.export.rewrites import rewritten, variants

CHANNELS, SIZE = 8, 5


def build(nodes, constants, channels=CHANNELS, size=SIZE):
    """Return a prepared model from `x` [1, C, S, S] to `y`."""
    rng = np.random.default_rng(0)
    weights = {
        f"w{i}": (0.3 * rng.standard_normal((c, c, 1, 1))).astype(np.float32)
        for i, c in enumerate((channels, channels // 2))
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in {**weights, **constants}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return prepare(model).model


def shuffle(source, result, channels=CHANNELS, size=SIZE, groups=2):
    """Return the nodes of a channel shuffle and their constants."""
    apart = np.array([1, groups, channels // groups, size, size])
    return [
        helper.make_node("Reshape", [source, f"{result}.apart"], [f"{result}.1"]),
        helper.make_node("Transpose", [f"{result}.1"], [f"{result}.2"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", [f"{result}.2", f"{result}.back"], [result]),
    ], {f"{result}.apart": apart, f"{result}.back": np.array([1, channels, size, size])}


def unit():
    """Return a ShuffleNet unit: convolution, shuffle, split, one half through a convolution, concatenation."""
    nodes, constants = shuffle("r", "s")
    return build(
        [
            helper.make_node("Conv", ["x", "w0"], ["c"]),
            helper.make_node("Relu", ["c"], ["r"]),
            *nodes,
            helper.make_node("Split", ["s"], ["keep", "use"], axis=1),
            helper.make_node("Conv", ["use", "w1"], ["d"]),
            helper.make_node("Relu", ["d"], ["e"]),
            helper.make_node("Concat", ["keep", "e"], ["y"], axis=1),
        ],
        constants,
    )


def kinds(model):
    return [node.op_type for node in model.graph.node]


def test_a_shuffle_and_a_split_are_two_selections():
    found = find_selections(ir.from_proto(unit()))
    assert [one.channels for one in found] == [(0, 4, 1, 5), (2, 6, 3, 7)]


@pytest.mark.parametrize(
    ("name", "left"), [("selections as one Gather", {"Gather"}), ("selections as convolutions", set())]
)
def test_rewrites_leave_no_reshapes(name, left):
    variants = rewritten(unit())
    moving = {"Reshape", "Transpose", "Split", "Gather", "Slice"}
    assert moving & set(kinds(variants[name])) == left
    assert kinds(variants["selections folded into weights"]).count("Gather") == 1


def test_a_whole_shuffle_goes_into_the_convolution_before_it():
    nodes, constants = shuffle("c", "y0")
    model = build(
        [helper.make_node("Conv", ["x", "w0"], ["c"]), *nodes, helper.make_node("Relu", ["y0"], ["y"])], constants
    )
    (variant,) = (rewritten(model)[name] for name in ["selections folded into weights"])
    assert kinds(variant) == ["Conv", "Relu"]


def test_moves_that_mix_places_are_no_selections():
    model = build(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]),
            helper.make_node("Conv", ["t", "w0"], ["y"]),
        ],
        {},
    )
    assert find_selections(ir.from_proto(model)) == []
    assert rewritten(model) == {}


def test_a_model_without_selections_has_no_variants():
    assert rewritten(build([helper.make_node("Conv", ["x", "w0"], ["y"])], {})) == {}


@given(st.permutations(range(CHANNELS)), st.integers(1, CHANNELS), st.booleans())
def test_any_choice_of_channels_survives_every_pass(order, count, relu):
    chosen = np.array(order[:count])
    weights = np.random.default_rng(1).standard_normal((3, count, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c"]),
        helper.make_node("Relu" if relu else "Sigmoid", ["c"], ["r"]),
        helper.make_node("Gather", ["r", "chosen"], ["s"], axis=1),
        helper.make_node("Conv", ["s", "w"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["d", "d"], ["y"]),
    ]
    model = build(nodes, {"chosen": chosen, "w": weights})
    found = rewritten(model)
    # `rewritten` itself runs both models and leaves out what differs.
    assert list(found) == [name for name, _ in variants(model)]
    for variant in found.values():
        onnx.checker.check_model(variant, full_check=True)


@pytest.mark.parametrize("step", [FoldSelections(), SimplifySelections(), ConvolveSelections()])
def test_passes_do_nothing_twice(step):
    work = ir.from_proto(unit())
    assert run(step, work).modified
    assert not run(step, work).modified


class Breaks:
    """Moves every initializer by a little, or stops half-way."""

    name = "breaks"

    def __init__(self, *, stops):
        self.stops = stops

    def requires(self, model):
        """Anything."""

    def call(self, model):
        if self.stops:
            raise StageError("half-way")
        for value in model.graph.initializers.values():
            array = value.const_value.numpy()
            value.const_value = ir.tensor(array + array.dtype.type(1) if array.dtype.kind == "f" else array)
        return True

    def ensures(self, model):
        """Nothing."""


@pytest.mark.parametrize("stops", [False, True])
def test_what_breaks_is_not_offered_and_the_rest_is(monkeypatch, stops):
    sound = rewritten(unit())
    monkeypatch.setattr(rewrites, "REWRITES", {"broken": (Breaks(stops=stops),), **rewrites.REWRITES})
    assert ("broken" in dict(variants(unit()))) is not stops
    assert list(rewritten(unit())) == list(sound)
