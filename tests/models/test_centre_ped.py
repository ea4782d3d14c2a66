"""The centre networks: shapes for any frame, one backbone for both tasks, honest errors, a start that knows nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.compress.prune.groups import find_groups
from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec
from edgecnn.models import centre_ped, drive
from edgecnn.runtime.codecs.centres import CentresCodec
from edgecnn.runtime.codecs.drive import DriveCodec

SMALL = {"width": 0.125, "depths": [1, 1, 1], "neck": 8, "head": 8}


@given(
    st.integers(33, 130),
    st.integers(33, 130),
    st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 1, 1, 1)]),
    st.sampled_from([4, 8]),
    st.sampled_from(["resnet", "lean_resnet", "mobilenet"]),
    st.integers(1, 3),
)
@settings(max_examples=12, deadline=None)
def test_it_gives_what_the_codec_decodes_whatever_the_sizes(width, height, depths, stride, backbone, classes):
    frame = FrameSpec(width, height)
    codec = CentresCodec({"stride": stride, "classes": [str(i) for i in range(classes)]}, frame)
    params = {**SMALL, "backbone": backbone, "depths": list(depths)}
    module = centre_ped.build(frame, params, codec.outputs).eval()
    with torch.no_grad():
        outputs = module(torch.randn(2, 3, height, width))
    assert module.output_names == tuple(spec.name for spec in codec.outputs)
    assert [tuple(o.shape[1:]) for o in outputs] == [spec.shape[1:] for spec in codec.outputs]


def test_an_untrained_network_sees_little_and_a_common_size():
    frame = FrameSpec(96, 64)
    codec = CentresCodec({}, frame)
    with torch.no_grad():
        heat, size, offset = centre_ped.build(frame, SMALL, codec.outputs).eval()(torch.zeros(1, 3, 64, 96))
    assert float(heat.mean()) == pytest.approx(0.1, abs=0.01)
    assert size.exp().mean((0, 2, 3)).tolist() == pytest.approx([10, 4], rel=0.1)
    assert float(offset.mean()) == pytest.approx(0.5, abs=0.05)


def test_the_map_is_a_probability_in_float32_also_under_half_precision():
    frame = FrameSpec(96, 64)
    codec = CentresCodec({}, frame)
    module = centre_ped.build(frame, SMALL, codec.outputs)
    with torch.autocast("cpu", torch.bfloat16):
        heat, _, _ = module(torch.randn(2, 3, 64, 96))
    assert heat.dtype == torch.float32
    assert ((heat > 0) & (heat < 1)).all()


def test_drive_gives_both_from_one_backbone():
    frame = FrameSpec(96, 66)
    codec = DriveCodec({"lanes": {"cells": 10, "rows": 7, "lanes": 2}, "objects": {"stride": 8}}, frame)
    module = drive.build(frame, {**SMALL, "reduced": 2, "hidden": 4}, codec.outputs).eval()
    calls = []
    module.lanes.backbone.stem.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        outputs = module(torch.randn(2, 3, 66, 96))
    assert len(calls) == 1
    assert module.output_names == tuple(spec.name for spec in codec.outputs)
    assert [tuple(o.shape[1:]) for o in outputs] == [spec.shape[1:] for spec in codec.outputs]


@pytest.mark.parametrize("size", [(96, 64), (90, 70)])
@pytest.mark.parametrize("name", ["centre_ped", "drive"])
def test_all_channels_but_those_of_outputs_can_be_pruned(name, size):
    frame = FrameSpec(*size)
    build, codec = (centre_ped.build, CentresCodec) if name == "centre_ped" else (drive.build, DriveCodec)
    outputs = codec({} if name == "centre_ped" else {"lanes": {"cells": 8, "rows": 6, "lanes": 2}}, frame).outputs
    module = build(frame, SMALL if name == "centre_ped" else {**SMALL, "hidden": 4}, outputs).eval()
    found = find_groups(module, (torch.randn(1, 3, frame.height, frame.width),))
    ends = ("heat", "boxes", "loc", "exist", "where", "whether")
    assert all(refused.split(".")[-1] in ends for refused in found.refused), found.refused
    assert {"centres.laterals.0", "centres.join.0"} <= {group.name for group in found.groups}
    cut = {layer for group in found.groups for layer in group.outs}
    backbone = [n for n, m in module.named_modules() if isinstance(m, torch.nn.Conv2d) and "backbone" in n]
    assert set(backbone) <= cut


@pytest.mark.parametrize("params", [{"widht": 1.0}, {"depths": [1, 1]}, {"neck": 0}, {"backbone": "vgg"}])
@pytest.mark.parametrize("name", ["centre_ped", "drive"])
def test_bad_parameters_are_one_clear_line(name, params):
    frame = FrameSpec(64, 64)
    build, codec = (centre_ped.build, CentresCodec) if name == "centre_ped" else (drive.build, DriveCodec)
    with pytest.raises(RecipeError, match=rf"model\.params of {name}") as caught:
        build(frame, params, codec({}, frame).outputs)
    assert "\n" not in str(caught.value)
