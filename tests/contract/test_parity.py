"""Every engine against onnx's reference evaluator, in float and in INT8, on odd shapes and on a batch of four."""

import numpy as np
import pytest
from contract_cases import CASES, ODD_SHAPES, PRESENT_AND_PRECISION, REAL, engine_of, frames, precisions

from edgecnn.core.errors import EngineError

BATCH = 4
ROUNDED = [name for name in REAL if "int8" in precisions(name)]
MANY = [name for name in REAL if not CASES[name].one_batch]
ONE = [(name, precision) for name in REAL if CASES[name].one_batch for precision in precisions(name)]


def compare_float(name, network):
    engine = engine_of(name, network)
    allowed = CASES[name].fp32
    for seed in range(3):
        feeds = network.feeds(seed)
        got, wanted = engine.infer(feeds), network.reference(feeds)
        for key in wanted:
            np.testing.assert_allclose(got[key], wanted[key], rtol=allowed, atol=allowed, err_msg=key)
    engine.close()


def compare_int8(name, network):
    """A tie rounded the other way moves one value by one step; weights are below 1, so what follows moves less."""
    engine = engine_of(name, network, "int8")
    allowed = CASES[name].steps * network.step
    for seed in range(3):
        feeds = network.feeds(seed)
        got, wanted = engine.infer(feeds), network.reference(feeds)
        for key in wanted:
            np.testing.assert_allclose(got[key], wanted[key], rtol=0, atol=1.001 * allowed, err_msg=key)
            assert np.abs(got[key] - wanted[key]).mean() < allowed / 5
    engine.close()


@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize("name", REAL)
def test_fp32_agrees_with_the_reference(name, shape):
    compare_float(name, frames(name, *shape))


@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize("name", ROUNDED)
def test_int8_agrees_with_the_reference_to_a_rounding_step(name, shape):
    compare_int8(name, frames(name, *shape, "int8"))


@pytest.mark.parametrize("name", MANY)
def test_a_batch_of_four_agrees_with_the_reference(name):
    compare_float(name, frames(name, 7, 5, "fp32", BATCH))
    if name in ROUNDED:
        compare_int8(name, frames(name, 7, 5, "int8", BATCH))


@pytest.mark.parametrize(("name", "precision"), ONE)
def test_an_engine_of_one_frame_refuses_a_batch_of_four_in_one_line(name, precision):
    with pytest.raises(EngineError, match=CASES[name].one_batch) as caught:
        engine_of(name, frames(name, 7, 5, precision, BATCH), precision)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ROUNDED)
def test_int8_is_not_float_under_another_name(name):
    """Of a network in INT8 the result is what its rounding makes of it, not what the float network gives."""
    whole, rounded = frames(name, 33, 17), frames(name, 33, 17, "int8")
    engine = engine_of(name, rounded, "int8")
    feeds = rounded.feeds(0)
    got, exact, wanted = engine.infer(feeds), whole.reference(feeds), rounded.reference(feeds)
    near, far = (np.abs(got["where"] - other["where"]).mean() for other in (wanted, exact))
    assert near < far / 3
    engine.close()


@pytest.mark.parametrize(("name", "precision"), PRESENT_AND_PRECISION)
def test_outputs_are_named_shaped_and_typed_as_the_manifest_says(name, precision):
    network = frames(name, 7, 5, precision)
    engine = engine_of(name, network, precision)
    assert (engine.inputs, engine.outputs) == (network.inputs, network.outputs)
    out = engine.infer(network.feeds(0))
    assert list(out) == [spec.name for spec in network.outputs]
    for spec in network.outputs:
        spec.check(out[spec.name])
    engine.close()
