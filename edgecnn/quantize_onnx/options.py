"""What the user of `edgecnn quantize MODEL.onnx` asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from edgecnn.compress.quantize.quantize import Ranges
from edgecnn.compress.quantize.replay import Decisions
from edgecnn.data.picture_input import Normalisation

Asked: TypeAlias = Literal["int8", "mixed", "fp16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labelled frames to judge on.

    Attributes:
        task: what the network is for, by the registry's name.
        root: the data set's folder.
        form: the data set's format; None for the one that recognises it.
        max_drop: points of the task's figure that a compressed artefact may lose against FP32.
        decode: parameters of the task's codec.
    """

    task: str
    root: Path
    form: str | None = None
    max_drop: float = 0.3
    decode: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that decides the bundle.

    Attributes:
        model: the ONNX file.
        targets: targets, schemes or boards by name.
        calib: a folder of pictures, a picture, a video, or an .npz file with an array an input; empty to draw inputs at
            random, which proves engines and calibrates nothing.
        out: where the bundle goes.
        precision: `int8` quantizes all that the scheme takes, `mixed` what measurement recommends, `fp16` nothing.
        normalisation: how pixels become the model's input.
        keep_input: the model keeps its own float input instead of taking uint8 frames.
        shapes: fixed shapes for inputs that have none, by name.
        outputs: tensors that the network is cut at; none to take it whole, as far as its results have fixed shapes.
        min_agreement: percent in which a compressed artefact has to agree with FP32; moot with `labels`.
        labels: labelled frames that decide instead.
        ranges: how activation ranges are chosen.
        keep_float: name patterns of nodes that stay in float.
        frames: most frames that are read.
        threads: engine threads, for all that is run and measured.
        minutes: most time that a search takes, for each target.
        seconds: how long each artefact is timed.
        workdir: where temporary files go; None for a hidden folder beside `out`.
        replace: whether a bundle that is at `out` already is replaced.
        plain: whether nothing is corrected: no equalization, no learned rounding.
        quantized_too: whether a model that holds Q/DQ pairs already is taken, as it is.
        replay: decisions of an earlier run, which are applied instead of searched for; `precision` is moot then.
    """

    model: Path
    targets: tuple[str, ...]
    calib: str
    out: Path
    precision: Asked = "int8"
    normalisation: Normalisation = field(default_factory=Normalisation)
    keep_input: bool = False
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    min_agreement: float = 98.0
    labels: Labels | None = None
    ranges: Ranges = "auto"
    keep_float: tuple[str, ...] = ()
    frames: int = 300
    threads: int = 2
    minutes: float = 10.0
    seconds: float = 5.0
    workdir: Path | None = None
    replace: bool = False
    plain: bool = False
    quantized_too: bool = False
    replay: Decisions | None = None
