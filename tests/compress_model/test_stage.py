"""The compress stage's key: what a result goes by, and so when it is made anew."""

import pytest
from msgspec.structs import replace

from edgecnn.compress_model.stage import CompressStage
from edgecnn.core import shared
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import InputError
from edgecnn.core.recipe import CompressStep, load_recipe


def key(times):
    recipe = load_recipe(shared.find("recipes", "lane-quickstart"), {})
    return CompressStage().parameters(
        replace(recipe, compress=(CompressStep(prune=PruneStep(speedup=2, times=times)),))
    )


def test_another_table_of_layer_times_is_another_result(tmp_path):
    file = tmp_path / "board.json"
    file.write_text("{}")
    first = key(str(file))
    assert key(str(file)) == first
    file.write_text("{ }")
    assert key(str(file)) != first
    assert key("jetson-orin-nx-16gb/tensorrt")["times"] == []
    with pytest.raises(InputError, match="no such file"):
        key(str(tmp_path / "none.json"))
