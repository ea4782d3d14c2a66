"""The random graphs themselves: each runs, is the same every time, and no mutation is idle."""

import numpy as np
import onnx
import pytest
from graph_mutations import MUTATIONS
from hypothesis import given
from random_graphs import OPSETS, PARTS, Recipe, answers, build, feeds, recipes


@given(recipe=recipes())
def test_a_random_graph_runs_and_is_the_same_each_time(recipe):
    model = build(recipe)
    assert build(recipe).SerializeToString() == model.SerializeToString()
    for frame in answers(model, feeds(model, 1)):
        assert all(np.isfinite(array).all() for array in frame.values())


@pytest.mark.parametrize("opset", [OPSETS[0], 13, OPSETS[-1]])
def test_every_part_runs(opset):
    for part in PARTS:
        model = build(Recipe(opset=opset, parts=(part,), head="none"))
        onnx.checker.check_model(model)
        assert len(answers(model, feeds(model, 1))) == 1


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_gives_valid_graphs(name):
    plain = Recipe(parts=("residual", "inception", "silu"), head="gemm")
    mutants = {build(Recipe(**{**vars(plain), "mutations": ((name, seed),)})).SerializeToString() for seed in range(20)}
    assert len(mutants - {build(plain).SerializeToString()}) >= 3
