"""What the compress stage leaves in JSON: accuracy and latency after each step, and what each step did."""

from typing import Any

import msgspec

from edgecnn.core.evidence import Epoch
from edgecnn.core.measure import Measurement

COMPRESSION, UNCOMPRESSED_FILE = "compress.json", "uncompressed.onnx"
"""What the compress stage leaves beside weights and structure; the network as it was only if there were steps."""


class NetworkFigures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A torch network measured somewhere on the way of its compression.

    Attributes:
        figure: the judge's figure on frames that nothing is learnt from.
        drop: points (hundredths) that the figure is worse than the uncompressed network's, paired by frame; None for
            that network itself.
        parameters: weights and biases.
        macs: multiply-adds of one frame in convolution and linear layers.
        latency: ms of one inference by target, timed in turn with the uncompressed network.
        speedup: how many times as fast as the uncompressed network, by target, from the same rounds.
    """

    figure: Measurement
    parameters: int
    macs: int
    drop: Measurement | None = None
    latency: dict[str, Measurement] = {}
    speedup: dict[str, Measurement] = {}


class PruneRound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One round of pruning and recovery.

    Attributes:
        goal: the speedup against the uncompressed network that channels were cut for.
        predicted: the speedup that was predicted for the widths chosen.
        speedup: the speedup that was then measured.
        cut: the figure before recovery.
        figure: the figure after it.
        parameters: what is left.
        kept: whether the round stands; one that breaks the floor on accuracy is undone.
    """

    goal: float
    predicted: Measurement
    speedup: Measurement
    cut: Measurement
    figure: Measurement
    parameters: int
    kept: bool = True


class CompressedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One finished step of the compress stage.

    Attributes:
        name: the step's, as in the recipe.
        settings: what it was told.
        result: the network after it.
        verdict: what measurement said beforehand of whether the step can help.
        widths: channels before and after, by group of layers.
        refused: layers that could not be treated, with the reason.
        rounds: the rounds of pruning.
        curve: the learning curve of its last recovery.
        notes: what a reader must know.
        seconds: how long it took.
    """

    name: str
    settings: dict[str, Any]
    result: NetworkFigures
    verdict: str = ""
    widths: dict[str, tuple[int, int]] = {}
    refused: dict[str, str] = {}
    rounds: tuple[PruneRound, ...] = ()
    curve: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class CompressResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`compress.json` of the compress stage; weights and structure stand beside it. No `original`: nothing was asked.

    `figure` names what was judged, on `frames` frames; `notes` are what a reader must know of that.
    """

    figure: str = ""
    frames: int = 0
    original: NetworkFigures | None = None
    steps: tuple[CompressedStep, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = {}
