"""Stopwatch: networks timed in turn, engines closed again, nonsense refused."""

import pytest

from edgecnn.compress_model.stopwatch import Stopwatch
from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.layers import LayerShape
from edgecnn.export.layer_probe import layer_probe

SMALL = LayerShape(op="conv", in_channels=8, out_channels=8, in_size=(8, 8), out_size=(8, 8))
LARGE = LayerShape(op="conv", in_channels=64, out_channels=64, kernel=(3, 3), in_size=(32, 32), out_size=(32, 32))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_a_larger_network_takes_longer(target, precision):
    stopwatch = Stopwatch(target, 1, precision)
    models = [layer_probe(LARGE, 2, 20), layer_probe(SMALL, 1, 20)]
    large, small = stopwatch.milliseconds(models, 0.2)
    assert 0 < small.value < large.value
    assert large.low <= large.value <= large.high
    assert (large.unit, large.how, large.on) == ("ms", "measured", stopwatch.place.text())
    assert stopwatch.speedups(models, 0.2)[1].value > 1


def test_engines_are_closed_in_the_end():
    with Stopwatch("onnxruntime", 1).opened([layer_probe(SMALL, 1, 20)]) as engines:
        ((engine, feeds),) = engines
        engine.infer(feeds)
    with pytest.raises(EngineError, match="was closed"):
        engine.infer(feeds)


@pytest.mark.parametrize(("target", "precision"), [("abacus", "fp32"), ("openvino", "mixed")])
def test_nonsense_is_refused(target, precision):
    with pytest.raises(InputError):
        Stopwatch(target, 1, precision)
