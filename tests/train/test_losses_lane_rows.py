"""The lane_rows loss: soft labels keep the place inside the cell, and the decoder's answer follows."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec
from edgecnn.train.losses.lane_rows import loss, soft_labels


@given(st.floats(2.0, 96.0), st.integers(100, 200))
def test_soft_labels_sum_to_one_with_their_mean_at_the_place(place, cells):
    labels = soft_labels(torch.tensor([place], dtype=torch.float32), cells)
    assert torch.isclose(labels.sum(), torch.tensor(1.0), atol=1e-5)
    assert abs(float((labels * torch.arange(cells)).sum()) - place) < 1e-3


def test_minimising_the_loss_brings_the_decoder_to_the_place():
    codec = LaneRowsCodec({"cells": 20, "rows": 4, "lanes": 2, "min_valid": 0.1})
    column = torch.full((1, 4, 2), -1000.0)
    column[0, :, 1] = torch.tensor([3.25, 8.5, 12.75, 15.1])
    loc = torch.zeros(1, 20, 4, 2, requires_grad=True)
    exist = torch.zeros(1, 2, 4, 2, requires_grad=True)
    optimizer = torch.optim.Adam([loc, exist], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        sum(loss({"loc": loc, "exist": exist}, {"column": column}).values()).backward()
        optimizer.step()
    outputs = {"loc": loc.detach().numpy(), "exist": exist.detach().numpy()}
    found = codec.decode(outputs, width=190, height=100)
    assert found.positions == (1,)
    expected = (column[0, :, 1].numpy() + 0.5) / 19 * 190
    assert abs(found.lines[0][:, 0] - expected).max() < 0.15 * 10  # 15% of a cell of 10 pixels


def test_a_frame_without_lines_trains_existence_only():
    terms = loss(
        {"loc": torch.randn(2, 20, 4, 2, requires_grad=True), "exist": torch.randn(2, 2, 4, 2)},
        {"column": torch.full((2, 4, 2), -1000.0)},
    )
    assert float(terms["loc"].detach()) == 0
    assert float(terms["exist"]) > 0
