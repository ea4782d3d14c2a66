import copy
from dataclasses import replace

import pytest
import torch
from prune_networks import EXAMPLE, NETWORKS, Residual, Wrapped, conv
from torch import nn

from edgecnn.compress.prune.apply import removed
from edgecnn.compress.prune.channels import trace
from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.proof import prove
from edgecnn.compress.prune.proof_bench import silence
from edgecnn.core.errors import InputError
from edgecnn.core.tensor import FrameSpec
from edgecnn.models.answers import tensors
from edgecnn.models.lane_rows import build
from edgecnn.models.layer_channels import IN
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec

FOUND = {
    "residual": {"stem.0": 16, "block.one.0": 24},
    "dense": {"stem.0": 16, "block.one.0": 8, "block.two.0": 8, "block.join.0": 16},
    "inception": {"stem.0": 16, "block.branches.0.0": 8, "block.branches.1.0": 12, "block.branches.2.0": 4},
    "added_to_concat": {"stem.0": 16, "block.a.0": 4, "block.b.0": 12},
    "se_conv": {"stem.0": 16, "block.down": 8},
    "se_linear": {"stem.0": 16, "block.down": 8},
    "spatial_attention": {"stem.0": 16},
    "mean_and_max": {},
    "inverted_residual": {"stem.0": 16, "block.expand.0": 48},
    "gated_halves": {"stem.0": 16, "block.both": 16, "block.out": 16},
    "chunked_branches": {"stem.0": 8, "block.a.0": 8, "block.b.0": 8},
    "sliced_halves": {"stem.0": 16, "block.a.0": 8, "block.b.0": 8},
    "split_by_constants": {"stem.0": 16, "block.a.0": 8, "block.b.0": 8},
    "constant_view": {"stem.0": 16, "block.two.0": 16},
    "softmax": {"stem.0": 16, "block.two.0": 16},
    "normalised": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "up_and_down": {"stem.0": 16, "block.down.0": 24, "block.up": 16, "block.fuse.0": 16},
    "up_and_down_grouped": {"stem.0": 16, "block.down.0": 6, "block.up": 4, "block.fuse.0": 16},
    "up_and_down_blocks": {"stem.0": 16, "block.down.0": 8, "block.fuse.0": 16},
    "layer_scale": {"stem.0": 16, "block.up": 48},
    "self_attention": {"stem.0": 16},
    "heads_attention": {},
    "shuffle": {"stem.0": 8, "block.two.0": 8},
    "shuffle_unit": {"block.branch.0.0": 8},
    "pixel_shuffle": {"stem.0": 16, "block.narrow.0": 16},
    "group_norm": {"stem.0": 16, "block.one": 6, "block.two.0": 16},
    "group_norm_blocks": {"stem.0": 16, "block.one": 12, "block.two.0": 16},
    "instance_norm": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "instance_norm_plain": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "layer_norm_maps": {"stem.0": 16, "block.two.0": 16},
    "prelu": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "prelu_one": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "grouped": {"stem.0": 16, "block.one.0": 8, "block.two.0": 8, "block.three.0": 16},
    "grouped_blocks": {"stem.0": 16, "block.one.0": 12, "block.three.0": 16},
    "grouped_widening": {"stem.0": 16, "block.one.0": 12, "block.three.0": 16},
    "grouped_narrowing": {"stem.0": 16, "block.one.0": 12, "block.three.0": 16},
    "frozen_norm": {"stem.0": 16, "block.one": 24, "block.two.0": 16},
    "flattened": {"stem.0": 16, "deep.0": 12, "hidden": 20},
    "shared_head": {"stem.0": 16, "fine.0": 24, "tower.0": 24},
    "tied_weights": {},
    "features_too": {"stem.0": 16},
    "without_effect": {"stem.0": 16},
}

REFUSED = {
    "split_by_constants": ("block.both.0", "counts on its number of channels (split_with_sizes"),
    "constant_view": ("block.one.0", "counts on its number of channels (shape '[2, 24, 16, 16]'"),
    "softmax": ("block.one", "mixes its channels"),
    "sliced_halves": ("block.both.0", "counts on its number of channels"),
    "layer_norm_maps": ("block.one", "layer norm spans its height and width"),
    "heads_attention": ("stem.0", "attention heads fix its width"),
    "self_attention": ("block.query", "a product of two signals"),
    "shuffle": ("block.one.0", "mixes its channels or ties them"),
    "tied_weights": ("one", "shares its weight with another layer"),
    "features_too": ("deep.0", "an output of the network"),
    "without_effect": ("side.0", "no output depends on it"),
    "residual": ("head", "an output of the network"),
}


@pytest.mark.parametrize("name", FOUND)
def test_groups_of_every_kind_of_network(name):
    groups = find_groups(NETWORKS[name](), EXAMPLE)
    assert {group.name: group.channels for group in groups.groups} == FOUND[name]
    assert not set(FOUND[name]) & set(groups.refused)
    if name in REFUSED:
        layer, reason = REFUSED[name]
        assert reason in groups.refused[layer]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cut_network_answers_as_the_whole_one_with_its_channels_silent(name):
    network = NETWORKS[name]().eval()
    groups = find_groups(network, EXAMPLE).groups
    keep = {group.name: torch.randperm(group.channels)[: max(1, group.channels // 3)] for group in groups}
    inputs = torch.randn(2, 3, 16, 16)
    silent = copy.deepcopy(network)
    for group in groups:
        silence(silent, group, removed(group, keep[group.name]))
    if "norm" in name or name == "layer_scale":
        return  # their statistics are over the channels that are left
    small = cut(network, EXAMPLE, keep)
    for one, other in zip(tensors(small(inputs)), tensors(silent(inputs)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_network_given_stays_as_it_is():
    network = Wrapped(Residual())
    network.head.weight.requires_grad_(requires_grad=False)
    before = copy.deepcopy(network.state_dict())
    find_groups(network, EXAMPLE)
    cut(network, EXAMPLE, {"stem.0": torch.tensor([0, 1])})
    assert network.training
    assert not network.head.weight.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_what_layers_lose_with_a_channel():
    groups = find_groups(NETWORKS["flattened"](), EXAMPLE)
    assert groups["deep.0"].outs == {"deep.0": 1, "deep.1": 1}
    assert groups["deep.0"].ins == {"hidden": 4}
    deep = find_groups(NETWORKS["inverted_residual"](), EXAMPLE)["block.expand.0"]
    assert deep.outs["block.deep.0"] == deep.ins["block.deep.0"] == deep.blocks["block.deep.0"] == 1
    blocks = find_groups(NETWORKS["grouped_widening"](), EXAMPLE)["block.one.0"]
    assert (blocks.ins["block.two.0"], blocks.outs["block.two.0"], blocks.blocks["block.two.0"]) == (1, 2, 1)
    shared = find_groups(NETWORKS["grouped"](), EXAMPLE)["block.one.0"]
    assert (shared.outs["block.one.0"], shared.ins["block.two.0"], shared.blocks) == (3, 3, {})


def test_fresh_zeros_do_not_hide_a_wrong_group():
    """A residual block whose last norm starts at zero gives the same answer whatever is cut in it."""
    network = Wrapped(nn.Sequential(conv(16, 16), nn.Conv2d(16, 24, 1), nn.Softmax(1), conv(24, 16)))
    nn.init.zeros_(network.block[3][1].weight)
    assert "block.1" in find_groups(network, EXAMPLE).refused


@pytest.mark.parametrize("name", ["residual", "dense", "flattened", "grouped", "inverted_residual"])
def test_a_group_with_a_member_missing_is_found_out(name):
    network = NETWORKS[name]()
    groups, _ = trace(network, EXAMPLE)
    assert prove(network, EXAMPLE, groups)[1] == {}
    for group in groups:
        for member in group.members:
            if member.side == IN or len(group.members) == 1:
                continue
            wrong = replace(group, members=tuple(other for other in group.members if other is not member))
            accepted, refused = prove(network, EXAMPLE, [wrong])
            assert not accepted
            assert refused[group.name]


def test_a_quickstart_like_network_is_pruned_everywhere_but_at_its_outputs():
    frame = FrameSpec(width=64, height=32)
    outputs = LaneRowsCodec({"cells": 8, "rows": 6, "lanes": 2}).outputs
    network = build(frame, {"width": 0.125, "depths": [1, 1, 1], "reduced": 4, "hidden": 16}, outputs)
    groups = find_groups(network, (torch.zeros(1, 3, 32, 64),))
    assert [group.name for group in groups.groups if "backbone" not in group.name] == ["reduce", "hidden"]
    assert sum("backbone" in group.name for group in groups.groups) == 6
    assert set(groups.refused.values()) == {"its channels are an output of the network"}


def test_layers_to_keep():
    groups = find_groups(NETWORKS["dense"](), EXAMPLE, keep=["block.one"])
    assert [group.name for group in groups.groups] == ["block.two.0", "block.join.0"]
    assert groups.refused["block.one.0"] == groups.refused["stem.0"] == "it is to be kept"
    with pytest.raises(InputError, match="no module 'blok' to keep"):
        find_groups(NETWORKS["dense"](), EXAMPLE, keep=["blok"])


def test_a_network_that_does_not_run_is_one_line():
    with pytest.raises(InputError, match="does not run on the example: ") as error:
        find_groups(NETWORKS["dense"](), (torch.zeros(1, 4, 16, 16),))
    assert "\n" not in str(error.value)


def test_weight_norm_is_refused():
    network = Wrapped(nn.utils.parametrizations.weight_norm(nn.Conv2d(16, 16, 1)))
    assert "computed from others" in find_groups(network, EXAMPLE).refused["block"]


def test_code_that_knows_single_precision_only():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = conv(16, 24), conv(24, 16)

        def forward(self, x):
            return self.two(self.one(x).to(torch.float32))

    assert {"stem.0", "block.one.0"} <= {group.name for group in find_groups(Wrapped(Single()), EXAMPLE).groups}


def test_frozen_networks_are_pruned_too():
    network = NETWORKS["residual"]().requires_grad_(requires_grad=False)
    groups = find_groups(network, EXAMPLE)
    small = cut(network, EXAMPLE, {"stem.0": torch.arange(4)})
    assert len(groups.groups) == 2
    assert not any(parameter.requires_grad for parameter in small.parameters())


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"stm.0": torch.arange(3)}, "did you mean 'stem.0'"),
        ({"stem.0": torch.arange(0)}, "keep some of them"),
        ({"stem.0": torch.tensor([0, 16])}, "channels 0 to 15"),
        ({"stem.0": torch.tensor([1, 1])}, "each once"),
        ({"stem.0": torch.tensor([-1])}, "channels 0 to 15"),
    ],
)
def test_a_cut_that_makes_no_sense(keep, message):
    with pytest.raises(InputError, match=message):
        cut(NETWORKS["residual"](), EXAMPLE, keep)


def test_a_cut_that_the_code_does_not_bear():
    with pytest.raises(InputError, match="does not run without these channels: split_with_sizes"):
        cut(NETWORKS["split_by_constants"](), EXAMPLE, {"block.both.0": torch.arange(4)})


def test_the_order_of_kept_channels_does_not_matter():
    network = NETWORKS["residual"]().eval()
    one = cut(network, EXAMPLE, {"stem.0": torch.tensor([7, 2, 9])})
    other = cut(network, EXAMPLE, {"stem.0": torch.tensor([2, 7, 9])})
    inputs = torch.randn(1, 3, 16, 16)
    assert torch.equal(one(inputs), other(inputs))


def test_a_cut_after_a_cut_keeps_its_names():
    network = NETWORKS["dense"]()
    small = cut(network, EXAMPLE, {"stem.0": torch.arange(5), "block.two.0": torch.arange(3)})
    groups = {group.name: group.channels for group in find_groups(small, EXAMPLE).groups}
    assert groups == {"stem.0": 5, "block.one.0": 8, "block.two.0": 3, "block.join.0": 16}


AGAIN = [name for name in NETWORKS if "group" in name or "blocks" in name or "attention" in name or "halves" in name]


@pytest.mark.parametrize("name", [*AGAIN, "added_to_concat", "inverted_residual", "flattened", "layer_scale"])
def test_cut_again_and_again_the_groups_stay(name):
    network = NETWORKS[name]()
    groups = find_groups(network, EXAMPLE)
    left = {group.name: group.channels for group in groups.groups}
    for _ in range(4):
        left = {group: max(1, channels // 2) for group, channels in left.items()}
        found = {group.name: group.channels for group in find_groups(network, EXAMPLE).groups}
        network = cut(network, EXAMPLE, {group: torch.arange(n) for group, n in left.items() if group in found})
        found = {group.name: group.channels for group in find_groups(network, EXAMPLE).groups}
        assert found == {group: n for group, n in left.items() if n > 1}


def test_parts_keep_their_modes():
    network = Wrapped(Residual()).train()
    network.stem[1].eval()
    small = cut(network, EXAMPLE, {"stem.0": torch.arange(4)})
    assert small.training
    assert small.block.one[1].training
    assert not small.stem[1].training


def test_code_that_hides_its_gradients_is_one_line():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Conv2d(3, 8, 1)

        def forward(self, x):
            with torch.no_grad():
                return self.one(x)

    groups = find_groups(Hidden(), EXAMPLE)
    assert groups.groups == ()


def test_a_table_that_is_not_saved_is_not_cut():
    network = NETWORKS["frozen_norm"]()
    network.block.register_buffer("scale", network.block.scale, persistent=False)
    groups = find_groups(network, EXAMPLE)
    assert "counts on its number of channels" in groups.refused["block.one"]
