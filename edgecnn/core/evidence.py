"""What the stages leave for one another in JSON: the proof that ends up in the bundle's tables and in the report."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from edgecnn.core import atomic
from edgecnn.core.bundle import Parity
from edgecnn.core.errors import StageError
from edgecnn.core.measure import Measurement

T = TypeVar("T")


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a data set. `root` is absolute, or relative to the folder of the `data.json` that holds it.

    `digests` are the label files': labels that change on disk make all later stages anew.
    """

    format: str
    root: str
    labels: tuple[str, ...]
    frames: int
    digests: dict[str, str] = {}


class DataResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`data.json` of the data stage."""

    train: Split
    val: Split


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One point of the learning curve. `figure` is the task's figure of the averaged weights on held-out frames."""

    epoch: int
    loss: float
    learning_rate: float
    figure: float | None
    seconds: float


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights that a training went on from: the file's digest, the tensors taken of it and those left fresh."""

    weights: str
    sha256: str
    taken: int
    fresh: tuple[str, ...] = ()


class TrainResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`train.json` of the train stage; the weights stand beside it in `model.safetensors`."""

    model: str
    parameters: int
    device: str
    figure: str
    best_epoch: int
    curve: tuple[Epoch, ...]
    versions: dict[str, str]
    start: Start | None = None


class ExportResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`export.json` of the export stage. `models` maps an opset to the ONNX file beside it, next to `golden.npz`."""

    models: dict[str, str]
    golden_frames: int
    versions: dict[str, str]


class QuantizedTensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One activation in INT8: values it can hold, scale and zero point, values seen, how the range was chosen."""

    low: float
    high: float
    scale: float
    zero_point: int
    seen_min: float
    seen_max: float
    method: str = ""


class TensorDrift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rounded activation over the frames of the drift report.

    Attributes:
        low, high: the least and greatest value its 8 bits can hold.
        step: distance of two neighbouring values.
        seen_min, seen_max: least and greatest value of the float network.
        clipped: share of values outside `low`..`high`, 0 to 1.
        snr_db: of rounding and clipping alone, in dB.
        channels: length of axis 1.
        outliers: channels whose greatest magnitude is many times the median channel's, with that ratio, worst first.
        median_levels: how many of the 256 levels the channel of median span uses.
    """

    low: float
    high: float
    step: float
    seen_min: float
    seen_max: float
    clipped: float
    snr_db: float
    channels: int = 1
    outliers: dict[str, float] = {}
    median_levels: float = 256.0


class WeightDrift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One layer's rounded weights: their SNR in dB, the widest channel's magnitude over the narrowest's, the worst."""

    snr_db: float
    channels: int
    spread: float
    worst_channel: int
    worst_db: float


class LayerDrift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One layer's part in the error of a quantized network, in the order of execution.

    Attributes:
        name, op: the node's name and ONNX operator.
        precision: `int8`, `float`, or `moved` for nodes that only pass values on.
        snr_db: of its result in the quantized network, with the errors of all layers before it. None: not comparable.
        born_db: of its result where only what it reads itself is rounded. None: it rounds nothing.
        share: its part of the error that reaches the outputs, 0 to 1.
        reads: the rounded tensors it reads.
        weights: how well its weights were rounded; None where they are float.
        reason: why it was left in float.
        macs: multiply-adds of one frame, 0 where unknown or none.
        time_ms: what it takes, where somebody told.
    """

    name: str
    op: str
    precision: Literal["int8", "float", "moved"]
    snr_db: float | None = None
    born_db: float | None = None
    share: float = 0.0
    reads: tuple[str, ...] = ()
    weights: WeightDrift | None = None
    reason: str = ""
    macs: int = 0
    time_ms: float | None = None


class Drift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the error of a quantized network is born, against the float network over `frames` frames.

    Attributes:
        layers: every node, in the order of execution.
        tensors: every rounded activation by name.
        outputs_db: SNR of each float output in dB.
        shares: how `share` of the layers was come by: `measured` with each layer's error put into the float network
            by itself, or `predicted` as the errors at birth, each counted as if it went through to the output as is.
        parts_db: SNR at the outputs if the layers' errors simply added up, against the mean of `outputs_db`. None
            where they were not measured.
        unmatched: nodes of the float network that the quantized one has in no comparable form.
    """

    frames: int
    layers: tuple[LayerDrift, ...]
    tensors: dict[str, TensorDrift]
    outputs_db: dict[str, float]
    shares: Literal["measured", "predicted"]
    parts_db: float | None = None
    unmatched: tuple[str, ...] = ()


class UnitDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a search decided for one node.

    Attributes:
        precision: what it runs in.
        saving: what INT8 saves in it, as a share of the float network's time; negative where INT8 is slower.
        noise: what its INT8 form alone adds to the outputs, noise over signal power.
        reason: why, in words.
        how: where `saving` comes from.
    """

    precision: Literal["int8", "float"]
    saving: float
    noise: float
    reason: str
    how: Literal["measured", "predicted"] = "measured"


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One assignment a search tried: units in INT8 of how many, the judge's figure, time predicted (1: all float)."""

    int8: int
    units: int
    score: float
    predicted_time: float | None = None


class QuantizedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One INT8 model: how it was made, which nodes run in INT8, and why each other one was left in float."""

    target: str
    file: str
    scheme: str
    ranges: str
    frames: int
    quantized: tuple[str, ...]
    left_in_float: dict[str, str]
    tensors: dict[str, QuantizedTensor]
    drift: Drift | None = None
    decisions: dict[str, UnitDecision] = {}
    trials: tuple[Trial, ...] = ()
    notes: tuple[str, ...] = ()


class QuantizeResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`quantize.json` of the quantize stage; `models` is empty when the recipe asks for no INT8."""

    models: tuple[QuantizedModel, ...] = ()
    versions: dict[str, str] = {}


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One artefact judged. `drop` is reference minus artefact in points (paired by frame), None for the reference.

    `total_drop` is the same against the network as it was before the recipe's steps of compression; None without any.
    """

    artefact: str
    parity: Parity
    figures: dict[str, Measurement]
    by_tag: dict[str, Measurement] = {}
    drop: Measurement | None = None
    total_drop: Measurement | None = None


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that had to hold. `text` is the whole sentence, with the artefact, the bound and by how much."""

    artefact: str
    rule: str
    limit: float
    value: float
    passed: bool
    text: str


class GalleryFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame for the eye: an image beside `verify.json`, its truth and each artefact's result (`to_json` forms)."""

    image: str
    tags: tuple[str, ...]
    why: str
    figures: dict[str, float]
    truth: dict[str, Any]
    results: dict[str, dict[str, Any]]


class VerifyResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`verify.json` of the verify stage. `reference` names the FP32 artefact that drops are counted from.

    `uncompressed` are the figures of the network before the recipe's steps of compression; empty without any.
    """

    reference: str
    metric: str
    figure: str
    frames: int
    verdicts: tuple[Verdict, ...]
    gates: tuple[Gate, ...]
    gallery: tuple[GalleryFrame, ...] = ()
    uncompressed: dict[str, Measurement] = {}

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(gate.passed for gate in self.gates)


class BenchRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One artefact under one scenario.

    `figures` maps a name with its unit (`p50_ms`, `engine_p50_ms`, `cold_load_ms`, ...) to a measurement. A percentile
    refused for too few samples is absent and named in `notes`. `samples` is the prefix of this run's arrays in
    `samples.npz`; `steady_from` the first sample after the detected warm-up, None when no steady state was reached.
    """

    artefact: str
    engine: str
    precision: str
    scenario: str
    figures: dict[str, Measurement]
    samples: str
    steady_from: int | None
    engine_facts: dict[str, Any] = {}
    notes: tuple[str, ...] = ()


class BenchResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`bench.json`: runs taken interleaved on one machine. Files of one interleaved run share `session`."""

    session: str
    environment: dict[str, Any]
    runs: tuple[BenchRun, ...]
    harness: dict[str, Measurement] = {}
    ratios: dict[str, Measurement] = {}


def write(path: Path, value: msgspec.Struct) -> None:
    """Write a struct as indented JSON, atomically."""
    atomic.write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=1))


def read(path: Path, kind: type[T]) -> T:
    """Read a JSON file as a `kind`, or raise `StageError` that names the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise StageError(f"{path}: {error}") from error
