"""Distillation: for any network and task, through any widths, and nothing of it left in the pupil."""

import copy

import pytest
import torch
from torch import nn

from edgecnn.core.compression import Distill
from edgecnn.train.distill import Distillation, relative_error, relative_error_where, softened


def net(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(2 * width * 64, 5),
    )


EXAMPLE = (torch.zeros(1, 3, 32, 32),)


def test_the_widest_map_of_every_grid_is_compared_and_bridged_where_widths_differ():
    found = Distillation(net(8), net(4), EXAMPLE, Distill())
    assert [(pair.name, pair.pupil, pair.teacher) for pair in found.pairs] == [("3", 8, 16), ("2", 4, 8)]
    assert [adapter.weight.shape for adapter in found.adapters] == [(16, 8, 1, 1), (8, 4, 1, 1)]
    same = Distillation(net(8), net(8), EXAMPLE, Distill())
    assert not list(same.adapters.parameters())


@pytest.mark.parametrize("logits", [{}, {0: 1}])
def test_an_equal_pupil_has_nothing_to_learn_and_another_learns(logits):
    torch.manual_seed(0)
    teacher, pupil, frames = net(8).eval(), net(4), torch.randn(16, 3, 32, 32)
    same = copy.deepcopy(teacher)
    equal = Distillation(teacher, same, EXAMPLE, Distill(), logits)
    with torch.no_grad(), equal.watching(same):
        assert all(float(term) < 1e-6 for term in equal.terms((frames,), same(frames)).values())
    other = Distillation(teacher, pupil, EXAMPLE, Distill(), logits)
    optimizer = torch.optim.Adam([*pupil.parameters(), *other.adapters.parameters()], 1e-2)
    totals = []
    with other.watching(pupil):
        for _ in range(30):
            terms = other.terms((frames,), pupil(frames))
            assert set(terms) == {"taught_outputs", "taught_features"}
            total = sum(terms.values())
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            totals.append(float(total.detach()))
    assert totals[-1] < 0.5 * totals[0]
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not any(module._forward_hooks for module in pupil.modules())


def test_weights_choose_what_is_taught():
    teacher, pupil, frames = net(8), net(4), torch.randn(2, 3, 32, 32)
    outputs = Distillation(teacher, pupil, EXAMPLE, Distill(features=0))
    assert not outputs.pairs
    assert set(outputs.terms((frames,), pupil(frames))) == {"taught_outputs"}
    features = Distillation(teacher, pupil, EXAMPLE, Distill(outputs=0, features=2))
    with features.watching(pupil):
        assert set(features.terms((frames,), pupil(frames))) == {"taught_features"}


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        y = self.body(x)
        return {"map": self.head(y), "more": [y.mean((2, 3)), (y.amax(),)]}


def test_answers_may_be_nested_and_a_module_may_be_called_twice():
    teacher, pupil, frames = Nested(), Nested(), torch.randn(2, 3, 16, 16)
    found = Distillation(teacher, pupil, (frames,), Distill())
    with found.watching(pupil):
        pupil(frames)
        terms = found.terms((frames,), pupil(frames))
    assert all(torch.isfinite(term) for term in terms.values())


def test_softened_is_the_divergence_along_its_axis_and_error_is_free_of_scale():
    one, other = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    assert float(softened(one, one + 7, 1, 2.0)) == pytest.approx(0, abs=1e-5)
    assert 0 < float(softened(one, other, 1, 1.0)) != float(softened(one, other, 1, 2.0))
    assert float(relative_error(one, other)) == pytest.approx(float(relative_error(100 * one, 100 * other)), rel=1e-4)


def test_what_is_told_by_another_output_is_learnt_where_that_sees_something():
    weight = torch.tensor([[[[0.0, 1.0, 1.0]]]])
    wanted = torch.tensor([[[[9.0, 1.0, 3.0]], [[-9.0, 2.0, 2.0]]]])
    given = wanted + torch.tensor([50.0, 0, 0])
    assert float(relative_error_where(given, wanted, weight)) == 0
    assert float(relative_error_where(wanted + 1, wanted, weight)) == pytest.approx(1 / 0.5)
    assert float(relative_error_where(wanted, wanted, torch.zeros(1, 1, 1, 3))) == 0


class Told(nn.Module):
    def __init__(self):
        super().__init__()
        self.heat, self.size = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return self.heat(x).sigmoid(), self.size(x)


def test_told_outputs_have_no_gradient_where_the_teacher_sees_nothing():
    torch.manual_seed(0)
    teacher, pupil, frames = Told(), Told(), torch.randn(2, 3, 4, 4)
    frames[:, :, :2] = 0
    with torch.no_grad():
        teacher.heat.bias.fill_(-200)  # where the frame is empty
        teacher.heat.weight.copy_(300 * torch.eye(2, 3)[:, :, None, None])
    found = Distillation(teacher, pupil, (frames,), Distill(features=0), told_by={1: 0})
    answer = pupil(frames)
    answer[1].retain_grad()
    with found.watching(pupil):
        found.terms((frames,), answer)["taught_outputs"].backward()
    there = teacher(frames)[0].amax(1) > 0
    assert there.any()
    assert ((answer[1].grad.abs().sum(1) > 0) == there).all()
