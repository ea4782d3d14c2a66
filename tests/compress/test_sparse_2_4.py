"""2:4 sparsity: along input channels, the largest kept, held through training, the rest named."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgecnn.compress.sparse_2_4 import is_2_4, mask_2_4, sparsify
from edgecnn.core.errors import InputError


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_of_every_four_along_the_inputs_the_two_largest_stay(outputs, fours, kernel, seed):
    torch.manual_seed(seed)
    weight = torch.randint(-3, 4, (outputs, 4 * fours, kernel, kernel)).float()
    mask = mask_2_4(weight)
    assert mask.shape == weight.shape
    for o in range(outputs):
        for y in range(kernel):
            for x in range(kernel):
                for first in range(0, 4 * fours, 4):
                    four, kept = weight[o, first : first + 4, y, x], mask[o, first : first + 4, y, x]
                    assert kept.sum() == 2
                    assert four[kept].abs().min() >= four[~kept].abs().max()
    assert is_2_4(weight * mask)


def test_zeros_along_another_axis_are_not_2_4():
    weight = torch.ones(4, 4, 3, 3)
    weight[:2] = 0
    assert not is_2_4(weight)
    assert not is_2_4(torch.zeros(4, 6))
    assert is_2_4(weight.transpose(0, 1))


def test_equal_weights_keep_the_first():
    assert mask_2_4(torch.ones(1, 8)).tolist() == [[True, True, False, False] * 2]


def test_masks_hold_through_training_only_if_applied():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    sparsity = sparsify(module)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.randn(2, 8, 4, 4)).square().mean().backward()
        optimizer.step()
    assert not sparsity.holds(module)
    sparsity.apply(module)
    assert sparsity.holds(module)
    assert sparsity.share(module) == pytest.approx(0.5, abs=0.02)


def test_what_stays_dense_is_named_with_its_reason():
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1))
    before = module[0].weight.clone()
    sparsity = sparsify(module, keep_dense=["3"])
    assert set(sparsity.masks) == {"2"}
    assert "3 channels" in sparsity.refused["0"]
    assert "grouped" in sparsity.refused["1"]
    assert "recipe" in sparsity.refused["3"]
    assert (module[0].weight == before).all()


def test_bad_wishes_are_one_clear_line():
    with pytest.raises(InputError, match="no linear or convolution layer 'heda'"):
        sparsify(nn.Sequential(nn.Linear(4, 4)), ["heda"])
    with pytest.raises(InputError, match="multiples of 4"):
        mask_2_4(torch.zeros(4, 6))
