"""Frames with labels, where the user has some: what a task's own metric says of candidates, and of what is sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from edgecnn.compress.quantize.labelled import LabelJudge
from edgecnn.core.bundle import DecodeSpec
from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import TASKS, nearest, resolve
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.data.calibration import ENOUGH_TO_PART, spread
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import read_for
from edgecnn.data.spool import Feeds
from edgecnn.quantize_onnx.options import Labels
from edgecnn.runtime.preprocess import prepare

MOST_TRIED = 200
"""Labelled frames that a search judges a candidate on, at most; the verdict is found on all that it does not see."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled frames.

    Attributes:
        asked: what the user asked for.
        decode: how outputs become results.
        tried: frames that a search judges candidates on, as the bundle's artefacts take them.
        judge: judges them.
        verdict: samples that the verdict is found on; none of `tried` where there are enough.
        notes: what the user must know, a line each.
    """

    asked: Labels
    decode: DecodeSpec
    tried: "SampleFrames"
    judge: LabelJudge
    verdict: tuple[Sample, ...]
    notes: tuple[str, ...] = ()


@final
class SampleFrames:
    """Labelled pictures as a network's input called `name`; each pass reads them anew, one at a time."""

    def __init__(self, samples: Sequence[Sample], spec: FrameSpec, name: str) -> None:
        self._samples, self._spec, self._name = samples, spec, name

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Feeds]:
        for sample in self._samples:
            yield {self._name: prepare(read_image(sample.image), self._spec)[None]}


def open_labelled(asked: Labels, frame: FrameSpec | None, input_name: str, outputs: tuple[TensorSpec, ...]) -> Labelled:
    """Return the labelled frames of `asked` for a network that takes `frame` as its input and gives `outputs`.

    Raises:
        InputError: no such task or data format, the network takes no camera frames, or the task's codec does not
            decode what it gives.
        DataError: the data set is missing, empty or broken.
    """
    known = [name for name, row in TASKS.items() if row.metric]
    if asked.task not in known:
        raise InputError(f"--task {asked.task}: no task with a metric{nearest(asked.task, known)}")
    if frame is None:
        raise InputError("--labels judges camera frames: give pictures to --calib, and no --keep-input")
    task = TASKS[asked.task]
    codec = resolve("codec", task.codec)(asked.decode, frame)
    _check_outputs(asked.task, codec.outputs, outputs)
    samples = list(read_for(codec, recognise(asked.root, asked.form).name, asked.root))
    if not samples:
        raise DataError(f"{asked.root}: holds no labelled frame")
    apart = len(samples) >= ENOUGH_TO_PART
    free = samples[1::2] if apart else samples
    tried = [free[place] for place in spread(len(free), MOST_TRIED)]
    notes = () if apart else (f"{len(samples)} labelled frames are too few to keep the verdict's from the search",)
    judge = LabelJudge(asked.task, asked.decode, frame, tried)
    decode = DecodeSpec(task.codec, dict(asked.decode))
    return Labelled(
        asked, decode, SampleFrames(tried, frame, input_name), judge, tuple(samples[::2] if apart else samples), notes
    )


def _check_outputs(task: str, wanted: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    given = {spec.name: spec for spec in outputs}
    if all(spec.name in given and given[spec.name].shape == spec.shape for spec in wanted):
        return
    need, have = (_told(specs) for specs in (wanted, outputs))
    raise InputError(
        f"task '{task}' decodes {need}; the model gives {have}: tell sizes with --decode KEY=VALUE, rename outputs, or "
        "leave --labels out"
    )


def _told(specs: Sequence[Any]) -> str:
    return ", ".join(f"'{spec.name}' {list(spec.shape)}" for spec in specs)
