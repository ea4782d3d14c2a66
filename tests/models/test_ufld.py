"""The UFLD network: its published size, shapes for any frame and grid, honest errors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec
from edgecnn.models.ufld import build
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec


@given(
    st.integers(33, 130),
    st.integers(33, 130),
    st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 1, 1, 1)]),
    st.sampled_from([2, 4, 6]),
)
@settings(max_examples=8, deadline=None)
def test_it_gives_what_the_codec_decodes_whatever_the_sizes(width, height, depths, lanes):
    codec = LaneRowsCodec({"cells": 10, "rows": 7, "lanes": lanes})
    params = {"width": 0.125, "depths": list(depths), "reduced": 2, "hidden": 4}
    module = build(FrameSpec(width, height), params, codec.outputs).eval()
    with torch.no_grad():
        outputs = module(torch.zeros(2, 3, height, width))
    assert module.output_names == tuple(spec.name for spec in codec.outputs)
    assert [tuple(o.shape[1:]) for o in outputs] == [spec.shape[1:] for spec in codec.outputs]


def test_the_defaults_have_the_published_size_and_the_head_most_of_it():
    with torch.device("meta"):  # counted without the memory of 61 million weights
        module = build(FrameSpec(800, 288), {}, LaneRowsCodec({}).outputs)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in module.named_children()}
    assert 60e6 < sum(sizes.values()) < 62e6
    assert sizes["hidden"] + sizes["loc"] + sizes["exist"] > 0.8 * sum(sizes.values())


@pytest.mark.parametrize("params", [{"widht": 1.0}, {"depths": [1, 1]}, {"hidden": "big"}, {"reduced": 0}])
def test_bad_parameters_are_one_clear_line(params):
    codec = LaneRowsCodec({})
    with pytest.raises(RecipeError, match=r"model\.params of ufld") as caught:
        build(FrameSpec(64, 64), params, codec.outputs)
    assert "\n" not in str(caught.value)
