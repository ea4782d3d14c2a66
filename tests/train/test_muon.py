"""Muon: what is turned, how far a step goes, and that it finds what AdamW finds."""

import pytest
import torch
from torch import nn

from edgecnn.train.muon import ADAMW_LENGTH, Muon, is_inner, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (8, 72), (72, 8), (32, 288)])
def test_singular_vectors_stay_and_singular_values_come_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    both = orthogonal(torch.stack([matrix, -matrix]))
    assert torch.equal(both[0], -both[1])
    turned = u.T @ both[0] @ vt.T
    values = turned.diagonal()
    assert (turned - values.diag()).abs().max() < 0.02
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_the_length_of_a_gradient_does_not_matter():
    matrix = torch.randn(1, 8, 24, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(orthogonal(matrix * 1e-3), orthogonal(matrix * 1e3), rtol=1e-3, atol=1e-3)
    assert torch.isfinite(orthogonal(torch.zeros(1, 8, 24))).all()


def test_edges_depthwise_kernels_and_vectors_are_not_turned():
    layers = {
        "first": nn.Conv2d(3, 16, 3),
        "inner": nn.Conv2d(16, 32, 3),
        "depthwise": nn.Conv2d(32, 32, 3, groups=32),
        "last": nn.Conv2d(32, 2, 1),
        "dense": nn.Linear(64, 32),
    }
    assert {name for name, layer in layers.items() if is_inner(layer.weight)} == {"inner"}
    assert not is_inner(layers["inner"].bias)


def test_a_step_is_as_long_as_adamws_whatever_the_kernels_shape():
    for shape in ((8, 8, 1, 1), (16, 8, 3, 3), (64, 16, 3, 3)):
        kernel = nn.Parameter(torch.zeros(shape))
        kernel.grad = torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 1e-4
        Muon([kernel], 1.0, 0.0).step()
        assert 0.5 * ADAMW_LENGTH < kernel.square().mean().sqrt() < 1.2 * ADAMW_LENGTH


def test_a_net_learns_and_parameters_without_a_gradient_stay():
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 1, 1))
    idle = nn.Parameter(torch.ones(9, 9))
    optimizer = Muon([*net.parameters(), idle], 1e-2, 1e-4)
    frames = torch.randn(16, 3, 8, 8)
    wanted = frames[:, :1, 2:-2, 2:-2] * 2
    losses = []
    for _ in range(60):
        loss = (net(frames) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 5
    assert (idle == 1).all()
