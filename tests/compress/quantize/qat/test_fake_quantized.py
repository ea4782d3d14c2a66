"""The trained torch module and the Q/DQ model that is shipped are one thing: at the start, and after training."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from random_graphs import build, feeds, recipes

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.qat.fake_quantized import FakeQuantized
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.simulate import Simulator, outputs
from edgecnn.core.errors import InputError
from edgecnn.core.registry import SCHEMES, resolve
from edgecnn.export.prepare import prepare

EXACT = sorted(name for name in SCHEMES if resolve("scheme", name).float_type == "float32")
HALF = sorted(set(SCHEMES) - set(EXACT))


def placed(recipe, name):
    """Return a random network quantized by the scheme, its frames and the scheme, or None where that can't be."""
    scheme = resolve("scheme", name)
    model = prepare(build(recipe), opset=max(scheme.min_opset, 17)).model
    frames = list(feeds(model, 3))
    try:
        quantized, _ = quantize(model, scheme, frames, Settings(threads=1, correct=False))
        return FakeQuantized(quantized), quantized, frames, scheme
    except InputError:
        return None


def run(module, frame):
    with torch.no_grad():
        return [value.numpy() for value in module(*(torch.from_numpy(np.array(frame[n])) for n in module.input_names))]


def difference(module, model, frames):
    """Return the greatest error over frames and outputs, relative to the output's greatest value."""
    errors = [0.0]
    for frame, wanted in zip(frames, outputs(model, frames, 1), strict=True):
        for got, want in zip(run(module, frame), wanted, strict=True):
            assert got.shape == want.shape
            if want.dtype.kind != "f":
                continue
            scale = max(float(np.abs(want).max()), 0.1)
            errors.append(float(np.abs(got - want).max()) / scale)
    return max(errors)


def train(module, frame, steps=3):
    """Take a few steps away from where the module stands; return whether anything in it could be trained."""
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    inputs = [torch.from_numpy(np.array(frame[name])) for name in module.input_names]
    for _ in range(steps):
        answers = [value for value in module(*inputs) if value.requires_grad]
        if not answers:
            return False
        optimizer.zero_grad()
        sum(value.square().mean() for value in answers).backward()
        optimizer.step()
    return True


def expect_every_node_to_agree(module, model, frame):
    """Give each node what ONNX Runtime gives it, so that a step taken at a tie is not carried on by those behind it."""
    made = [name for node in model.graph.node for name in node.output if name]
    values = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    values |= {name: np.asarray(array) for name, array in frame.items()}
    constants = set(values)
    values |= dict(zip(made, Simulator(model, made, 1, optimize=False).run(frame), strict=True))
    tensors = {name: torch.from_numpy(np.array(values[name])) for name in (*frame, *made)}
    with torch.no_grad():
        for node in module._nodes:
            found = module._run(node, {name: tensors[name] for name in node.inputs if name in tensors})
            for name, got in zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False):
                want = values[name].astype(np.float64)
                off = np.abs(got.numpy().astype(np.float64) - want)
                if node.op == "QuantizeLinear":
                    # Half a step away from both integers either is right, up to float rounding.
                    assert off.max(initial=0) <= 1
                    assert at_a_tie(node, values)[off > 0].all()
                elif node.inputs[0] in constants and values[node.inputs[0]].dtype == np.int32:
                    # What is trained is the bias; what is stored is the nearest multiple of the accumulator's step.
                    assert (off <= 0.51 * values[node.inputs[1]] + 1e-6 * np.abs(want)).all()
                else:
                    assert off.max(initial=0) <= 1e-4 * max(float(np.abs(want).max(initial=0)), 1e-2)


def at_a_tie(node, values):
    x, scale = (values[name] for name in node.inputs[:2])
    shape = [-1 if place == node.get("axis", 1) % max(x.ndim, 1) else 1 for place in range(x.ndim)]
    steps = x.astype(np.float64) / (scale.reshape(shape) if scale.size > 1 else scale.reshape(()))
    return np.abs(np.abs(steps - np.floor(steps)) - 0.5) < 1e-3


@settings(max_examples=40)
@given(recipe=recipes(mutated=False, opsets=(13, 17, 19)), name=st.sampled_from(EXACT))
def test_what_is_trained_is_what_is_shipped(recipe, name):
    found = placed(recipe, name)
    if found is None:
        return
    module, quantized, frames, scheme = found
    for _ in range(2):
        shipped = module.written()
        onnx.checker.check_model(shipped, full_check=True)
        assert violations(shipped, scheme) == violations(quantized, scheme)
        expect_every_node_to_agree(module, shipped, frames[0])
        assert difference(module, shipped, frames) < 0.35
        if not train(module, frames[0]):
            return


@settings(max_examples=15)
@given(recipe=recipes(mutated=False, opsets=(17,)), name=st.sampled_from(HALF))
def test_in_float16_they_differ_by_what_float16_rounds(recipe, name):
    found = placed(recipe, name)
    if found is not None:
        module, _, frames, _ = found
        # Stacked attention on random weights blows up any rounding; there nothing can be told.
        assume(difference(module, module.written(), frames) < 0.1)
        train(module, frames[0])
        assert difference(module, module.written(), frames) < 0.35


def network():
    """A placed model of one convolution, its Relu and a second convolution."""
    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(0, 0.3, (6, 3, 3, 3)),
        "b1": rng.normal(0, 0.3, 6),
        "w2": rng.normal(0, 0.3, (2, 6, 3, 3)),
        "b2": rng.normal(0, 0.3, 2),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], "one", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"], "act"),
        helper.make_node("Conv", ["r", "w2", "b2"], ["y"], "two"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 6, 6])],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in constants.items()],
    )
    return prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)).model


@pytest.mark.parametrize("name", ["openvino_cpu", "onnxruntime_x86", "tensorrt_8", "xnnpack"])
def test_training_lowers_the_error_and_moves_weights_ranges_and_biases(name):
    model = network()
    rng = np.random.default_rng(1)
    frames = [{"x": rng.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(8)]
    settings_ = Settings(threads=1, correct=False, ranges="minmax")
    quantized, _ = quantize(model, resolve("scheme", name), frames, settings_)
    module, teacher = FakeQuantized(quantized), FakeQuantized(model)
    x = torch.from_numpy(np.concatenate([frame["x"] for frame in frames]))
    assert module.batches((x[:1],))
    with torch.no_grad():
        wanted = teacher(x)[0]
        for parameter in module.parameters():
            parameter.mul_(0.9).sub_(0.01)
        before = float((module(x)[0] - wanted).square().mean())
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        (module(x)[0] - wanted).square().mean().backward()
        optimizer.step()
    trained = module.written()
    after = np.mean([(o[0] - w.numpy()) ** 2 for o, w in zip(outputs(trained, frames, 1), wanted, strict=True)])
    assert after < 0.5 * before
    changed = {
        new.name
        for new, old in zip(trained.graph.initializer, quantized.graph.initializer, strict=True)
        if new.SerializeToString() != old.SerializeToString()
    }
    assert any("weight" in name or name in ("w1", "w2") for name in changed)
    assert any(name.endswith(".scale") and "weight" not in name for name in changed)
    assert module.scales()


@pytest.mark.parametrize("name", ["openvino_cpu", "onnxruntime_x86", "tensorrt_8", "xnnpack"])
def test_each_channel_is_held_in_parts_of_its_own_range(name):
    """Folded batch norms leave channels a thousand times apart, and Adam moves whatever it is given alike."""
    model = network()
    weight = next(value for value in model.graph.initializer if list(value.dims) == [6, 3, 3, 3])
    apart = numpy_helper.to_array(weight) * np.logspace(-3, 0, 6, dtype=np.float32).reshape(-1, 1, 1, 1)
    weight.CopyFrom(numpy_helper.from_array(apart, weight.name))
    frames = [{"x": np.random.default_rng(3).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(2)]
    quantized, _ = quantize(model, resolve("scheme", name), frames, Settings(threads=1, correct=False))
    for module in (FakeQuantized(quantized), FakeQuantized(model)):
        held = next(one for one in module.parameters() if one.shape == apart.shape).detach()
        assert held.abs().amax((1, 2, 3)).tolist() == pytest.approx([1.0] * 6, rel=0.1)


def test_fixed_scales_stay():
    model = network()
    frames = [{"x": np.random.default_rng(2).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(2)]
    quantized, _ = quantize(model, resolve("scheme", "tensorrt_8"), frames, Settings(threads=1, correct=False))
    assert "r" in FakeQuantized(quantized).scales()
    assert "r" not in FakeQuantized(quantized, frozenset({"r"})).scales()
    assert not FakeQuantized(quantized, learn_scales=False).scales()


def test_an_operator_without_a_gradient_is_refused_in_one_line():
    model = network()
    model.graph.node[1].op_type = "Celu"
    with pytest.raises(InputError, match="training can't run Celu; quantize this network without training"):
        FakeQuantized(model)


def test_a_strided_shortcut_on_camera_pixels_has_a_gradient():
    # Frames come with their channels last, and a transposed view of them keeps that layout up to here.
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.normal(size=(16, 8, 1, 1)).astype(np.float32), "w")
    nodes = [
        onnx.helper.make_node("Transpose", ["image"], ["x"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2]),
    ]
    frames = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [32, 36, 80, 8])
    answer = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [32, 16, 18, 40])
    graph = onnx.helper.make_graph(nodes, "shortcut", [frames], [answer], [weight])
    module = FakeQuantized(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    )
    (given,) = module(torch.from_numpy(rng.normal(size=(32, 36, 80, 8)).astype(np.float32)))
    given.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in module.parameters())


def test_a_graph_for_one_frame_takes_batches_frame_by_frame():
    model = network()
    shapes = {"line": [72], "row": [1, 72]}
    model.graph.initializer.extend(numpy_helper.from_array(np.array(s, np.int64), n) for n, s in shapes.items())
    model.graph.node[-1].output[0] = "maps"
    model.graph.node.append(helper.make_node("Reshape", ["maps", "line"], ["flat"]))
    model.graph.node.append(helper.make_node("Reshape", ["flat", "row"], ["y"]))
    del model.graph.output[0].type.tensor_type.shape.dim[1:]
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 72
    module, whole = FakeQuantized(model), FakeQuantized(network())
    x = torch.from_numpy(np.random.default_rng(3).normal(0, 1, (4, 3, 8, 8)).astype(np.float32))
    assert not module.batches((x[:1],))
    module.frame_by_frame = True
    for each in (module, whole):
        each(x)[0].square().sum().backward()
    torch.testing.assert_close(module(x)[0], whole(x)[0].flatten(1))
    for one, other in zip(module.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-3)
