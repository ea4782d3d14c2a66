"""Whole ONNX models as torch modules: random ones, quantized ones, and networks that torch exported."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from onnx import TensorProto, helper
from random_graphs import build, feeds, recipes
from small_graphs import answers, conv_weights, model_of, node, pixels
from torch import nn

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.simulate import outputs
from edgecnn.core.errors import InputError
from edgecnn.core.registry import resolve
from edgecnn.export.onnx_from_torch import export_plain
from edgecnn.export.prepare import prepare
from edgecnn.export.read_onnx import read
from edgecnn.export.torch_from_onnx import OnnxModule, torch_module

DETECTOR = os.environ.get("EDGECNN_REAL_DETECTOR", "")
"""A detector's ONNX file as its authors published it, FastestDet's for one."""


def run(module, frame):
    with torch.no_grad():
        found = module(*(torch.from_numpy(np.array(frame[name])) for name in module.input_names))
    return [value.numpy() for value in found]


def assert_agree(got, wanted, limit=1e-4):
    for one, other in zip(got, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        scale = max(float(np.abs(other).max(initial=0)), 1e-2)
        assert float(np.abs(one.astype(float) - other).max(initial=0)) <= limit * scale


@settings(max_examples=12)
@given(recipe=recipes(mutated=False, opsets=(13, 17, 20)))
def test_random_networks_compute_what_onnxruntime_computes(recipe):
    model = prepare(build(recipe)).model
    (frame,) = feeds(model, 1)
    module = torch_module(model)
    assert_agree(run(module, frame), next(iter(outputs(model, [frame], 1))))


@settings(max_examples=6)
@given(recipe=recipes(mutated=False, opsets=(17,)))
def test_quantized_networks_round_as_onnxruntime_rounds(recipe):
    model = prepare(build(recipe)).model
    frames = list(feeds(model, 2))
    try:
        quantized, _ = quantize(model, resolve("scheme", "executorch"), frames, Settings(threads=1, correct=False))
    except InputError:
        return
    # A tie rounded the other way may be carried on by layers behind it: most values agree, and none is far off.
    for got, wanted in zip(run(torch_module(quantized), frames[0]), next(iter(outputs(quantized, frames[:1], 1))),
                           strict=True):  # fmt: skip
        assert got.shape == wanted.shape
        if wanted.dtype.kind == "f":
            assert np.abs(got - wanted).max() <= 0.35 * max(float(np.abs(wanted).max()), 0.1)


def test_weights_stay_integers_and_biases_become_float():
    constants = {
        "q": np.arange(-54, 54, dtype=np.int8).reshape(4, 3, 3, 3),
        "s": np.float32([0.1, 0.2, 0.3, 0.4]),
        "z": np.zeros(4, np.int8),
        "xs": np.float32(0.05),
        "xz": np.int8(3),
        "b": np.array([10, -20, 30, 0], np.int32),
        "bs": np.float32([0.005, 0.01, 0.015, 0.02]),
    }
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0),
        node("DequantizeLinear", ["b", "bs"], ["bias"], axis=0),
        node("Conv", ["xd", "w", "bias"], ["y"]),
    ]
    model = model_of(nodes, constants)
    module = torch_module(model)
    x = pixels()
    assert_agree(run(module, {"x": x}), answers(model, {"x": x}), 1e-5)
    program = torch.export.export(module, (torch.from_numpy(x),), strict=False)
    called = [str(one.target) for one in program.graph.nodes if one.op == "call_function"]
    assert [name for name in called if "quantized_decomposed" in name] == [
        "quantized_decomposed.quantize_per_tensor.default",
        "quantized_decomposed.dequantize_per_tensor.default",
        "quantized_decomposed.dequantize_per_channel.default",
    ]
    assert {value.dtype for value in program.state_dict.values()} == {torch.int8, torch.int64, torch.float32}
    float_weights = OnnxModule(model, frozenset({"q"}))
    assert torch.int8 not in {value.dtype for value in float_weights.state_dict().values()}
    assert_agree(run(float_weights, {"x": x}), answers(model, {"x": x}), 1e-5)


def test_what_torch_has_no_form_of_is_one_line_that_names_it():
    foreign = model_of([node("Celu", ["x"], ["y"])])
    with pytest.raises(InputError, match="Celu") as caught:
        torch_module(foreign)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="opset 12"):
        torch_module(model_of([node("Relu", ["x"], ["y"])], opset=12))
    shaped = [node("Shape", ["x"], ["s"]), node("Reshape", ["x", "s"], ["y"])]
    with pytest.raises(InputError, match="Shape"):
        torch_module(model_of(shaped))
    given_shape = helper.make_tensor_value_info("s", TensorProto.INT64, [2])
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    with pytest.raises(InputError, match="'s' is computed while the network runs"):
        torch_module(model_of([node("Reshape", ["x", "s"], ["y"])], inputs=[picture, given_shape]))


def test_an_input_or_a_constant_that_is_an_output_is_copied():
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Identity", ["x"], ["y"])]
    model = model_of(nodes, {"w": conv_weights()}, outputs=("y", "c"))
    x = torch.from_numpy(pixels())
    assert torch_module(model)(x)[0].equal(x)


class Gated(nn.Module):
    """Depthwise separable layers with a gate, as MobileNetV3's."""

    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.Conv2d(3, 12, 1), nn.Conv2d(12, 12, 5, 2, 2, groups=12)
        self.down, self.up, self.out = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1), nn.Conv2d(12, 6, 1)

    def forward(self, x):
        x = nn.functional.hardswish(self.deep(nn.functional.hardswish(self.wide(x))))
        gate = nn.functional.hardsigmoid(self.up(nn.functional.relu(self.down(x.mean((2, 3), keepdim=True)))))
        return self.out(x * gate)


class Shuffled(nn.Module):
    """Channels split, shuffled and joined, as ShuffleNetV2's."""

    def __init__(self):
        super().__init__()
        self.stem, self.side = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1, groups=4)

    def forward(self, x):
        kept, changed = self.stem(x).chunk(2, 1)
        x = torch.cat([kept, torch.relu(self.side(changed))], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Hourglass(nn.Module):
    """Down and up again with skips, as a U-Net and a feature pyramid."""

    def __init__(self):
        super().__init__()
        self.down, self.low = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.up, self.out = nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(16, 2, 1)

    def forward(self, x):
        high = torch.relu(self.down(x))
        low = nn.functional.silu(self.low(nn.functional.max_pool2d(high, 3, 1, 1)))
        joined = self.out(torch.cat([high, self.up(low)], 1))
        near = nn.functional.interpolate(joined, scale_factor=2, mode="nearest")
        smooth = nn.functional.interpolate(joined, scale_factor=2, mode="bilinear", align_corners=False)
        return near, smooth


class Attending(nn.Module):
    """Patches, layer norm, attention and a wide layer, as a vision transformer's and ConvNeXt's."""

    def __init__(self):
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
        self.qkv, self.wide, self.out = nn.Linear(8, 24), nn.Linear(8, 16), nn.Linear(16, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + torch.softmax(q @ k.transpose(1, 2) / 8**0.5, -1) @ v
        return self.out(nn.functional.gelu(self.wide(self.norm(x)))).mean(1)


@pytest.mark.parametrize("family", [Gated, Shuffled, Hourglass, Attending])
def test_what_torch_exported_comes_back(family):
    torch.manual_seed(0)
    network = family().eval()
    x = torch.randn(1, 3, 16, 24)
    with torch.no_grad():
        wanted = network(x)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        names = tuple(f"y{index}" for index in range(len(wanted)))
        model = prepare(export_plain(network, (x,), ("x",), names, 20)).model
        exported = torch.export.export(torch_module(model), (x,), strict=False).module()
        assert_agree([value.numpy() for value in exported(x)], [value.numpy() for value in wanted])


@pytest.mark.skipif(not DETECTOR, reason="EDGECNN_REAL_DETECTOR names no ONNX file")
def test_a_real_detector_computes_what_onnxruntime_computes():
    model = prepare(read(Path(DETECTOR))).model
    (frame,) = feeds(model, 1)
    assert_agree(run(torch_module(model), frame), next(iter(outputs(model, [frame], 1))))
