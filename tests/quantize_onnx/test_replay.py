"""Decisions meet a model: the form they were made for is found, and what is not there is told."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compress.quantize.replay import Decisions
from edgecnn.core.errors import InputError
from edgecnn.export.prepare import prepare
from edgecnn.export.rewrites import rewritten
from edgecnn.quantize_onnx.replay import check_related, meet

CHANNELS, SIZE = 8, 5


def shuffled():
    """Return a prepared network whose channel shuffle stands between two convolutions."""
    rng = np.random.default_rng(0)
    weights = {f"w{i}": 0.3 * rng.standard_normal((CHANNELS, CHANNELS, 1, 1)) for i in range(2)}
    shapes = {"apart": [1, 2, CHANNELS // 2, SIZE, SIZE], "back": [1, CHANNELS, SIZE, SIZE]}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w0"], ["c"], "first"),
            helper.make_node("Relu", ["c"], ["r"], "relu"),
            helper.make_node("Reshape", ["r", "apart"], ["s1"], "apart"),
            helper.make_node("Transpose", ["s1"], ["s2"], "swap", perm=[0, 2, 1, 3, 4]),
            helper.make_node("Reshape", ["s2", "back"], ["s"], "back"),
            helper.make_node("Conv", ["s", "w1"], ["d"], "second"),
            helper.make_node("Add", ["d", "r"], ["y"], "sum"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
        + [numpy_helper.from_array(np.array(shape), name) for name, shape in shapes.items()],
    )
    return prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)).model


def names(model):
    return {node.name for node in model.graph.node}


def decisions(nodes, kept=()):
    return Decisions("openvino-mixed", frozenset(nodes), tuple(kept), {})


def test_a_model_that_has_every_node_is_taken_as_it_is():
    model = shuffled()
    met = meet(model, decisions(names(model), ["second"]))
    assert met.model is model
    assert met.keep_float == ("second",)
    assert met.notes == ()


def test_the_form_that_was_decided_on_is_found():
    model = shuffled()
    form = max(rewritten(model).values(), key=lambda one: len(names(one) - names(model)))
    fresh = sorted(names(form) - names(model))
    assert fresh
    met = meet(model, decisions(names(form), [fresh[0]]))
    assert names(met.model) == names(form)
    assert met.keep_float == (fresh[0],)


def test_forms_of_the_same_names_are_told_apart_by_their_operators():
    model = shuffled()
    for form in [model, *rewritten(model).values()]:
        operators = {node.name: node.op_type for node in form.graph.node}
        found = meet(model, Decisions("openvino-mixed", frozenset({"first", "second"}), (), {}, operators))
        assert {node.name: node.op_type for node in found.model.graph.node} == operators


def test_many_nodes_that_are_not_there_are_one_note():
    absent = [f"gone{i}" for i in range(12)]
    met = meet(shuffled(), decisions(["first", *absent], ["first", *absent]))
    assert met.keep_float == ("first",)
    assert len(met.notes) == 1
    assert "gone0, gone1" in met.notes[0]
    assert met.notes[0].endswith("and 4 more")


def test_another_network_is_refused():
    model = shuffled()
    check_related("m.onnx", model, None)
    check_related("m.onnx", model, decisions(["first", "gone"]))
    with pytest.raises(InputError, match=r"m.onnx: has no node of the network that openvino-mixed was made of"):
        check_related("m.onnx", model, decisions(["gone"]))
