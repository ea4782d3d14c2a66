"""Older words for newer operators: the same numbers, and one line for what has no older words."""

import numpy as np
import onnx
import pytest
import torch
from small_graphs import answers, assert_same, model_of, node, operators, pixels
from torch import nn

from edgecnn.core.errors import InputError
from edgecnn.export.onnx_from_torch import export_plain
from edgecnn.export.prepare import prepare

W = {"w": np.random.default_rng(1).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)}
CONV = node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1])
AXES = {"axes": np.array([2, 3])}
ANY_AXIS = [node("Flatten", ["a"], ["f"]), node("ArgMax", ["f"], ["m"], axis=1, keepdims=0),
            node("Mod", ["m", "four"], ["axis"])]  # fmt: skip
GRID = {"grid": np.random.default_rng(2).uniform(-1, 1, (1, 5, 6, 2)).astype(np.float32)}


def case(name, opset, target, *nodes, constants=None, outputs=("y",)):
    return pytest.param(opset, target, nodes, constants or {}, outputs, id=name)


@pytest.mark.parametrize(
    ("opset", "target", "nodes", "constants", "outputs"),
    [
        case("mean", 18, 17, node("ReduceMean", ["a", "axes"], ["y"], keepdims=1, noop_with_empty_axes=0),
             constants=AXES),
        case("max-from-20", 20, 13, node("ReduceMax", ["a", "axes"], ["y"], keepdims=0), constants=AXES),
        case("whole-mean", 18, 17, node("ReduceMean", ["a"], ["y"], keepdims=0)),
        case("resize", 19, 17, node("Resize", ["a", "", "scales"], ["y"], mode="linear", antialias=0,
             keep_aspect_ratio_policy="stretch"), constants={"scales": np.array([1, 1, 2, 2], np.float32)}),
        case("even-split", 18, 13, node("Split", ["a"], ["y", "z"], axis=1, num_outputs=2), outputs=("y", "z")),
        case("uneven-split", 18, 17, node("Split", ["a"], ["y", "z", "v"], axis=2, num_outputs=3),
             outputs=("y", "z", "v")),
        case("mish", 18, 17, node("Mish", ["a"], ["y"])),
        case("hard-swish", 17, 13, node("HardSwish", ["a"], ["y"])),
        case("grid-sample", 20, 17, node("GridSample", ["a", "grid"], ["y"], mode="linear"), constants=GRID),
        case("average", 20, 17, node("AveragePool", ["a"], ["y"], kernel_shape=[2, 2], dilations=[1, 1])),
        case("reshape", 18, 13, node("Reshape", ["a", "shape"], ["y"], allowzero=0),
             constants={"shape": np.array([1, -1])}),
    ],
)  # fmt: skip
def test_the_operator_means_the_same_at_an_older_opset(opset, target, nodes, constants, outputs):
    proto = model_of([CONV, *nodes], {**W, **constants}, outputs=outputs, opset=opset)
    lowered = prepare(proto, opset=target)
    assert [entry.version for entry in lowered.model.opset_import] == [target]
    assert f"opset {opset} lowered to {target}" in lowered.changes
    onnx.checker.check_model(lowered.model, full_check=True)
    assert_same(proto, lowered.model, {"x": pixels()})
    assert prepare(lowered.model, opset=target).model == lowered.model


@pytest.mark.parametrize(
    ("opset", "target", "nodes", "words"),
    [
        (20, 17, [node("Gelu", ["a"], ["y"])], r"Gelu\) can't be brought down to opset 17: there is no such operator"),
        (18, 17, [node("Resize", ["a", "", "s"], ["y"], mode="linear", antialias=1)], "no attribute 'antialias'"),
        (18, 17, [*ANY_AXIS, node("ReduceMean", ["a", "axis"], ["y"])], "axes are computed"),
        (21, 17, [node("GroupNormalization", ["a", "each", "each"], ["y"], num_groups=2)], "ONNX withdrew"),
        (17, 13, [node("LayerNormalization", ["a", "one"], ["y"])], "no such operator"),
    ],
)
def test_what_has_no_older_words_is_named(opset, target, nodes, words):
    numbers = {"s": np.array([1, 1, 0.5, 0.5], np.float32), "one": np.ones(8, np.float32), "four": np.array([4])}
    numbers["each"] = np.ones(4, np.float32)
    with pytest.raises(InputError, match=words):
        prepare(model_of([CONV, *nodes], {**W, **numbers}, opset=opset), opset=target)


class Squeezed(nn.Module):
    """A squeeze-and-excitation block, whose mean torch writes in opset 18's way."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = nn.functional.silu(self.conv(x))
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_torch_networks_reach_old_opsets(opset):
    torch.manual_seed(0)
    module, x = Squeezed().eval(), torch.from_numpy(pixels((1, 3, 12, 12)))
    model = export_plain(module, (x,), ("x",), ("y",), opset)
    assert [entry.version for entry in model.opset_import] == [opset]
    assert "ReduceMean" in operators(model)
    (answer,) = answers(model, {"x": x.numpy()})
    np.testing.assert_allclose(answer, module(x).detach().numpy(), rtol=1e-4, atol=1e-5)
