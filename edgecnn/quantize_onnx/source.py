"""What all targets share: the model in float, frames to fit and to judge on, what FP32 answers, golden vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.specs import opset_of, tensor_specs
from edgecnn.compress.quantize.kept import check_kept
from edgecnn.core.errors import InputError
from edgecnn.core.progress import bar
from edgecnn.core.registry import resolve
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.data.calibration import is_arrays, parted, spool_arrays, spool_frames
from edgecnn.data.picture_input import PictureInput, picture_input
from edgecnn.data.spool import Feeds, Spool, write_spool
from edgecnn.export.bake_frames import bake_frames
from edgecnn.export.prepare import prepare, settled
from edgecnn.metrics.agreement import AgreementJudge
from edgecnn.quantize_onnx.front import open_front
from edgecnn.quantize_onnx.labelled import Labelled, open_labelled
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.sameness import told_alike
from edgecnn.runtime.preprocess import prepare as stretched

IMAGE = "image"
ANY_OPSET = 1000
GOLDEN_FRAMES = 4
DRAWN = "drawn at random"
"""Where frames come from if nobody gives any."""
DRAWN_FRAMES = 8
_BELOW = {"bool": 2, "int8": 128}
REFERENCE = "onnxruntime"


@dataclass(slots=True)
class Source:
    """The model in float and the frames.

    Attributes:
        fit: frames to calibrate on, as the bundle's artefacts take them.
        held: frames that the verdict is found on, likewise.
        tried: frames that a search judges candidates on; none of `held` where there are enough.
        apart: whether none of `held` is in `fit` or `tried`.
        judge: knows what the original answers on `held`.
        search_judge: knows what it answers on `tried`.
        golden: golden inputs and outputs as they go into a bundle.
        frame: what camera frames become; None where artefacts keep the model's own inputs.
        outputs: what every artefact gives.
        changes: what preparation changed.
        opset: that of the prepared model.
        shapes: fixed shapes of the original's inputs that have none.
        tail: what follows where the network was cut, in float; None where it was not.
        labelled: labelled frames, where the user gave some.
        notes: what the user must know of model and frames, a line each.
        quantized: whether the model came with Q/DQ pairs, and is taken as it is.
    """

    options: Options
    original: Any
    fit: Spool
    held: Spool
    tried: Spool
    apart: bool
    judge: AgreementJudge
    search_judge: AgreementJudge
    golden: dict[str, NDArray[Any]]
    frame: FrameSpec | None
    baked: PictureInput | None
    outputs: tuple[TensorSpec, ...]
    changes: tuple[str, ...]
    opset: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tail: Any = None
    labelled: Labelled | None = None
    notes: tuple[str, ...] = ()
    quantized: bool = False
    _models: dict[int, Any] = field(default_factory=dict)

    def model(self, least: int = 0, most: int = ANY_OPSET) -> Any:
        """Return the float model, its pre-processing baked in, at its own opset or the nearest from `least` to `most`.

        Raises:
            InputError: it has no words for an opset as old as `most`.
        """
        opset = max(least, min(self.opset, most))
        if opset not in self._models:
            self._models[opset] = self._with_frames(self._at(opset))
        return self._models[opset]

    def _at(self, opset: int) -> Any:
        if not self.quantized:
            return prepare(self.original, shapes=self.shapes, opset=opset).model
        if opset < self.opset:
            raise InputError(
                f"the model is quantized, and stays at opset {self.opset} as it came; export it again at opset {opset}"
            )
        return settled(self.original, self.shapes).model

    def _with_frames(self, model: Any) -> Any:
        if self.baked is None:
            return model
        ask = self.options.normalisation
        return bake_frames(
            model, input_name=self.baked.name, scale=ask.scale, mean=ask.mean, std=ask.std, color=ask.color
        )


def open_source_model(options: Options, work: Path) -> Source:
    """Read, prepare and run the model; temporary files go below `work`.

    Raises:
        InputError: the model or the calibration data can't be used, or a node to keep in float is not there.
    """
    opened = open_front(options)
    prepared = opened.prepared
    check_kept(prepared.model, options.keep_float)
    inputs, outputs = tensor_specs(prepared.model)
    frames, picture = _frames(options, inputs, work)
    alike = told_alike(frames, options.calib)
    fit, held, apart = parted(frames if picture is None else _as_taken(frames, options, picture))
    baked = picture if picture is not None and _bakes(options, picture) else None
    # The original is asked in its own terms, so that what it answers proves the baked pre-processing too.
    own = held if baked is None else held.changed(lambda feeds: _normalised(feeds, options, baked))
    told = {"threads": options.threads, **({"integer_kernels": False} if opened.quantized else {})}
    answers = write_spool(work / "answers", _answers(prepared.model, inputs, outputs, own, told))
    # A search that saw the frames of the verdict would find what flatters it.
    every = range(len(held))
    verdict, search = (every[0::2], every[1::2]) if apart else (every, every)
    size = (picture.height, picture.width) if picture is not None else None
    frame = (
        picture.frame_spec(options.normalisation.color)
        if picture is not None and _takes_frames(picture, baked)
        else None
    )
    labelled = open_labelled(options.labels, frame, next(iter(fit[0])), outputs) if options.labels is not None else None
    return Source(
        options=options,
        original=opened.original,
        fit=fit,
        held=held.take(verdict),
        tried=held.take(search),
        apart=apart,
        judge=AgreementJudge(answers.take(verdict), size),
        search_judge=AgreementJudge(answers.take(search), size),
        golden=_golden(held.take(verdict), answers.take(verdict)),
        frame=frame,
        baked=baked,
        outputs=outputs,
        changes=prepared.changes,
        opset=opset_of(prepared.model),
        shapes=opened.shapes,
        tail=opened.tail,
        labelled=labelled,
        quantized=opened.quantized,
        notes=(*opened.notes, *prepared.remarks, *alike, *(labelled.notes if labelled is not None else ())),
    )


def _frames(options: Options, inputs: tuple[TensorSpec, ...], work: Path) -> tuple[Spool, PictureInput | None]:
    """Return the frames as they are read, and the picture's input where they are pictures."""
    if not options.calib:
        taken = picture_input(inputs) if _one_frame(inputs) else None
        return write_spool(work / "frames", _drawn(inputs)), taken
    folder = work / "frames"
    if is_arrays(options.calib):
        return spool_arrays(options.calib, inputs, options.frames, folder), None
    picture = picture_input(inputs)
    spec = picture.frame_spec(options.normalisation.color)
    name = picture.name if _is_frame(picture) else IMAGE
    return spool_frames(
        options.calib, lambda frame: {name: stretched(frame, spec)[None]}, options.frames, folder
    ), picture


def _drawn(inputs: tuple[TensorSpec, ...]) -> Iterator[Feeds]:
    rng = np.random.default_rng(0)
    for _ in range(DRAWN_FRAMES):
        yield {
            spec.name: rng.standard_normal(spec.shape).astype(spec.dtype)
            if np.dtype(spec.dtype).kind == "f"
            else rng.integers(0, _BELOW.get(spec.dtype, 256), spec.shape).astype(spec.dtype)
            for spec in inputs
        }


def _as_taken(spool: Spool, options: Options, picture: PictureInput) -> Spool:
    """Return pictures as artefacts will take them."""
    if _is_frame(picture) or _bakes(options, picture):
        return spool
    return spool.changed(lambda feeds: _normalised(feeds, options, picture))


def _one_frame(inputs: tuple[TensorSpec, ...]) -> bool:
    return len(inputs) == 1 and inputs[0].layout == "NHWC"


def _is_frame(picture: PictureInput) -> bool:
    """Whether the model takes uint8 frames already."""
    return picture.dtype == "uint8" and not picture.channels_first and picture.channels == 3


def _takes_frames(picture: PictureInput, baked: PictureInput | None) -> bool:
    return baked is not None or _is_frame(picture)


def _bakes(options: Options, picture: PictureInput) -> bool:
    return not options.keep_input and picture.channels == 3 and not _is_frame(picture)


def _normalised(feeds: Feeds, options: Options, picture: PictureInput) -> Feeds:
    return {picture.name: options.normalisation.apply(feeds[IMAGE][0], picture)}


def _answers(
    model: Any,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    frames: Spool,
    options: Mapping[str, Any],
) -> Iterator[Feeds]:
    data = model.SerializeToString()
    engine = resolve("engine", REFERENCE)({"model.onnx": data}, inputs, outputs, options)
    with bar("FP32 reference", len(frames)) as shown:
        for feeds in frames:
            yield engine.infer(feeds)
            shown.advance()
    engine.close()


def _golden(held: Spool, answers: Spool) -> dict[str, NDArray[Any]]:
    places = [int(i) for i in np.unique(np.linspace(0, len(held) - 1, min(GOLDEN_FRAMES, len(held))).round())]
    return {f"input:{spec}": _stacked([held[i][spec] for i in places]) for spec in held[0]} | {
        f"output:{spec}": _stacked([answers[i][spec] for i in places]) for spec in answers[0]
    }


def _stacked(frames: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays of batch 1 along their batch axis, others along a new one: the first axis counts the frames."""
    return np.concatenate(frames) if frames[0].shape[:1] == (1,) else np.stack(frames)
