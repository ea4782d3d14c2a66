"""The steps of a recipe's `compress` list: what each may be told, and which orders of them make sense."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from edgecnn.core.bounds import Count, CountOrNone, Factor, Fraction, NotNegative, Positive, Share

_TRAINING = frozenset({"low_rank", "prune", "sparsify"})
"""Steps that change the torch module, so that there is something to recover."""


class Distill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How strongly the uncompressed network teaches: weights of its `outputs`, of its `features`, and of the labels.

    Where data has no labels, `labels` is moot. Logits are compared at `temperature`: above 1 what the teacher thinks of
    the unlikely classes counts for more; with thousands of classes 1 is enough.
    """

    outputs: NotNegative = 1.0
    features: NotNegative = 0.5
    labels: NotNegative = 1.0
    temperature: Positive = 2.0

    def __post_init__(self) -> None:
        if not self.outputs + self.features + self.labels > 0:
            raise ValueError("one of outputs, features and labels must be above 0, or there is nothing to learn from")


class FinetuneStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Training that recovers what the steps before it lost. What is not said here is as in the recipe's `train`.

    `learning_rate` is the peak of a schedule of its own. The best epoch is kept; where none beats the start, the start.
    `distill: null` learns from the labels alone.
    """

    epochs: Count = 6
    learning_rate: Positive = 1e-3
    warmup_epochs: NotNegative = 0.25
    monitor_every: Count = 1
    patience: CountOrNone = 0
    distill: Distill | None = Distill()


class LowRankStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Large layers become two of low rank each, where `energy` of what they give can be kept and it saves time.

    `ranks` says which layers instead, and of which rank. Ranks are chosen on `batches` training batches, times taken
    in `target`'s engine (the recipe's first target if empty). `keep` are name patterns of layers left whole.
    """

    energy: Share = 0.99
    ranks: dict[str, Count] = {}
    target: str = ""
    batches: Count = 8
    keep: tuple[str, ...] = ()
    recover: FinetuneStep | None = None


class PruneStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Channels go until the network is `speedup` times as fast, or takes `latency_ms`, in `target`'s engine.

    With `max_drop` alone pruning goes on, a `stride` of speedup at a time, until the figure would be more than that
    many points (hundredths) below the uncompressed network's; with a goal as well, it stops at whichever comes first.
    `steps` are the rounds of pruning and recovery on the way to a goal; `shares` says how much of the way (of the
    logarithm of the speedup) lies behind after each, evenly if empty. `target` is the recipe's first if empty.

    `precision` is what networks are timed in, cut and uncompressed alike: `int8` where that is what will run, since
    INT8 gains from other widths than FP32. They are quantized for it, quickly; accuracy is always that in FP32.

    `criterion` judges channels on `batches` training batches. `floor` is the share of each group's channels that is
    left in any case, `keep` are name patterns of layers that are not pruned.

    `times` are those of a device that is not here: a JSON file of layer times measured there, or `device/engine` or
    `device/engine/mode` for its roofline. Then nothing is timed: speedups are predictions, and so labelled.

    `unhelpful` says what to do where measurement shows, before any training, that pruning can't reach the goal: `stop`
    the run, `skip` the step, or `try` all the same.
    """

    speedup: Factor | None = None
    latency_ms: Positive | None = None
    max_drop: NotNegative | None = None
    criterion: str = "taylor"
    target: str = ""
    precision: Literal["fp32", "int8"] = "fp32"
    times: str = ""
    steps: Count = 3
    shares: tuple[Share, ...] = ()
    stride: Factor = 1.25
    batches: Count = 16
    floor: Fraction = 0.1
    keep: tuple[str, ...] = ()
    unhelpful: Literal["stop", "skip", "try"] = "stop"
    recover: FinetuneStep | None = FinetuneStep(epochs=1)

    def __post_init__(self) -> None:
        if self.speedup is not None and self.latency_ms is not None:
            raise ValueError("give speedup or latency_ms, not both")
        if self.speedup is None and self.latency_ms is None and self.max_drop is None:
            raise ValueError("say how far to prune: speedup, latency_ms or max_drop")
        if self.times and self.precision != "fp32":
            raise ValueError("times say their own precision; leave one of times and precision out")
        if self.shares and (list(self.shares) != sorted(set(self.shares)) or self.shares[-1] != 1):
            raise ValueError("shares rise to 1, for instance [0.5, 0.8, 1.0]")


class SparsifyStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two of every four weights along the input channels become zero, as TensorRT's sparse kernels want them.

    Later training keeps them zero. `keep` are name patterns of layers left dense.
    """

    keep: tuple[str, ...] = ()
    recover: FinetuneStep | None = FinetuneStep(epochs=2)


class QatStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Quantization that trains: weights and ranges of the quantized network learn, by each target's own scheme.

    Features can't be compared inside a quantized graph: of `distill`, outputs and labels count.
    """

    epochs: Count = 2
    learning_rate: Positive = 3e-5
    distill: Distill | None = Distill(features=0.0)

    def __post_init__(self) -> None:
        if self.distill is not None and not self.distill.outputs + self.distill.labels > 0:
            raise ValueError("qat learns from outputs or labels; set one of them above 0")


def misplaced(names: Sequence[str], *, quantize_section: bool = False) -> tuple[int, str] | None:
    """Return the place of the first step that makes no sense where it stands, and why; None where all do.

    `names` are the steps in their order, `quantize_section` says whether the recipe has that section too.
    """
    for place, name in enumerate(names):
        why = _objection(name, names[:place], names[place + 1 :])
        if name == "quantize" and quantize_section:
            why = "the recipe has a section `quantize` too; keep one of them"
        if why:
            return place, f"{name} makes no sense here: {why}"
    return None


def _objection(name: str, before: Sequence[str], after: Sequence[str]) -> str:
    """Return why the step `name` can't stand between `before` and `after`; empty if it can."""
    if name == "quantize":
        return f"it has to come last, and {after[0]} comes after it" if after else ""
    if "qat" in before:
        return (
            "quantization is trained once; give the one qat more epochs"
            if name == "qat"
            else "qat trains the finished network's INT8 form, which this would change again; put it before qat"
        )
    if name == "finetune":
        if not _TRAINING & set(before):
            return f"there is nothing to recover from before it; put it after {_listed(sorted(_TRAINING))}"
        return "" if before[-1] != "finetune" else "it follows another finetune; give that one more epochs"
    if "sparsify" in before and name in _TRAINING:
        return (
            "the weights are 2:4 sparse already"
            if name == "sparsify"
            else "it would break the 2:4 pattern that sparsify makes; put it before sparsify"
        )
    return ""


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
