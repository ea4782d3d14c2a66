"""Recipe: the typed YAML that says what is to be built. It is read here and nowhere else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from edgecnn.core import gate_rule, registry, shared, typed_yaml
from edgecnn.core.bounds import Count, CountOrNone, Fraction, NotNegative, Positive, Seed, Strength
from edgecnn.core.compression import FinetuneStep, LowRankStep, PruneStep, QatStep, SparsifyStep, misplaced
from edgecnn.core.errors import InputError, RecipeError
from edgecnn.core.recipe_targets import targets_of
from edgecnn.core.tensor import FrameSpec

# A recipe's name becomes a folder's name.
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]


class RoadSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Synthetic road scenes: `frames` of them, deterministic from `seed`; empty `conditions` means all of them.

    With `people` most are streets with people in them, labelled with lanes and objects, in the format `scenes`.
    """

    frames: Count
    seed: Seed
    width: Count = 640
    height: Count = 360
    conditions: tuple[str, ...] = ()
    people: bool = False


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


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of the network's frame that one step learns from; `near` is the share that is laid around an object."""

    width: Count
    height: Count
    near: Fraction = 0.8


class TrainSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long and how the network is trained. `learning_rate` is the peak, for the batch size given.

    With a `window`, training (not what recovers or quantizes afterwards) sees windows of the frames, around objects.
    `optimizer: muon` turns whole kernels and learns more from few steps than `adamw`, at the same learning rates.

    `start` names the weights to learn on from: a `.safetensors` file that a training left, of this network or of one
    that shares layers with it, or weights that ship with edgecnn. Layers it lacks start fresh, as all do without it.

    `augment` is how strongly frames are turned, zoomed, shifted and recoloured (0: only mirrored, null: not at all).
    Of augmented frames the share `texture` get rough surfaces, small shapes and other sharpness, which drawn ones lack.

    The last `monitor_frames` of the training set are kept out of training; the task's figure on them chooses the best
    epoch and, when `patience` evaluations bring no better one (0: never), stops early. The validation set stays
    unseen.
    """

    epochs: Count
    batch_size: Count = 32
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 1e-4
    start: str | None = None
    warmup_epochs: NotNegative = 1.0
    ema_decay: Fraction = 0.998
    grad_clip: Positive = 5.0
    mixed_precision: bool = True
    augment: Strength | None = 1.0
    texture: Fraction = 0.0
    window: Window | None = None
    workers: CountOrNone = 2
    threads: Count = 2
    monitor_every: Count = 1
    monitor_frames: Count = 200
    patience: CountOrNone = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if self.texture and self.augment is None:
            raise ValueError("`texture` comes with augmentation: give `augment` (0 only mirrors), or leave it out")


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


class CompressStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of the `compress` list: a mapping of one key, which is the step's name.

    `qat` says that quantization trains; `quantize`, last, is the section of that name.
    """

    low_rank: LowRankStep | UnsetType = UNSET
    prune: PruneStep | UnsetType = UNSET
    finetune: FinetuneStep | UnsetType = UNSET
    sparsify: SparsifyStep | UnsetType = UNSET
    qat: QatStep | UnsetType = UNSET
    quantize: QuantizeSection | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        if len(given) != 1:
            found = f"not {len(given)} ({', '.join(given)})" if given else "not none"
            raise ValueError(f"a step is one key of {', '.join(self.__struct_fields__)}, {found}")

    @property
    def name(self) -> str:
        """Return the step's name."""
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not UNSET)

    @property
    def settings(self) -> Any:
        """Return what the step was told."""
        return getattr(self, self.name)


OneStep = Annotated[CompressStep, msgspec.Meta(extra_json_schema={"minProperties": 1, "maxProperties": 1})]


class VerifySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What has to hold: `max_drop` is the most an artefact may lose in points (0.01 of the figure), all in all.

    It is counted from the trained network in FP32, before any step of compression. The tolerances bound
    ||out - golden|| / ||golden|| of every output. `gates` bound figures of every artefact, also on slices of the
    validation frames and their objects: `recall[height<80, night] >= 0.6`.
    """

    max_drop: NotNegative = 1.0
    min_figure: NotNegative = 0.0
    tolerance_fp32: Positive = 1e-3
    tolerance_int8: Positive = 0.35
    gates: tuple[str, ...] = ()


class BenchSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How latency is taken: seconds a scenario and artefact, camera rate in frames a second, engine threads."""

    seconds: Positive = 10.0
    camera_fps: Positive = 30.0
    threads: Count = 2


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From data to bundle. `compress` are the steps between training and export, in their order."""

    name: Name
    task: str
    seed: Seed = 0
    data: DataSection
    model: ModelSection
    train: TrainSection
    targets: tuple[str, ...]
    compress: tuple[OneStep, ...] = ()
    quantize: QuantizeSection | None = None
    verify: VerifySection = VerifySection()
    bench: BenchSection = BenchSection()
    note: str = ""


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe file, apply `overrides` (dotted key to YAML text) and check every name in it.

    Boards and schemes among the targets become the targets that they stand for.

    A last step `quantize` becomes the section of that name; where a step `qat` has neither, the section's defaults.

    Raises:
        RecipeError: one line that names the file, line, key and the nearest valid name.
    """
    recipe = typed_yaml.load(path, Recipe, overrides or {})
    for key, kind, table, names in _names(recipe):
        for name in names:
            if name not in table:
                raise RecipeError(
                    f"{_place(path, key, overrides)}: unknown {kind} '{name}'{registry.nearest(name, table)}"
                )
    if not recipe.targets:
        raise RecipeError(f"{path}: targets: name at least one of {', '.join(registry.TARGETS)}")
    with _told_of(path, "targets", overrides):
        recipe = replace(recipe, targets=targets_of(recipe.targets, quantized=_quantizes(recipe)))
    _check_gates(recipe, path, overrides)
    if recipe.train.start is not None:
        with _told_of(path, "train.start", overrides):
            shared.weights_path(recipe.train.start)
    steps = [step.name for step in recipe.compress]
    if found := misplaced(steps, quantize_section=recipe.quantize is not None):
        raise RecipeError(f"{_place(path, f'compress.{found[0]}', overrides)}: {found[1]}")
    return _with_section(recipe)


def _quantizes(recipe: Recipe) -> bool:
    return recipe.quantize is not None or any(step.name in {"qat", "quantize"} for step in recipe.compress)


def _check_gates(recipe: Recipe, path: Path, overrides: Mapping[str, str] | None) -> None:
    if not recipe.verify.gates:
        return
    metric = registry.TASKS[recipe.task].metric
    figures = {metric: registry.resolve("metric", metric).higher_is_better}
    for place, gate in enumerate(recipe.verify.gates):
        with _told_of(path, f"verify.gates.{place}", overrides):
            gate_rule.check(gate, figures)


@contextmanager
def _told_of(path: Path, key: str, overrides: Mapping[str, str] | None) -> Iterator[None]:
    """Say of what is found wrong in the block where the recipe's `key` stands."""
    try:
        yield
    except InputError as error:
        raise RecipeError(f"{_place(path, key, overrides)}: {error}") from error


def _names(recipe: Recipe) -> list[tuple[str, str, Mapping[str, Any], tuple[str, ...]]]:
    """Return every name in a recipe: its key, what it names, the table it has to be in."""
    found: list[tuple[str, str, Mapping[str, Any], tuple[str, ...]]] = [
        ("task", "task", {name: row for name, row in registry.TASKS.items() if row.model}, (recipe.task,)),
        ("model.name", "model", registry.known("model"), (recipe.model.name,)),
        ("data.train.format", "format", registry.known("format"), (recipe.data.train.format,)),
        ("data.val.format", "format", registry.known("format"), (recipe.data.val.format,)),
    ]
    for place, step in enumerate(recipe.compress):
        key = f"compress.{place}.{step.name}"
        if isinstance(step.settings, (PruneStep, LowRankStep)) and step.settings.target:
            found.append((f"{key}.target", "target", registry.TARGETS, (step.settings.target,)))
        if isinstance(step.settings, PruneStep):
            found.append((f"{key}.criterion", "criterion", registry.known("criterion"), (step.settings.criterion,)))
    return found


def _with_section(recipe: Recipe) -> Recipe:
    """Return the recipe with quantization asked for in its section alone."""
    steps, section = recipe.compress, recipe.quantize
    last = steps[-1].settings if steps else None
    if isinstance(last, QuantizeSection):
        steps, section = steps[:-1], last
    if section is None and any(step.name == "qat" for step in steps):
        section = QuantizeSection()
    return replace(recipe, compress=steps, quantize=section)


def _place(path: Path, key: str, overrides: Mapping[str, str] | None) -> str:
    given = [one for one in overrides or {} if key == one or key.startswith(f"{one}.")]
    if given:
        return f"--set {given[0]}"
    steps = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    return f"{path}:{typed_yaml.line_of(path, steps)}: {key}"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe."""
    return msgspec.json.schema(Recipe)
