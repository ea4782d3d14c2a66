"""Every pass: numerically nothing changes, the claim is true, and a second run finds nothing left to do."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgecnn.core.errors import StageError
from edgecnn.export.passes.base import run, run_all
from edgecnn.export.passes.fold_batchnorm import FoldBatchNorm
from edgecnn.export.passes.fold_constants import FoldConstants
from edgecnn.export.passes.fold_normalisation import FoldNormalisation
from edgecnn.export.passes.tidy import Tidy

PASSES = (FoldConstants(), FoldBatchNorm(), FoldNormalisation(), Tidy())


def model_of(nodes, constants, shape, channels_out=None, output="y"):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnx.shape_inference.infer_shapes(proto)


def answer(proto, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def normalised_conv(rng, channels, kernel, pad, reverse, scale_op, shared):
    """(x - mean) * or / factor, channels reversed, Conv without or with bias, BatchNorm, Relu."""
    outputs = 5
    constants = {
        "mean": rng.normal(size=(1, channels, 1, 1)).astype(np.float32),
        "factor": rng.uniform(0.3, 3, (1, channels if not shared else 1, 1, 1)).astype(np.float32),
        "w": rng.normal(size=(outputs, channels, kernel, kernel)).astype(np.float32),
        "minus": np.array([-1], np.int64),
        "end": np.array([np.iinfo(np.int64).min], np.int64),
        "axis": np.array([1], np.int64),
        "gamma": rng.uniform(0.5, 2, outputs).astype(np.float32),
        "beta": rng.normal(size=outputs).astype(np.float32),
        "running": rng.normal(size=outputs).astype(np.float32),
        "variance": rng.uniform(0.2, 2, outputs).astype(np.float32),
    }
    nodes = [helper.make_node("Sub", ["x", "mean"], ["a"]), helper.make_node(scale_op, ["a", "factor"], ["b"])]
    if reverse:
        nodes.append(helper.make_node("Slice", ["b", "minus", "end", "axis", "minus"], ["c"]))
    nodes += [
        helper.make_node("Conv", ["c" if reverse else "b", "w"], ["d"], pads=[pad] * 4, kernel_shape=[kernel] * 2),
        helper.make_node("BatchNormalization", ["d", "gamma", "beta", "running", "variance"], ["e"]),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Identity", ["f"], ["y"]),
    ]
    return model_of(nodes, constants, [1, channels, 9, 11])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    channels=st.sampled_from([1, 3, 4]),
    kernel=st.sampled_from([1, 3, 5]),
    pad=st.integers(0, 2),
    reverse=st.booleans(),
    scale_op=st.sampled_from(["Div", "Mul"]),
    shared=st.booleans(),
)
def test_folding_changes_no_number_even_at_the_padded_border(seed, channels, kernel, pad, reverse, scale_op, shared):
    rng = np.random.default_rng(seed)
    proto = normalised_conv(rng, channels, kernel, pad, reverse, scale_op, shared)
    x = rng.normal(size=(1, channels, 9, 11)).astype(np.float32)
    model = ir.from_proto(proto)
    assert run_all(PASSES, model).modified
    folded = ir.to_proto(model)
    onnx.checker.check_model(folded, full_check=True)
    assert [node.op_type for node in folded.graph.node] == ["Sub", "Conv", "Relu"]
    before, after = answer(proto, x), answer(folded, x)
    assert np.linalg.norm(after - before) <= 1e-5 * max(np.linalg.norm(before), 1)
    assert not run_all(PASSES, model).modified


def test_a_scale_that_another_node_reads_stays():
    rng = np.random.default_rng(0)
    constants = {
        "factor": np.array([2.0], np.float32),
        "w": rng.normal(size=(3, 3, 3, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["a"]),
        helper.make_node("Conv", ["a", "w"], ["b"], pads=[1] * 4),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    model = ir.from_proto(model_of(nodes, constants, [1, 3, 5, 5]))
    assert not run(FoldNormalisation(), model).modified


def test_grouped_convolution_keeps_its_scale():
    constants = {"factor": np.full((1, 4, 1, 1), 3, np.float32), "w": np.ones((4, 1, 1, 1), np.float32)}
    nodes = [helper.make_node("Mul", ["x", "factor"], ["a"]), helper.make_node("Conv", ["a", "w"], ["y"], group=4)]
    model = ir.from_proto(model_of(nodes, constants, [1, 4, 5, 5]))
    assert not run(FoldNormalisation(), model).modified


def test_constants_are_folded():
    nodes = [
        helper.make_node("Constant", [], ["two"], value_floats=[2.0]),
        helper.make_node("Add", ["two", "two"], ["four"]),
        helper.make_node("Mul", ["x", "four"], ["y"]),
    ]
    model = ir.from_proto(model_of(nodes, {}, [1, 3]))
    assert run(FoldConstants(), model).modified
    assert [node.op_type for node in model.graph] == ["Mul"]
    assert answer(ir.to_proto(model), np.ones((1, 3), np.float32)).tolist() == [[4, 4, 4]]


def test_batch_norm_in_training_mode_is_refused():
    constants = {name: np.ones(3, np.float32) for name in "abcd"}
    nodes = [helper.make_node("BatchNormalization", ["x", *"abcd"], ["y", "m", "v"], training_mode=1)]
    with pytest.raises(StageError, match="training mode"):
        run(FoldBatchNorm(), ir.from_proto(model_of(nodes, constants, [1, 3, 4, 4])))


def test_tidy_removes_the_exporters_metadata():
    model = ir.from_proto(model_of([helper.make_node("Relu", ["x"], ["y"])], {}, [1, 3]))
    model.graph[0].metadata_props["stack"] = "a path of this machine"
    assert run(Tidy(), model).modified
    assert not model.graph[0].metadata_props


class Renames:
    """A pass that may lie about what it did."""

    name = "renames"

    def __init__(self, *, acts, says):
        self.acts, self.says = acts, says

    def requires(self, model):
        pass

    def call(self, model):
        if self.acts:
            model.graph[0].name = "another"
        return self.says

    def ensures(self, model):
        pass


@pytest.mark.parametrize(("acts", "says"), [(True, False), (False, True)])
def test_a_pass_that_lies_is_caught(acts, says):
    model = ir.from_proto(model_of([helper.make_node("Relu", ["x"], ["y"])], {}, [1, 3]))
    with pytest.raises(StageError, match="says it"):
        run(Renames(acts=acts, says=says), model)


def test_a_pass_that_changes_the_face_is_caught():
    class RenamesOutput(Renames):
        def call(self, model):
            model.graph.outputs[0].name = "z"
            return True

    model = ir.from_proto(model_of([helper.make_node("Relu", ["x"], ["y"])], {}, [1, 3]))
    with pytest.raises(StageError, match="inputs or outputs"):
        run(RenamesOutput(acts=True, says=True), model)
