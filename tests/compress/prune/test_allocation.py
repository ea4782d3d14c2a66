"""Allocation: the known optimum of small cases, never worse than equal shares, within the time, or a refusal."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.compress.prune.allocation import allocate, kept_channels, losses
from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.widths import candidates
from edgecnn.core.errors import InputError


def group(name: str, channels: int) -> Group:
    return Group(name, channels, 1, {name: 1}, {})


def chain(groups, prices):
    """Time of layers in a row, each by the product of its widths: what convolutions take."""

    def time(widths) -> float:
        counts = [3, *(widths.get(g.name, g.channels) for g in groups), 10]
        return 1 + sum(p * a * b for p, a, b in zip(prices, counts, counts[1:], strict=False))

    return time


def loss(groups, importance, widths) -> float:
    return sum(float(losses(importance[g.name], [widths[g.name]])[0]) for g in groups)


def every(groups):
    options = [candidates(g) for g in groups]
    for widths in itertools.product(*options):
        yield {g.name: w for g, w in zip(groups, widths, strict=True)}


@st.composite
def problems(draw):
    count = draw(st.integers(1, 3))
    groups = [group(f"g{i}", draw(st.sampled_from([8, 16, 32, 64]))) for i in range(count)]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    skew = draw(st.floats(0, 3))
    importance = {g.name: torch.from_numpy(rng.random(g.channels) * np.exp(rng.normal(0, skew))) for g in groups}
    prices = np.exp(rng.normal(0, 1.5, count + 1))
    return groups, importance, chain(groups, prices), draw(st.floats(1.05, 4))


@settings(max_examples=60)
@given(problems())
def test_it_is_near_the_best_there_is(problem):
    groups, importance, time, speedup = problem
    budget = time({}) / speedup
    fitting = [loss(groups, importance, widths) for widths in every(groups) if time(widths) <= budget]
    if not fitting:
        with pytest.raises(InputError, match="can't bring"):
            allocate(groups, importance, time, speedup=speedup)
        return
    found = allocate(groups, importance, time, speedup=speedup)
    assert time(found) <= budget
    whole = loss(groups, importance, next(every(groups)))
    assert loss(groups, importance, found) <= min(fitting) * 1.02 + 1e-9 * whole


@settings(max_examples=40)
@given(problems())
def test_it_is_never_worse_than_equal_shares(problem):
    groups, importance, time, speedup = problem
    budget = time({}) / speedup
    even = [
        widths
        for share in np.linspace(0, 1, 65)
        if time(widths := {g.name: min(candidates(g), key=lambda w: abs(w - share * g.channels)) for g in groups})
        <= budget
    ]
    if even:
        found = allocate(groups, importance, time, speedup=speedup)
        assert loss(groups, importance, found) <= min(loss(groups, importance, widths) for widths in even) + 1e-9


def test_equal_layers_are_pruned_alike():
    groups = [group("a", 64), group("b", 64)]
    importance = {name: torch.ones(64) for name in "ab"}
    found = allocate(groups, importance, lambda w: w.get("a", 64) + w.get("b", 64), speedup=2)
    assert found == {"a": 32, "b": 32}


def test_a_layer_that_costs_more_time_loses_more():
    groups = [group("cheap", 64), group("dear", 64)]
    importance = {name: torch.ones(64) for name in ("cheap", "dear")}
    found = allocate(groups, importance, lambda w: w.get("cheap", 64) + 3 * w.get("dear", 64), speedup=1.5)
    assert found["dear"] < found["cheap"]
    # Of log(cheap) + log(dear) with cheap + 3 dear = 512 / 3, found by hand: half of the time to each.
    assert found == {"cheap": 64, "dear": 32}


def test_what_saves_no_time_is_not_pruned():
    groups = [group("a", 64), group("still", 64)]
    importance = {"a": torch.ones(64), "still": torch.full((64,), 1e-6)}
    found = allocate(groups, importance, lambda w: 1 + w.get("a", 64), budget_ms=33)
    assert found == {"a": 32, "still": 64}


def test_widths_land_at_the_end_of_a_block():
    groups = [group("a", 128)]
    found = allocate(groups, {"a": torch.rand(128)}, lambda w: -(-w.get("a", 128) // 32) * 32, speedup=1.3)
    assert found == {"a": 96}


def test_a_width_that_is_slower_than_a_greater_one_is_not_taken():
    taken = {8: 5.0, 16: 9.0, 24: 6.0, 32: 10.0}
    time = lambda w: taken[w.get("a", 32)]  # noqa: E731
    assert allocate([group("a", 32)], {"a": torch.ones(32)}, time, budget_ms=9.5, align=8) == {"a": 24}


def test_a_network_that_is_fast_enough_stays_whole():
    assert allocate([group("a", 32)], {"a": torch.ones(32)}, lambda w: w.get("a", 32), budget_ms=40) == {"a": 32}


def test_losses_grow_towards_the_last_channel():
    found = losses(torch.ones(10), range(10, 0, -1))
    assert found[0] == 0
    assert (np.diff(found, 2) > 0).all()
    assert found[1] == pytest.approx(10 * np.log(10 / 9))
    assert losses(torch.tensor([3.0, 1.0, 2.0]), [2])[0] == pytest.approx(6 * np.log(6 / 5))
    assert (losses(torch.zeros(4), [4, 1]) == 0).all()


@pytest.mark.parametrize("bad", [[-1.0, 1.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_importances_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="not negative"):
        losses(torch.tensor(bad), [1])


def test_one_goal_is_asked_for():
    with pytest.raises(ValueError, match="budget_ms or speedup"):
        allocate([], {}, lambda _: 1.0)


def test_the_most_important_channels_are_kept_in_their_order():
    assert kept_channels(torch.tensor([0.1, 3.0, 2.0, 0.0]), 2).tolist() == [1, 2]
    assert kept_channels(torch.tensor([1.0, 1.0, 1.0]), 2).tolist() == [0, 1]
