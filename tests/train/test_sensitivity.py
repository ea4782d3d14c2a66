"""Without labels: channels count for how the outputs move with them, by a known Jacobian."""

import pytest
import torch
from torch import nn

from edgecnn.compress.prune.criteria import fisher, taylor
from edgecnn.compress.prune.groups import find_groups
from edgecnn.core.errors import InputError
from edgecnn.train.sensitivity import sensitivities


class Two(nn.Module):
    """A network of eight channels, some louder than others, with a large output and a small one, and a whole number."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.large, self.small = nn.Linear(6, 8), nn.Linear(8, 40), nn.Linear(8, 2)
        with torch.no_grad():
            self.large.weight *= torch.tensor([3.0, 2.0, 1.0, 0.3, 0.1, 0.0, 0.0, 0.0])
            self.small.weight *= torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
            self.large.weight *= 1000

    def forward(self, x):
        x = self.body(x)
        return {"large": self.large(x), "small": self.small(x), "kind": self.large(x).argmax(1)}


EXAMPLE = (torch.zeros(1, 6),)


@pytest.mark.parametrize("criterion", [taylor, fisher])
def test_criteria_see_the_curvature_where_the_loss_has_no_gradient(criterion):
    module, frames = Two().eval(), torch.randn(400, 6, generator=torch.Generator().manual_seed(1))
    groups = find_groups(module, EXAMPLE)
    losses = sensitivities(module, [(part,) for part in frames.split(16)], 0)
    (found,) = criterion.importance(module, groups, EXAMPLE, losses).values()
    with torch.no_grad():
        x, answer = module.body(frames), module(frames)
        wanted = sum(
            layer.weight.square().mean(0) * x.square().mean(0) / answer[name].var()
            for name, layer in (("large", module.large), ("small", module.small))
        )
    torch.testing.assert_close(found / found.sum(), wanted / wanted.sum(), rtol=0.5, atol=0.01)
    assert found[5] == 0
    assert found[7] > found[4], "a small output counts as much as a large one"


def test_outputs_of_one_number_and_of_none_alike_count():
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1)).eval()
    (loss,) = sensitivities(module, [(torch.ones(1, 6),)], 0)
    assert 0.9 < abs(float(loss(module).detach())) < 1.1


def test_outputs_without_derivative_are_one_line():
    class Decided(nn.Module):
        def forward(self, x):
            return x.argmax(1)

    with pytest.raises(InputError, match="use the criterion l1"):
        next(sensitivities(Decided(), [(torch.ones(2, 6),)], 0))
