from pathlib import Path

import pytest

from edgecnn.cli import compress
from edgecnn.cli.compress import _asked
from edgecnn.core.compress_evidence import CompressedStep, CompressResult, NetworkFigures
from edgecnn.core.measure import Measurement
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


@pytest.mark.parametrize(
    ("drop", "floor"), [(None, 98.0), (0.5, 98.5), (-1.0, 98.0)], ids=["left alone", "lost", "won"]
)
def test_quantization_may_lose_what_a_module_has_left(monkeypatch, tmp_path, drop, floor):
    """A module that pruning left as it was has no drop at all."""
    lost = None if drop is None else Measurement(drop, "points", 32)
    figures = NetworkFigures(figure=Measurement(1.0, "", 32), parameters=1, macs=1, drop=lost)
    result = CompressResult(original=figures, steps=(CompressedStep(name="prune", settings={}, result=figures),))
    floors = []
    monkeypatch.setattr(compress, "compress_module", lambda *_: result)
    monkeypatch.setattr(compress, "_show", lambda _: None)
    monkeypatch.setattr(compress, "_quantize", lambda _model, _given, floor: floors.append(floor))
    given = {"overrides": (), "out": tmp_path / "b", "force": False, "max_drop": 2.0, "finetune": 0}
    compress._module("net:make", {**given, "targets": ("onnxruntime",)})
    assert floors == [floor]
