"""The drive loss: each task counts by its weight, whatever the scale of its loss."""

import pytest
import torch

from edgecnn.core.tensor import FrameSpec
from edgecnn.runtime.codecs.drive import DriveCodec
from edgecnn.train.losses import centres, lane_rows
from edgecnn.train.losses.drive import OBJECTS, loss

CODEC = DriveCodec({"lanes": {"cells": 12, "rows": 6, "lanes": 2}}, FrameSpec(64, 64))


def example():
    torch.manual_seed(0)
    outputs = {spec.name: torch.randn(2, *spec.shape[1:]) for spec in CODEC.outputs}
    outputs["heat"] = outputs["heat"].sigmoid()
    column = torch.full((2, 6, 2), -1000.0)
    column[:, :, 0] = 4.5
    maps = CODEC.outputs[2].shape[2:]
    heat, weight = torch.zeros(2, 1, *maps), torch.zeros(2, *maps)
    heat[:, 0, 5, 7], weight[:, 5, 7] = 1, 1
    ones, zeros = torch.ones(2, 1, *maps), torch.zeros(2, 2, *maps)
    targets = {"column": column, "heat": heat, "weight": weight, "care": ones, "size": zeros, "offset": zeros}
    return {name: value.requires_grad_() for name, value in outputs.items()}, targets


@pytest.mark.parametrize(("kind", "weight"), [("loc", 1.0), ("heat", OBJECTS)])
def test_a_task_s_gradient_counts_by_its_loss_s_inverse(kind, weight):
    outputs, targets = example()
    alone = sum((lane_rows if kind == "loc" else centres).loss(outputs, targets).values())
    (expected,) = torch.autograd.grad(alone, outputs[kind])
    (found,) = torch.autograd.grad(sum(loss(outputs, targets).values()), outputs[kind])
    torch.testing.assert_close(found, weight * expected / (alone.detach() + 1e-3))


def test_what_is_learnt_altogether_stays_finite():
    outputs, targets = example()
    perfect = {name: value.detach().clone() for name, value in outputs.items()}
    perfect |= {"heat": targets["heat"].clamp(1e-4, 1 - 1e-4), "size": targets["size"], "offset": targets["offset"]}
    terms = loss(perfect, targets)
    assert set(terms) == {"lanes", "objects"}
    assert all(torch.isfinite(term) for term in terms.values())
    assert float(terms["objects"]) > -7 * OBJECTS
