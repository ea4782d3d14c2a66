"""Every task goes the way of lanes, through the same stages: trained, distilled, quantized, trained again, verified."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn import pipeline
from edgecnn.core.recipe import load_recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.results import Detections, Scene
from edgecnn.data.sample import read_image
from edgecnn.data.split import read_split
from edgecnn.runtime import load


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize(
    ("name", "kind"), [pytest.param("pedestrians", Detections, marks=pytest.mark.slow), ("drive", Scene)]
)
def test_the_way_from_drawn_scenes_to_artefacts_that_passed(name, kind, workdir):
    recipe = load_recipe(Path(__file__).with_name(f"{name}.yaml"))
    done = pipeline.run(recipe, workdir, until="verify")
    assert done.verify is not None
    assert done.verify.passed
    assert len(done.verify.verdicts) == 4
    assert all(TASKS[recipe.task].figure in verdict.figures for verdict in done.verify.verdicts)
    sample = next(read_split(done.stages["data"], "val", recipe))
    assert isinstance(sample.truth, kind)
    frame = read_image(sample.image)
    draw = resolve("drawing", TASKS[recipe.task].drawing)
    for artefact in ("openvino-int8", "onnxruntime-int8"):
        with load(done.stages["compile"] / "bundle", artefact=artefact, threads=1) as model:
            found = model(frame)
            assert isinstance(found, kind)
            assert found.to_json() == model(frame).to_json()
            assert (found.width, found.height) == (320, 180)
            objects = found.objects if isinstance(found, Scene) else found
            assert objects.names == ("pedestrian",)
            assert np.isfinite(objects.boxes).all()
            assert draw(frame, found).shape == frame.shape
