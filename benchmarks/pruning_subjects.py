"""The networks of the pruning benchmark: recipes trained here, or given as checkpoints, and what is asked of each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress_model.recipe_subject import recipe_subject
from edgecnn.compress_model.subject import Subject
from edgecnn.core.recipe import Recipe, load_recipe
from edgecnn.core.results import Result
from edgecnn.core.stage import Job
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import read_split
from edgecnn.pipeline import run
from edgecnn.runtime.preprocess import prepare

HERE = Path(__file__).parent
_LOCAL = ("local.0.where", "local.0.whether", "local.1.where", "local.1.whether")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with one network.

    Attributes:
        recipe: how it is trained.
        compress: the steps of edgecnn, as a recipe's `compress`; `{rounds}` and `{epochs}` are filled in.
        outputs: layers whose channels are the network's outputs, which the peer must be told.
        goal: what is asked of it: least speedup and parameters gone in percent, most points lost.
        rounds: cuts on the way, an epoch of recovery after each.
        epochs: of recovery at the end.
    """

    recipe: Path
    compress: str
    outputs: tuple[str, ...]
    goal: tuple[float, float, float]
    rounds: int
    epochs: int


PLANS = {
    "quickstart lanes": Plan(
        HERE.parent / "recipes" / "lane-quickstart.yaml",
        "[{{prune: {{speedup: 1.85, steps: {rounds}, unhelpful: try}}}}, "
        "{{finetune: {{epochs: {epochs}, learning_rate: 2.0e-3}}}}]",
        ("loc", "exist", *_LOCAL),
        (1.8, 0.0, 0.7),
        rounds=3,
        epochs=16,
    ),
    "UFLD, ResNet-18": Plan(
        HERE / "pruning_recipes" / "ufld.yaml",
        "[{{low_rank: {{energy: 0.99}}}}, {{prune: {{speedup: 2.5, steps: {rounds}, unhelpful: try}}}}, "
        "{{finetune: {{epochs: {epochs}}}}}]",
        ("loc", "exist"),
        (2.0, 70.0, 0.5),
        rounds=2,
        epochs=4,
    ),
    "mobile lanes": Plan(
        HERE / "pruning_recipes" / "mobile.yaml",
        "[{{prune: {{speedup: 1.5, steps: {rounds}, unhelpful: try}}}}, "
        "{{finetune: {{epochs: {epochs}, learning_rate: 2.0e-3}}}}]",
        ("loc", "exist", *_LOCAL),
        (1.4, 0.0, 0.7),
        rounds=2,
        epochs=4,
    ),
    "quickstart pedestrians": Plan(
        HERE.parent / "recipes" / "pedestrian-quickstart.yaml",
        "[{{prune: {{speedup: 1.5, steps: {rounds}, unhelpful: try}}}}, {{finetune: {{epochs: {epochs}}}}}]",
        ("centres.heat", "centres.size", "centres.offset"),
        (1.4, 0.0, 1.0),
        rounds=2,
        epochs=4,
    ),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network with its plan.

    Attributes:
        name: in the tables.
        plan: what is done with it.
        recipe: with the compression's steps.
        job: of the recipe, with its data.
        subject: the network, its training data and its recovery.
        frames: held-out frames, uint8 [N, 1, H, W, 3], that no contender sees.
        truths: what is on them.
        calibration: training frames for INT8, uint8 [M, 1, H, W, 3].
    """

    name: str
    plan: Plan
    recipe: Recipe
    job: Job
    subject: Subject
    frames: NDArray[np.uint8]
    truths: list[Result]
    calibration: NDArray[np.uint8]


def trained(
    name: str, work: Path, base: Path | None, *, rounds: int, epochs: int, overrides: dict[str, str]
) -> Trained:
    """Return the network called `name` with the weights in `base`, or trained here below `work`."""
    plan = PLANS[name]
    steps = plan.compress.format(rounds=rounds, epochs=epochs)
    recipe = load_recipe(plan.recipe, {**overrides, "compress": steps})
    folder = work / name.replace(" ", "-").replace(",", "")
    done = run(recipe, folder, until="train" if base is None else "data").stages
    (folder / "prepared").mkdir(exist_ok=True)
    job = Job(recipe, {"data": done["data"]}, folder, folder / "prepared")
    subject = recipe_subject(job, done["train"] / "model.safetensors" if base is None else base)
    held, shown = (list(read_split(done["data"], split, recipe)) for split in ("val", "train"))
    spread = np.linspace(0, len(shown) - 1, min(recipe.data.calibration_frames, len(shown))).astype(int)
    return Trained(
        name,
        plan,
        recipe,
        job,
        subject,
        _pictures(held, recipe),
        [sample.truth for sample in held],
        _pictures([shown[place] for place in spread], recipe),
    )


def _pictures(samples: list[Sample], recipe: Recipe) -> NDArray[np.uint8]:
    return np.stack([prepare(read_image(sample.image), recipe.model.frame)[None] for sample in samples])
