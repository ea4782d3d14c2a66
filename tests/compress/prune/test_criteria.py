import copy

import pytest
import torch
from prune_networks import EXAMPLE, NETWORKS
from torch import nn

from edgecnn.compress.prune.criteria.gates import gate_gradients
from edgecnn.compress.prune.groups import Group, Groups, find_groups
from edgecnn.core.errors import InputError
from edgecnn.core.registry import CRITERIA, resolve
from edgecnn.models.layer_channels import IN

PLAIN = ("l1", "l2", "bn_scale", "geometric_median")
INPUTS = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
TARGETS = torch.tensor([0, 3, 1, 4])


def loss(module):
    return nn.functional.cross_entropy(module(INPUTS.to(next(module.parameters()).dtype)), TARGETS)


def judged(name, network, groups=None, losses=(loss,)):
    groups = groups or find_groups(network, EXAMPLE)
    return resolve("criterion", name)(network, groups, EXAMPLE, None if name in PLAIN else list(losses))


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("kind", ["dense", "grouped", "grouped_blocks", "up_and_down_blocks", "layer_scale"])
def test_every_group_is_judged_channel_by_channel(name, kind):
    network = NETWORKS[kind]().train()
    before = copy.deepcopy(network.state_dict())
    groups = find_groups(network, EXAMPLE)
    found = judged(name, network, groups)
    assert {key: value.shape for key, value in found.items()} == {g.name: (g.channels,) for g in groups.groups}
    for value in found.values():
        assert value.dtype == torch.float32
        assert value.isfinite().all()
        assert (value >= 0).all()
        assert value.max() > 0
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize("name", CRITERIA)
def test_an_idle_channel_is_worth_least(name):
    network = NETWORKS["residual"]().eval()
    with torch.no_grad():
        for tensor in (network.block.one[0].weight, network.block.one[1].weight, network.block.one[1].bias):
            tensor[5] = 0
        network.block.two.weight[:, 5] = 0
    assert judged(name, network)["block.one.0"].argmin() == 5


@pytest.mark.parametrize("name", PLAIN)
def test_the_scale_of_a_layer_does_not_count(name):
    network = NETWORKS["dense"]()
    groups = find_groups(network, EXAMPLE)
    before = judged(name, network, groups)
    with torch.no_grad():
        network.stem[0].weight *= 50
        network.block.join[0].weight *= 0.01
        network.stem[1].weight *= 7
    after = judged(name, network, groups)
    for key, value in before.items():
        torch.testing.assert_close(after[key], value)
        assert value.sum() == pytest.approx(1, abs=1e-5)


def test_l1_and_l2_are_the_formulas():
    network = NETWORKS["flattened"]()
    groups = find_groups(network, EXAMPLE)
    made, read = network.deep[0].weight.detach().flatten(1), network.hidden.weight.detach().T.reshape(12, -1)
    for name, power in (("l1", 1), ("l2", 2)):
        parts = [(one.abs() ** power).sum(1) for one in (made, read)]
        expected = sum(part / part.sum() for part in parts) / 2
        torch.testing.assert_close(judged(name, network, groups)["deep.0"], expected)


def test_filters_that_repeat_others_go_first_by_geometric_median():
    network = NETWORKS["residual"]()
    with torch.no_grad():
        network.block.one[0].weight[:4] = network.block.one[0].weight[10]
    worth = judged("geometric_median", network)["block.one.0"]
    assert set(worth.argsort()[:5].tolist()) == {0, 1, 2, 3, 10}


def test_bn_scale_falls_back_to_l2_without_a_norm():
    network = NETWORKS["flattened"]()
    with torch.no_grad():
        network.deep[1].weight.copy_(torch.arange(12))
    groups = find_groups(network, EXAMPLE)
    found = judged("bn_scale", network, groups)
    torch.testing.assert_close(found["deep.0"], torch.arange(12) / torch.arange(12.0).sum())
    torch.testing.assert_close(found["hidden"], judged("l2", network, groups)["hidden"])


class Gated(nn.Module):
    """A network with a gate on every reading of a group, to differentiate by hand."""

    def __init__(self, network, group: Group):
        super().__init__()
        self.network = network
        self.gate = nn.Parameter(torch.ones(len(INPUTS), group.channels, dtype=torch.float64))
        layers = dict(network.named_modules())
        for member in group.members:
            if member.side == IN:
                layers[member.layer].register_forward_pre_hook(self.hook(member))

    def hook(self, member):
        def scaled(layer, inputs):
            (x,) = inputs
            axis = 1 if isinstance(layer, nn.Conv2d) else x.ndim - 1
            width = x.shape[axis]
            scale = torch.ones(len(x), width, dtype=x.dtype)
            scale = scale.index_copy(
                1, member.indices.flatten(), self.gate.repeat_interleave(member.indices.shape[1], 1)
            )
            return x * (scale.view(len(x), width, 1, 1) if axis == 1 and x.ndim == 4 else scale)

        return scaled


@pytest.mark.parametrize("kind", ["residual", "dense", "inverted_residual", "se_linear", "grouped", "flattened"])
def test_gate_gradients_taylor_and_fisher_are_the_formulas(kind):
    network = NETWORKS[kind]().double().eval()
    groups = find_groups(network, EXAMPLE_DOUBLE)
    found = next(iter(gate_gradients(network, groups, [loss])))
    taylor, fisher = judged("taylor", network, groups), judged("fisher", network, groups)
    for group in groups.groups:
        gated = Gated(copy.deepcopy(network), group)
        (gradient,) = torch.autograd.grad(loss(gated.network), gated.gate)
        each = gradient * len(INPUTS)
        torch.testing.assert_close(found[group.name], each)
        torch.testing.assert_close(taylor[group.name].double(), each.mean(0).square(), rtol=1e-4, atol=1e-12)
        torch.testing.assert_close(fisher[group.name].double(), each.square().mean(0) / 2, rtol=1e-4, atol=1e-12)


EXAMPLE_DOUBLE = (EXAMPLE[0].double(),)


def test_the_loss_of_removal_is_foretold_by_taylor():
    """For a small gate step the loss moves by the gradient: against the loss itself, not against autograd."""
    network = NETWORKS["residual"]().double().eval()
    groups = find_groups(network, EXAMPLE_DOUBLE)
    group = groups["block.one.0"]
    gated = Gated(copy.deepcopy(network), group)
    gradients = next(iter(gate_gradients(network, groups, [loss])))["block.one.0"].mean(0)
    step = 1e-6
    for channel in (0, 11, 23):
        with torch.no_grad():
            gated.gate.fill_(1)[:, channel] += step
            more = loss(gated.network)
            gated.gate.fill_(1)[:, channel] -= step
            less = loss(gated.network)
        assert float((more - less) / (2 * step)) == pytest.approx(float(gradients[channel]), rel=1e-4, abs=1e-9)


def test_a_shared_head_is_judged_over_all_levels():
    network = NETWORKS["shared_head"]().double().eval()
    groups = find_groups(network, EXAMPLE_DOUBLE)
    both = judged("fisher", network, groups, [lambda m: both_levels(m, ("fine", "coarse"))])
    one = judged("fisher", network, groups, [lambda m: both_levels(m, ("fine",))])
    assert not torch.allclose(both["tower.0"], one["tower.0"])


def both_levels(module, names):
    found = module(INPUTS.double())
    return sum(tensor.square().mean() for name in names for tensor in found[name])


def test_frozen_networks_are_judged_too():
    network = NETWORKS["residual"]().requires_grad_(requires_grad=False)
    assert judged("fisher", network)["block.one.0"].max() > 0


@pytest.mark.parametrize("name", ["taylor", "fisher"])
def test_a_criterion_without_its_data_is_one_line(name):
    network = NETWORKS["residual"]()
    groups = find_groups(network, EXAMPLE)
    with pytest.raises(InputError, match="needs training batches; without data use l1"):
        resolve("criterion", name)(network, groups, EXAMPLE, None)
    with pytest.raises(InputError, match="was given none"):
        resolve("criterion", name)(network, groups, EXAMPLE, [])


def test_no_groups_no_importance():
    network = NETWORKS["residual"]()
    for name in CRITERIA:
        assert judged(name, network, Groups((), {"stem.0": "kept"})) == {}
