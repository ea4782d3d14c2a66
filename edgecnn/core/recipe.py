"""Recipe: the typed YAML that says what is to be built. It is read here and nowhere else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edgecnn.core import registry, typed_yaml
from edgecnn.core.errors import RecipeError
from edgecnn.core.tensor import FrameSpec

# A recipe's name becomes a folder's name.
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
CountOrNone = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
# The upper bounds keep out infinity, which YAML can spell.
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Strength = Annotated[float, msgspec.Meta(ge=0, le=2)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class RoadSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Synthetic road scenes: `frames` of them, deterministic from `seed`; empty `conditions` means all of them."""

    frames: Count
    seed: Seed
    width: Count = 640
    height: Count = 360
    conditions: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Samples with labels: either `road` (made here) or `root` (a data set on disk) with its `labels` files."""

    format: str = "tusimple"
    root: str = ""
    labels: tuple[str, ...] = ()
    road: RoadSource | None = None

    def __post_init__(self) -> None:
        if bool(self.root) == (self.road is not None):
            raise ValueError("give either `root` (a data set on disk) or `road` (synthetic scenes)")


class DataSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained on, what is judged on, and how many training frames calibrate INT8 ranges."""

    train: Source
    val: Source
    calibration_frames: Count = 300


class ModelSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which network: its `name` in the registry, its frame, `params` for the model and `decode` for the codec."""

    name: str
    frame: FrameSpec
    params: dict[str, Any] = {}
    decode: dict[str, Any] = {}


class TrainSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long and how the network is trained. `learning_rate` is the peak, for the batch size given.

    `augment` is how strongly frames are turned, zoomed, shifted and recoloured (0: only mirrored, null: not at all).

    The last `monitor_frames` of the training set are kept out of training; the task's figure on them chooses the best
    epoch and, when `patience` evaluations bring no better one (0: never), stops early. The validation set stays
    unseen.
    """

    epochs: Count
    batch_size: Count = 32
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 1e-4
    warmup_epochs: NotNegative = 1.0
    ema_decay: Fraction = 0.998
    grad_clip: Positive = 5.0
    mixed_precision: bool = True
    augment: Strength | None = 1.0
    workers: CountOrNone = 2
    threads: Count = 2
    monitor_every: Count = 1
    monitor_frames: Count = 200
    patience: CountOrNone = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"


class QuantizeSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """INT8 by each target's scheme. `keep_float` holds name patterns of nodes that stay in float.

    `precision: int8` quantizes all that the scheme takes. `mixed` searches for the fastest mix of INT8 and float whose
    figure, on `judge_frames` training frames that calibrate nothing, is at most `max_drop` points below FP32's; the
    search of a target takes about `minutes`.
    """

    precision: Literal["int8", "mixed"] = "int8"
    ranges: Literal["auto", "minmax", "percentile", "mse", "entropy"] = "auto"
    keep_float: tuple[str, ...] = ()
    max_drop: NotNegative = 0.3
    judge_frames: Count = 200
    minutes: Positive = 8.0


class VerifySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What has to hold: `max_drop` is the most an artefact may lose against FP32, in points (0.01 of the figure).

    The tolerances bound ||out - golden|| / ||golden|| of every output.
    """

    max_drop: NotNegative = 1.0
    min_figure: NotNegative = 0.0
    tolerance_fp32: Positive = 1e-3
    tolerance_int8: Positive = 0.35


class BenchSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How latency is taken: seconds a scenario and artefact, camera rate in frames a second, engine threads."""

    seconds: Positive = 10.0
    camera_fps: Positive = 30.0
    threads: Count = 2


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From data to bundle."""

    name: Name
    task: str
    seed: Seed = 0
    data: DataSection
    model: ModelSection
    train: TrainSection
    targets: tuple[str, ...]
    quantize: QuantizeSection | None = None
    verify: VerifySection = VerifySection()
    bench: BenchSection = BenchSection()
    note: str = ""


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe file, apply `overrides` (dotted key to YAML text) and check every name in it.

    Raises:
        RecipeError: one line that names the file, line, key and the nearest valid name.
    """
    recipe = typed_yaml.load(path, Recipe, overrides or {})
    for key, kind, table, names in (
        ("task", "task", {name: row for name, row in registry.TASKS.items() if row.model}, (recipe.task,)),
        ("targets", "target", registry.TARGETS, recipe.targets),
        ("model.name", "model", registry.known("model"), (recipe.model.name,)),
        ("data.train.format", "format", registry.known("format"), (recipe.data.train.format,)),
        ("data.val.format", "format", registry.known("format"), (recipe.data.val.format,)),
    ):
        for name in names:
            if name not in table:
                where = f"--set {key}" if key in (overrides or {}) else _place(path, key)
                raise RecipeError(f"{where}: unknown {kind} '{name}'{registry.nearest(name, table)}")
    if not recipe.targets:
        raise RecipeError(f"{path}: targets: name at least one of {', '.join(registry.TARGETS)}")
    return recipe


def _place(path: Path, key: str) -> str:
    return f"{path}:{typed_yaml.line_of(path, tuple(key.split('.')))}: {key}"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe."""
    return msgspec.json.schema(Recipe)
