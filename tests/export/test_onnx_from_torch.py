"""The exported model gives what the torch module gives, from the same uint8 frames."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from edgecnn.core.errors import StageError, TensorError
from edgecnn.core.npz import npz_bytes
from edgecnn.core.tensor import FrameSpec
from edgecnn.export.golden import golden
from edgecnn.export.onnx_from_torch import export
from edgecnn.models.build import Normalise

RGB = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb")
BGR = Normalise((0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "bgr")


class SmallNet(nn.Module):
    """Convolution, batch norm, pooling, a grouped residual block and a fully connected head with two outputs."""

    def __init__(self, height, width, channels, stride, groups, kernel, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=groups), nn.BatchNorm2d(channels), nn.ReLU()
        )
        with torch.no_grad():
            features = self.pool(self.stem(torch.zeros(1, 3, height, width))).numel()
        self.head = nn.Linear(features, 10)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 2)

    def forward(self, image):
        x = self.pool(self.stem(image))
        x = torch.relu(self.body(x) + x)
        flat = self.head(x.flatten(1))
        return flat[:, :6].reshape(-1, 2, 3), flat[:, 6:]


def answers(model, frames):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runs = [session.run(None, {"image": frame[None]}) for frame in frames]
    return [np.concatenate(parts) for parts in zip(*runs, strict=True)]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    height=st.integers(9, 33),
    width=st.integers(9, 33),
    channels=st.sampled_from([4, 8]),
    stride=st.integers(1, 3),
    groups=st.sampled_from([1, 4]),
    kernel=st.sampled_from([3, 5]),
    normalise=st.sampled_from([RGB, BGR]),
    color=st.sampled_from(["bgr", "rgb"]),
)
def test_export_equals_the_module(height, width, channels, stride, groups, kernel, normalise, color):
    module = SmallNet(height, width, channels, stride, groups, kernel, seed=height)
    frame = FrameSpec(width, height, color)
    model = export(module, frame, normalise, ("loc", "exist"), 20)
    frames = np.random.default_rng(width).integers(0, 256, (3, height, width, 3), np.uint8)
    expected = golden(module, frame, normalise, ("loc", "exist"), frames)
    for name, got in zip(("loc", "exist"), answers(model, frames), strict=True):
        want = expected[f"output:{name}"]
        assert np.linalg.norm(got - want) <= 1e-5 * np.linalg.norm(want)
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"BatchNormalization", "Div", "Constant", "Identity"}


@pytest.fixture(scope="module")
def net():
    return SmallNet(17, 21, 4, 2, 1, 3, seed=1)


def test_face_opset_and_no_trace_of_the_machine(net):
    model = export(net, FrameSpec(21, 17), RGB, ("loc", "exist"), 18)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 18
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["loc", "exist"]
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert (shape, model.graph.input[0].type.tensor_type.elem_type) == ([1, 17, 21, 3], onnx.TensorProto.UINT8)
    assert b".py" not in model.SerializeToString()


def test_same_module_same_bytes(net):
    frame = FrameSpec(21, 17)
    first, second = (export(net, frame, BGR, ("loc", "exist"), 20) for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_wrong_number_of_names(net):
    with pytest.raises(StageError, match="gives 2 outputs and 1 names"):
        export(net, FrameSpec(21, 17), BGR, ("loc",), 20)


def test_golden_is_the_modules_own_arithmetic(net):
    frames = np.random.default_rng(0).integers(0, 256, (2, 17, 21, 3), np.uint8)
    arrays = golden(net, FrameSpec(21, 17), RGB, ("loc", "exist"), frames)
    pixels = torch.from_numpy(frames[1:2, ..., ::-1].copy()).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (RGB.mean, RGB.std))
    with torch.no_grad():
        want = net.eval()(((pixels - mean) / std).float())[0].numpy()
    np.testing.assert_allclose(arrays["output:loc"][1:2], want, rtol=1e-4, atol=1e-5)
    assert arrays["input:image"] is frames
    assert npz_bytes(arrays) == npz_bytes(dict(reversed(arrays.items())))


@pytest.mark.parametrize("frames", [np.zeros((0, 17, 21, 3), np.uint8), np.zeros((1, 17, 20, 3), np.uint8)])
def test_golden_refuses_other_frames(net, frames):
    with pytest.raises(TensorError, match="golden frames must be"):
        golden(net, FrameSpec(21, 17), BGR, ("loc", "exist"), frames)


def test_golden_refuses_nan(net):
    broken = SmallNet(17, 21, 4, 2, 1, 3, seed=1)
    broken.head.bias.data[0] = float("nan")
    with pytest.raises(TensorError, match="'loc' holds NaN"):
        golden(broken, FrameSpec(21, 17), BGR, ("loc", "exist"), np.zeros((1, 17, 21, 3), np.uint8))
