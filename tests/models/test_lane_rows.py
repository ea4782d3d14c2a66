"""The lane_rows network: shapes for any frame and grid, honest errors, and a head that starts as interpolation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec
from edgecnn.models.lane_rows import LocalRows, build
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec


@given(
    st.integers(33, 130),
    st.integers(33, 130),
    st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 1, 1, 1)]),
    st.sampled_from([2, 4, 6]),
    st.sampled_from(["resnet", "lean_resnet", "mobilenet"]),
)
@settings(max_examples=12, deadline=None)
def test_it_gives_what_the_codec_decodes_whatever_the_sizes(width, height, depths, lanes, backbone):
    codec = LaneRowsCodec({"cells": 10, "rows": 7, "lanes": lanes})
    params = {"backbone": backbone, "width": 0.125, "depths": list(depths), "reduced": 2, "hidden": 4}
    module = build(FrameSpec(width, height), params, codec.outputs).eval()
    with torch.no_grad():
        outputs = module(torch.zeros(2, 3, height, width))
    assert module.output_names == tuple(spec.name for spec in codec.outputs)
    assert [tuple(o.shape[1:]) for o in outputs] == [spec.shape[1:] for spec in codec.outputs]


def test_local_evidence_starts_where_it_was_seen():
    local = LocalRows(4, (20, 40), (64, 56, 2))
    with torch.no_grad():
        local.where.weight.zero_()
        local.where.bias.zero_()
        local.where.weight[0, 1] = 1  # channel 1 speaks for slot 0
        fine = torch.zeros(1, 4, 20, 40)
        fine[0, 1, 10, 30] = 5
        where, _ = local(fine)
    cell, row = divmod(int(where[0, :, :, 0].argmax()), 56)
    assert abs((cell + 0.5) / 64 - 30.5 / 40) < 1 / 64
    assert abs((row + 0.5) / 56 - 10.5 / 20) < 1.5 / 56
    assert (where[0, :, :, 1] == 0).all()


@pytest.mark.parametrize(
    "params",
    [
        {"widht": 1.0},
        {"depths": [1, 1]},
        {"depths": [0, 1, 1]},
        {"hidden": "big"},
        {"hidden": -1},
        {"dropout": 2},
        {"backbone": "vgg"},
    ],
)
def test_bad_parameters_are_one_clear_line(params):
    codec = LaneRowsCodec({})
    with pytest.raises(RecipeError, match=r"model\.params of lane_rows") as caught:
        build(FrameSpec(64, 64), params, codec.outputs)
    assert "\n" not in str(caught.value)
