"""Random networks of any opset: each is computed as ONNX Runtime does, in float and in INT8, or refused in a line."""

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from onnx_text import compiled, expected, opened, random_feeds
from random_graphs import build, recipes

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.ncnn import SCHEME
from edgecnn.core.errors import EngineError, InputError
from edgecnn.export.prepare import prepare

QUICK = Settings("minmax", threads=1, correct=False)


def worst(model, precision):
    """Return the largest relative error of an output."""
    feeds = random_feeds(model)
    engine = opened(model, compiled(model, precision))
    got, wanted = engine.infer(feeds), expected(model, feeds)
    engine.close()
    return max(np.linalg.norm(got[name] - wanted[name]) / max(np.linalg.norm(wanted[name]), 1e-6) for name in wanted)


@settings(
    max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(recipe=recipes(mutated=False, opsets=range(11, 21)))
def test_a_random_network_is_computed_or_refused(recipe):
    rounded, refused = None, ""
    try:
        model = prepare(build(recipe)).model
        assert worst(model, "fp32") < 1e-4
        rounded, _ = quantize(model, SCHEME, [random_feeds(model, seed) for seed in range(3)], QUICK)
    except (EngineError, InputError) as error:
        refused = str(error)
    assert "\n" not in refused
    # Numbers between two steps may go either way.
    assert rounded is None or worst(rounded, "int8") < 0.2
