"""Low rank: exact at full rank, the best there is for the data below it, and honest about what can't be split."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgecnn.compress.low_rank import FEWEST_WEIGHTS, factorize
from edgecnn.compress.low_rank_split import Metric, split_for_given, split_for_read
from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.response import Moments, gather
from edgecnn.core.errors import InputError
from edgecnn.models.structure import rebuild, structure_of


def lopsided(count, size, seed=0):
    """Inputs that vary much along few directions, with a mean."""
    make = torch.Generator().manual_seed(seed)
    mixing = torch.linalg.qr(torch.randn(size, size, generator=make))[0] * (0.8 ** torch.arange(size))[:, None]
    return torch.randn(count, size, generator=make) @ mixing + torch.randn(size, generator=make)


def moments_of(rows):
    found = Moments(rows.shape[1])
    found.add(rows)
    return found


@st.composite
def convolutions(draw):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    gap = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 1)), st.just("valid")))
    sizes = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    return nn.Conv2d(*sizes, kernel, stride, padding, gap, bias=draw(st.booleans()))


@given(convolutions(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_at_full_rank_two_convolutions_answer_as_the_one_did(conv, seen):
    torch.manual_seed(0)
    module = nn.Sequential(conv)
    inputs = [(torch.randn(2, conv.in_channels, 13, 14),) for _ in range(4)]
    new, rows = factorize(module, inputs[0], ranks={"0": 10**6}, inputs=inputs if seen else None)
    assert isinstance(new[0], nn.Sequential)
    assert rows[0].energy == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(new(*inputs[0]), module(*inputs[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", [(12, 30), (30, 12)])
def test_for_its_data_no_other_matrix_of_that_rank_is_better(sizes):
    torch.manual_seed(0)
    layer, x = nn.Linear(*sizes), lopsided(4000, sizes[0])
    new, rows = factorize(nn.Sequential(layer), (x[:1],), ranks={"0": 4}, inputs=[(x,)])
    centred = (layer(x) - layer(x).mean(0)).detach().double()
    least = float((torch.linalg.svdvals(centred)[4:] ** 2).sum())
    error = float((new(x) - layer(x)).detach().double().square().sum())
    assert least <= error < 1.05 * least
    assert rows[0].energy == pytest.approx(1 - least / float(centred.square().sum()), abs=3e-3)
    plain, _ = factorize(nn.Sequential(layer), (x[:1],), ranks={"0": 4})
    assert float((plain(x) - layer(x)).detach().double().square().sum()) > 2 * least


@pytest.mark.parametrize("wide", [False, True])
def test_channels_count_for_what_the_outputs_make_of_them(wide, monkeypatch):
    if wide:
        monkeypatch.setattr("edgecnn.compress.response.WIDEST_PULL", 8)
    torch.manual_seed(0)
    first, norm, last = nn.Linear(40, 32), nn.BatchNorm1d(32), nn.Linear(32, 8)
    module, x = nn.Sequential(first, norm, last).eval(), torch.randn(2000, 40)
    with torch.no_grad():
        first.weight[16:] *= 0.05  # quiet channels, which the batch norm makes as loud as the others
        norm.running_var.copy_(first(x).var(0))
        last.weight[:, :12] = 0  # and loud ones that nobody reads
    inputs = [(x,)]
    new, (row,) = factorize(module, (x[:1],), ranks={"0": 20}, inputs=inputs)
    lost = (new(x) - module(x)).detach().square().mean()
    monkeypatch.setattr("edgecnn.compress.low_rank.Metric", lambda _pull: Metric())
    blind, _ = factorize(module, (x[:1],), ranks={"0": 20}, inputs=inputs)
    assert float(lost) < 0.1 * float((blind(x) - module(x)).detach().square().mean())
    assert row.energy > 0.9


def test_gathering_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 4)).requires_grad_(requires_grad=False)
    module[2].weight.requires_grad_()
    found = gather(module, {"0": {"given": 5}, "2": {"read": 5}}, [(torch.randn(3, 6),), (torch.randn(2, 6),)])
    assert found.moments["0", "given"].count == found.moments["2", "read"].count == 5
    assert set(found.pull) == {"0", "2"}
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, False]
    assert all(p.grad is None for p in module.parameters())


def test_outputs_without_derivative_leave_all_channels_alike():
    class Decided(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return self.layer(x).argmax(1)

    x = torch.randn(64, 8)
    found = gather(Decided(), {"layer": {"given": 8}}, [(x,)])
    assert not found.pull
    new, (row,) = factorize(Decided(), (x,), ranks={"layer": 2}, inputs=[(x,)])
    assert row.rank == 2
    assert new(x).shape == (64,)


def test_what_is_read_and_what_is_given_tell_the_same():
    torch.manual_seed(0)
    layer, x = nn.Linear(10, 8), lopsided(5000, 10)
    matrix = layer.weight.detach().T
    by_read = split_for_read(matrix, moments_of(x), Metric())
    by_given = split_for_given(matrix, layer.bias, moments_of(layer(x)), Metric())
    torch.testing.assert_close(by_read.power, by_given.power, rtol=0.02, atol=1e-3)
    torch.testing.assert_close(by_read.mean, by_given.mean, rtol=1e-4, atol=1e-4)


def test_few_frames_do_not_silence_what_they_did_not_show():
    torch.manual_seed(0)
    layer, x = nn.Linear(200, 200, bias=False), torch.randn(20, 200)
    few = moments_of(x)
    assert few.doubt > 0.5
    assert moments_of(torch.randn(20000, 20)).doubt > 0.5, "nothing but alike directions were seen"
    assert moments_of(lopsided(20000, 20)).doubt < 0.01
    assert split_for_read(layer.weight.detach().T, few, Metric()).rank_for(0.99) > 20


def test_a_separable_kernel_is_found_along_the_kernel():
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 64, 5, padding=2)
    with torch.no_grad():
        along, across = torch.randn(8, 32, 5), torch.randn(64, 8, 5)
        conv.weight.copy_(torch.einsum("rci,orj->ocij", along, across))
    x = torch.randn(2, 32, 16, 16)
    new, (row,) = factorize(nn.Sequential(conv), (x,), energy=0.999)
    assert (row.kind, row.rank) == ("spatial", 8)
    assert row.cost < 0.2
    torch.testing.assert_close(new(x), conv(x), rtol=1e-3, atol=1e-3)


@given(st.floats(0.3, 1.0), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_what_is_split_keeps_the_energy_and_costs_less(energy, seed):
    torch.manual_seed(seed)
    x = torch.randn(3, 24, 10, 10)
    module = nn.Sequential(nn.Conv2d(24, 40, 3), nn.BatchNorm2d(40), nn.ReLU(), nn.Flatten(), nn.Linear(2560, 96))
    before = copy.deepcopy(module.state_dict())
    new, rows = factorize(module, (x,), energy=energy, inputs=[(x,)])
    assert not module.training or new.training
    assert all((before[name] == value).all() for name, value in module.state_dict().items())
    assert new(x).shape == (3, 96)
    for row in rows:
        if row.kind == "kept":
            assert row.note
        else:
            assert row.energy >= energy - 1e-6
            assert row.cost <= 0.9
            assert row.parameters_after < row.parameters_before


class Times:
    """Times by a rule, which notes what it is asked to find out."""

    how, on = "measured", "nowhere"

    def __init__(self, rule):
        self.time_ms, self.asked = rule, []

    def prepare(self, shapes):
        self.asked.append(list(shapes))


def flat_linear(rank=16):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256))
    with torch.no_grad():
        module[0].weight.copy_(torch.randn(256, rank) @ torch.randn(rank, 256))
        module[0].weight.add_(0.01 * torch.randn(256, 256))
    return module, torch.randn(1, 256)


def test_the_clock_decides_where_there_is_one():
    module, x = flat_linear()
    _, (by_work, _) = factorize(module, (x,), energy=0.99)
    _, (by_clock, _) = factorize(module, (x,), energy=0.99, times=Times(lambda shape: 1.0 + shape.macs * 1e-9))
    assert (by_work.kind, by_work.unit, by_clock.kind, by_clock.unit) == ("svd", "multiply-adds", "kept", "time")
    assert "2.00 times as much" in by_clock.note


def test_of_ranks_that_cost_the_same_the_best_is_taken():
    def in_blocks(shape):
        return -(-shape.in_channels // 32) * -(-shape.out_channels // 32) * 1e-3

    module, x = flat_linear()
    _, (by_work, _) = factorize(module, (x,), energy=0.99)
    _, (by_clock, _) = factorize(module, (x,), energy=0.99, times=Times(in_blocks))
    assert (by_work.rank, by_clock.rank) == (16, 32)
    assert by_clock.energy > by_work.energy


def test_all_that_is_to_be_timed_is_asked_for_at_once_what_matters_most_first():
    module, x = flat_linear()
    times = Times(lambda shape: shape.macs * 1e-6)
    factorize(module, (x,), energy=0.9, times=times)
    (asked,) = times.asked
    assert {(shape.in_channels, shape.out_channels) for shape in asked[:2]} == {
        (256, 256),
        (256, asked[1].out_channels),
    }
    assert len({shape.out_channels for shape in asked}) > 6


def test_a_layer_whose_time_nobody_knows_is_judged_by_its_work():
    module, x = flat_linear()
    _, rows = factorize(module, (x,), energy=0.99, times=Times(lambda _: None))
    assert [row.unit for row in rows] == ["multiply-adds", "multiply-adds"]
    assert rows[0].rank == 16
    _, rows = factorize(
        module, (x,), energy=0.99, times=Times(lambda s: None if 16 in (s.in_channels, s.out_channels) else s.macs)
    )
    assert (rows[0].unit, rows[0].rank) == ("time", 24)


class Awkward(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(128, 4, batch_first=True)
        self.grouped = nn.Conv1d(4, 4, 1)
        self.read = nn.Linear(128, 128)
        self.weighed = nn.Linear(128, 128)
        self.one, self.other = nn.Linear(128, 128), nn.Linear(128, 128)
        self.other.weight = self.one.weight
        self.groups = nn.Conv2d(256, 256, 3, groups=2)

    def forward(self, x):
        y, _ = self.attention(x, x, x)
        y = y @ self.read.weight + self.weighed(y) * self.weighed.weight.norm()
        self.groups(torch.zeros(1, 256, 3, 3))
        return self.other(self.one(y))


def test_what_cannot_be_split_is_named_with_its_reason():
    torch.manual_seed(0)
    module, x = Awkward(), torch.randn(1, 3, 128)
    with torch.no_grad():
        module.weighed.weight.copy_(torch.outer(torch.randn(128), torch.randn(128)))
    new, rows = factorize(module, (x,), energy=0.5)
    notes = {row.name: row.note for row in rows}
    assert FEWEST_WEIGHTS <= 128 * 128
    assert "no plain layer" in notes["attention.out_proj"]
    assert "without calling" in notes["read"]
    assert "does not run" in notes["weighed"]
    assert "another layer's" in notes["one"]
    assert "grouped" in notes["groups"]
    assert all(row.kind == "kept" for row in rows)
    torch.testing.assert_close(new(x), module(x))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "either `energy`"),
        ({"energy": 0.5, "ranks": {"0": 1}}, "either `energy`"),
        ({"energy": 1.5}, "above 0 and at most 1"),
        ({"energy": float("nan")}, "above 0 and at most 1"),
        ({"ranks": {"zero": 4}}, "no linear or convolution layer 'zero'"),
        ({"ranks": {"1": 4}}, "'1' can't be split: it is a grouped"),
        ({"energy": 0.5, "inputs": []}, "no calibration inputs"),
    ],
)
def test_bad_wishes_are_one_clear_line(options, said):
    module = nn.Sequential(nn.Conv2d(128, 128, 1), nn.Conv2d(128, 128, 3, padding=1, groups=128))
    with pytest.raises(InputError, match=said) as caught:
        factorize(module, (torch.randn(1, 128, 4, 4),), **options)
    assert "\n" not in str(caught.value)


def test_moments_are_those_of_numpy():
    rows = lopsided(500, 7)
    found = Moments(7)
    for part in rows.split(33):
        found.add(part)
    np.testing.assert_allclose(found.mean, rows.double().mean(0), rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.cov(rows.double().T, bias=True), rtol=1e-7, atol=1e-9)


def test_what_was_split_is_rebuilt_from_code_and_structure_and_can_be_pruned():
    torch.manual_seed(0)

    def made():
        return nn.Sequential(nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 48, 3), nn.Flatten(), nn.Linear(1200, 64))

    module, x = made().eval(), torch.randn(2, 3, 16, 16)
    new, rows = factorize(module, (x[:1],), ranks={"2": 8, "4": 16}, inputs=[(x,)])
    assert all(row.kind != "kept" for row in rows)
    again = rebuild(made(), structure_of(new, module)).eval()
    again.load_state_dict(new.state_dict())
    assert torch.equal(again(x), new(x))
    inner = {group.name: group.channels for group in find_groups(new, (x[:1],)).groups}
    assert inner["2.0"] == 8, "what runs between the two layers can be pruned too"
