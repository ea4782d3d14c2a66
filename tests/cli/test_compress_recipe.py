from pathlib import Path

import pytest

from edgecnn.cli.compress import _asked
from edgecnn.core.recipe import load_recipe

TINY = Path(__file__).parents[1] / "tiny.yaml"
GIVEN = {"targets": (), "max_drop": 2.0, "finetune": 1, "minutes": 1.0}


@pytest.mark.parametrize(
    ("steps", "left"),
    [("[]", 1.0), ("[{prune: {speedup: 2.0}}]", 1.0), ("[{qat: {}}]", 2.0)],
    ids=["none", "its own", "qat alone"],
)
def test_what_may_be_lost_is_gated_as_a_whole(steps, left):
    """Pruning and quantization share it, whoever chose the steps; the gate is on both together."""
    recipe = _asked(load_recipe(TINY, {"compress": steps}), GIVEN)
    assert recipe.verify.max_drop == 2.0
    assert recipe.quantize.max_drop == left
