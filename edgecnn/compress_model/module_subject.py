"""A stranger's torch module as what is compressed: frames without labels, and the module itself as the teacher."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from edgecnn.compress_model.judge import AgreementWithOriginal
from edgecnn.compress_model.recipe_subject import PACKAGES
from edgecnn.compress_model.subject import Subject
from edgecnn.core.errors import DataError, InputError, line_of
from edgecnn.core.recipe import TrainSection
from edgecnn.core.tensor import TensorSpec
from edgecnn.data.calibration import is_arrays, parted, spool_arrays, spool_frames
from edgecnn.data.picture_input import Normalisation, picture_input
from edgecnn.data.spool import Spool
from edgecnn.export.onnx_from_torch import export_plain
from edgecnn.models.answers import tensors
from edgecnn.runtime.preprocess import prepare
from edgecnn.train.recover import Recovery
from edgecnn.train.unlabelled import UnlabelledFrames

BATCH = 16
EPOCH = 64 * BATCH
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Fed:
    """A module's inputs and outputs by name, and whether it takes several frames at once."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...]
    batched: bool


def module_subject(
    module: nn.Module,
    calib: str,
    shapes: Mapping[str, tuple[int, ...]],
    normalisation: Normalisation,
    work: Path,
    *,
    frames: int,
    threads: int,
    seed: int = 0,
) -> tuple[Subject, Fed]:
    """Return `module` with its frames, laid down below the new folder `work`.

    Args:
        module: in eval mode.
        calib: pictures, a video, or an .npz file with an array for each input.
        shapes: of the module's inputs by the names of its `forward`, with a batch of one.
        normalisation: how pixels become the input.
        work: an empty folder.
        frames: most frames that are read.
        threads: of torch.
        seed: decides the order of batches.

    Raises:
        InputError: the shapes are not those of the module's inputs, or it does not run on them.
        DataError: the frames do not fit, or are too few.
    """
    torch.set_num_threads(threads)
    fed = fed_by(module, shapes)
    spool = _spool(calib, fed, normalisation, frames, work)
    if len(spool) < FEWEST:
        raise DataError(f"{calib}: {len(spool)} frames are too few to learn from; give {FEWEST}, better 200 or more")
    fit, held, apart = parted(spool)
    names = tuple(spec.name for spec in fed.inputs)
    data, judged = UnlabelledFrames(fit, names, EPOCH), UnlabelledFrames(held, names)
    size = fed.inputs[0].shape[-2:] if len(fed.inputs[0].shape) == 4 else None
    judge = AgreementWithOriginal(
        module, [judged.frame(i) for i in range(len(judged))], fed.outputs, (size[0], size[1]) if size else None
    )
    base = TrainSection(
        epochs=1, batch_size=BATCH if fed.batched else 1, workers=0, threads=threads, device="cpu", augment=None
    )
    recovery = Recovery(data, judge, base, seed, fed.outputs, fed.example)

    def to_onnx(changed: nn.Module, opset: int) -> onnx.ModelProto:
        return export_plain(changed, fed.example, names, fed.outputs, opset)

    versions = {name: version(name) for name in PACKAGES}
    learnt = f"{len(spool)} frames are too few to keep some for judging: recovery learns from those it is judged on"
    return Subject(module, fed.example, recovery, judge, to_onnx, versions, () if apart else (learnt,)), fed


def fed_by(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> Fed:
    """Return inputs and outputs of `module` in eval mode for inputs of `shapes`, by their names in its `forward`.

    Raises:
        InputError: the shapes are not those of the module's inputs, or it does not run on them.
    """
    wanted = list(inspect.signature(module.forward).parameters)
    if not shapes:
        raise InputError(f"say the shape of each input: --shape {wanted[0] if wanted else 'x'}=1,3,HEIGHT,WIDTH")
    order = sorted(shapes, key=lambda name: wanted.index(name) if name in wanted else len(wanted))
    if unknown := [name for name in order if name not in wanted]:
        raise InputError(f"--shape {unknown[0]}: the module's forward takes {', '.join(wanted)}")
    specs = tuple(TensorSpec(name, shapes[name], "float32") for name in order)
    if any(spec.shape[0] != 1 for spec in specs):
        raise InputError("--shape: the first size is the batch, which has to be 1")
    torch.manual_seed(0)
    example = tuple(torch.rand(spec.shape) for spec in specs)
    try:
        with torch.no_grad():
            answer = module(*example)
    except Exception as error:
        told = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
        raise InputError(f"the module does not run on {told}: {line_of(error, 200)}") from error
    count = len(tensors(answer))
    if not count:
        raise InputError(f"the module answers with {type(answer).__name__} and not with tensors")
    names = _names(answer, count)
    return Fed(specs, names, example, _takes_two(module, example))


def _names(answer: Any, count: int) -> tuple[str, ...]:
    if isinstance(answer, Mapping) and len(answer) == count and all(isinstance(key, str) for key in answer):
        return tuple(answer)
    return tuple(f"output{place}" for place in range(count)) if count > 1 else ("output",)


def _takes_two(module: nn.Module, example: Sequence[Tensor]) -> bool:
    """Return whether two frames at once are answered as one by one, as far as the sizes tell."""
    try:
        with torch.no_grad():
            one, two = tensors(module(*example)), tensors(module(*(torch.cat([part, part]) for part in example)))
    except Exception:  # noqa: BLE001 - a stranger's module may fail in any way
        return False
    return len(one) == len(two) and all(
        b.shape[:1] == (2,) and b.shape[1:] == a.shape[1:] for a, b in zip(one, two, strict=True)
    )


def _spool(calib: str, fed: Fed, normalisation: Normalisation, limit: int, work: Path) -> Spool:
    if is_arrays(calib):
        return spool_arrays(calib, fed.inputs, limit, work / "frames")
    picture = picture_input(fed.inputs)
    spec = picture.frame_spec(normalisation.color)
    return spool_frames(
        calib,
        lambda frame: {picture.name: normalisation.apply(prepare(frame, spec), picture)},
        limit,
        work / "frames",
    )
