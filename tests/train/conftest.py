"""A tiny recipe on a tiny synthetic data set, made once."""

import pytest
import torch

from edgecnn.core.recipe import (
    DataSection,
    ModelSection,
    Recipe,
    RoadSource,
    Source,
    TrainSection,
)
from edgecnn.core.stage import Job
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.stage import DataStage


@pytest.fixture(scope="session")
def tiny_recipe():
    return Recipe(
        name="tiny",
        task="lanes",
        seed=3,
        data=DataSection(
            train=Source(road=RoadSource(frames=40, seed=1, width=320, height=180)),
            val=Source(road=RoadSource(frames=8, seed=2, width=320, height=180)),
        ),
        model=ModelSection(
            name="lane_rows",
            frame=FrameSpec(128, 64),
            params={"width": 0.125, "hidden": 16, "depths": [1, 1, 1, 1], "dropout": 0.1},
            decode={"cells": 20, "rows": 12, "lanes": 4, "min_valid": 0.1},
        ),
        train=TrainSection(epochs=3, batch_size=8, monitor_frames=8, workers=0, threads=1),
        targets=("openvino", "onnxruntime"),
    )


@pytest.fixture(scope="session")
def tiny_data(tiny_recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("data")
    stage = DataStage()
    stage.run(Job(tiny_recipe, {}, out, out))
    stage.ensures(out)
    return out


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)
