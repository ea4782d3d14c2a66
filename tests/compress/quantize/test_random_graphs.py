"""Random networks of any opset and mutants of them: preparing keeps what they compute; every quantized graph is valid.

The recipe that a failure prints builds the network again: `random_graphs.build(Recipe(...))`.
"""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import answers, build, feeds, recipes

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.errors import InputError
from edgecnn.core.registry import SCHEMES, resolve
from edgecnn.export.prepare import prepare

NAMES = sorted(SCHEMES)
SETTINGS = Settings(threads=1, correct=False)
MANY = 1000


def difference(got, want):
    """Return ||got - want|| / ||want||; where there is next to nothing, noise of a tenth stands for it."""
    floor = 0.1 * np.sqrt(want.size)
    return float(np.linalg.norm(got - want)) / max(float(np.linalg.norm(want)), floor)


def expect_the_same_after_preparing(recipe):
    model = build(recipe)
    before = model.SerializeToString()
    prepared = prepare(model).model
    assert model.SerializeToString() == before
    assert [value.name for value in prepared.graph.output] == [value.name for value in model.graph.output]
    onnx.checker.check_model(prepared, full_check=True)
    frames = list(feeds(model, 2, seed=7))
    for got, want in zip(answers(prepared, frames), answers(model, frames, optimised=False), strict=True):
        for name, array in want.items():
            assert got[name].shape == array.shape
            if array.dtype.kind == "f":
                scale = max(float(np.abs(array).max()), 1e-3)
                np.testing.assert_allclose(got[name], array, rtol=0, atol=2e-4 * scale)
            else:
                # A tie may fall the other way.
                assert (got[name] == array).mean() > 0.98


def expect_a_valid_quantized_graph(recipe, name):
    scheme = resolve("scheme", name)
    model = prepare(build(recipe), opset=max(scheme.min_opset, 17)).model
    frames = list(feeds(model, 6))
    if model.opset_import[0].version > scheme.max_opset:
        with pytest.raises(InputError, match="needs opset"):
            quantize(model, scheme, frames, SETTINGS)
        return
    try:
        quantized, report = quantize(model, scheme, frames, SETTINGS)
    except InputError as error:
        # A subgraph that reads a value takes it from INT8, and a mutation may drop the only convolution.
        assert "nothing to quantize" in str(error)  # noqa: PT017 - any other InputError is a failure
        assert recipe.mutations or "condition" in recipe.parts
        return
    assert report.quantized
    onnx.checker.check_model(quantized, full_check=True)
    assert not (broken := violations(quantized, scheme)), broken
    # From opset 21 on, ONNX Runtime 1.31 contradicts itself: it turns int8 into uint8 and leaves int8 as `output_dtype`
    # on the Q nodes which it added.
    optimised = quantized.opset_import[0].version < 21
    for got, want in zip(answers(quantized, frames, optimised=optimised), answers(model, frames), strict=True):
        assert list(got) == list(want)
        for output, array in want.items():
            assert got[output].dtype == array.dtype
            assert np.isfinite(got[output]).all()
            if array.dtype.kind == "f" and not recipe.mutations:
                assert difference(got[output], array) < 0.3


@settings(max_examples=80)
@given(recipe=recipes())
def test_a_prepared_graph_computes_the_same(recipe):
    expect_the_same_after_preparing(recipe)


@settings(max_examples=120)
@given(recipe=recipes(), name=st.sampled_from(NAMES))
def test_a_quantized_graph_is_valid_and_near(recipe, name):
    expect_a_valid_quantized_graph(recipe, name)


@pytest.mark.slow
@settings(max_examples=MANY)
@given(recipe=recipes())
def test_many_prepared_graphs_compute_the_same(recipe):
    expect_the_same_after_preparing(recipe)


@pytest.mark.slow
@settings(max_examples=MANY)
@given(recipe=recipes(), name=st.sampled_from(NAMES))
def test_many_quantized_graphs_are_valid_and_near(recipe, name):
    expect_a_valid_quantized_graph(recipe, name)


@given(recipe=recipes())
def test_every_random_graph_runs(recipe):
    model = build(recipe)
    assert build(recipe).SerializeToString() == model.SerializeToString()
    for frame in answers(model, feeds(model, 1)):
        assert all(np.isfinite(array).all() for array in frame.values())
