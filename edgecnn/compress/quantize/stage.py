"""The quantize stage: one INT8 model a target, each by the target's own scheme."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import onnx

from edgecnn.compress.quantize.candidate import Bench
from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.kept import check_kept
from edgecnn.compress.quantize.labelled import LabelJudge
from edgecnn.compress.quantize.observers import Feeds
from edgecnn.compress.quantize.quantize import Settings
from edgecnn.compress.quantize.quantized import Quantized, quantized_found, quantized_whole, record
from edgecnn.compress.quantize.reserve import share_out, timed_score
from edgecnn.compress.quantize.search import Goal, search
from edgecnn.core import atomic, evidence
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import ExportResult, QuantizedModel, QuantizeResult
from edgecnn.core.progress import bar
from edgecnn.core.recipe import QuantizeSection, Recipe
from edgecnn.core.registry import TARGETS, resolve
from edgecnn.core.stage import Job
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import LABELS_READ_BY, read_split
from edgecnn.runtime.here import why_not_here
from edgecnn.runtime.preprocess import prepare

RESULT = "quantize.json"
PACKAGES = ("onnx", "onnx-ir", "onnxruntime")
DRIFT_FRAMES = 8


class QuantizeStage:
    """Leaves `<target>-int8.onnx` a target and `quantize.json` (`QuantizeResult`), empty if no INT8 is asked for."""

    name = "quantize"
    needs: tuple[str, ...] = ("data", "export")
    code = ("edgecnn.compress.quantize", *LABELS_READ_BY, "edgecnn.runtime", "edgecnn.metrics")

    def parameters(self, recipe: Recipe) -> Any:
        """Return the quantize section, the number of calibration frames and the targets' schemes."""
        if recipe.quantize is None:
            return {"quantize": None}
        return {
            "quantize": recipe.quantize,
            "calibration_frames": recipe.data.calibration_frames,
            "schemes": {target: TARGETS[target].scheme for target in recipe.targets},
            "frame": recipe.model.frame,
            "versions": {name: version(name) for name in PACKAGES},
            "judged": (recipe.task, recipe.model.decode) if recipe.quantize.precision == "mixed" else None,
        }

    def run(self, job: Job) -> None:
        """Quantize the exported model by each target's scheme and check every rule of the scheme on the result."""
        recipe = job.recipe
        if recipe.quantize is None:
            evidence.write(job.out / RESULT, QuantizeResult())
            return
        exported = evidence.read(job.inputs["export"] / "export.json", ExportResult)
        models = []
        for target in recipe.targets:
            source = job.inputs["export"] / exported.models[str(TARGETS[target].opset)]
            made = _quantize_for(target, recipe.quantize, source, job)
            models.extend([made] if made is not None else [])
        versions = {name: version(name) for name in PACKAGES}
        evidence.write(job.out / RESULT, QuantizeResult(tuple(models), versions))

    def ensures(self, out: Path) -> None:
        """Raise unless every model that `quantize.json` names is there."""
        for model in evidence.read(out / RESULT, QuantizeResult).models:
            if not (out / model.file).is_file():
                raise StageError(f"quantize: {out} holds no {model.file}")


def _quantize_for(target: str, section: QuantizeSection, source: Path, job: Job) -> QuantizedModel | None:
    """Quantize for one target; None where it has no INT8 of ours or a search finds FP32 the best that is honest."""
    if not TARGETS[target].scheme:
        sys.stderr.write(f"  {target}: edgecnn quantizes nothing for {TARGETS[target].engine}\n")
        return None
    scheme = resolve("scheme", TARGETS[target].scheme)
    settings = Settings(section.ranges, section.keep_float, job.recipe.bench.threads)
    model = onnx.load(source)
    check_kept(model, settings.keep_float)
    if section.precision == "mixed":
        made = _searched(model, target, settings, job)
    else:
        made = quantized_whole(model, scheme, training_frames(job, f"calibrate {target}"), settings)
    if made is None:
        return None
    if found := violations(made.model, scheme):
        raise StageError(f"quantize: {target} breaks its scheme {scheme.name}: {'; '.join(found[:3])}")
    file = f"{target}-int8.onnx"
    atomic.write_bytes(job.out / file, made.model.SerializeToString(deterministic=True))
    return record(
        made,
        training_frames(job, limit=DRIFT_FRAMES),
        target=target,
        file=file,
        scheme=scheme.name,
        ranges=section.ranges,
        threads=settings.threads,
    )


def _searched(model: onnx.ModelProto, target: str, settings: Settings, job: Job) -> Quantized | None:
    """Search for the fastest mix whose figure holds, on training frames that calibrate nothing."""
    section = job.recipe.quantize
    assert section is not None  # noqa: S101 - the stage asks for a target only where there is a section
    samples = _judge_samples(job)
    judge = LabelJudge(job.recipe.task, job.recipe.model.decode, job.recipe.model.frame, samples)
    here = None if why_not_here(target) else target
    bench = Bench(here, job.recipe.bench.threads, Frames(job, [s.image for s in samples]), judge)
    score, taken_s = timed_score(bench, model)
    shares = share_out(60 * section.minutes, taken_s, raced=here is not None)
    found = search(
        {"as it came": model},
        resolve("scheme", TARGETS[target].scheme),
        training_frames(job, f"calibrate {target}"),
        replace(settings, seconds=shares.correction_s),
        bench,
        Goal(score - section.max_drop, shares.search_s),
    )
    for note in found.notes:
        sys.stderr.write(f"  {target}: {note}\n")
    made = quantized_found(found)
    return None if made is None else replace(made, report=replace(made.report, notes=found.notes))


def _judge_samples(job: Job) -> list[Sample]:
    """Return training samples between those that calibrate, evenly spread; all of them where there are too few."""
    section = job.recipe.quantize
    samples = list(read_split(job.inputs["data"], "train", job.recipe))
    calibrate = set(_spread(len(samples), job.recipe.data.calibration_frames))
    free = [sample for index, sample in enumerate(samples) if index not in calibrate] or samples
    count = section.judge_frames if section is not None else 0
    return [free[index] for index in _spread(len(free), count)]


def _spread(total: int, count: int) -> list[int]:
    return [int(index) for index in np.linspace(0, total - 1, min(count, total)).astype(int)]


@final
class Frames:
    """Pictures as the network takes them; each pass reads them anew, one at a time, with a bar if there is a label."""

    def __init__(self, job: Job, images: Sequence[Path], label: str = "") -> None:
        self._images, self._frame, self._label = images, job.recipe.model.frame, label

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._images)

    def __iter__(self) -> Iterator[Feeds]:
        """Yield the frames at network size."""
        if not self._label:
            yield from map(self._feeds, self._images)
            return
        with bar(self._label, len(self)) as shown:
            for image in self._images:
                yield self._feeds(image)
                shown.advance()

    def _feeds(self, image: Path) -> Feeds:
        return {"image": prepare(read_image(image), self._frame)[None]}


def training_frames(job: Job, label: str = "", limit: int | None = None) -> Frames:
    """Return up to `data.calibration_frames` training frames (at most `limit`), evenly spread."""
    samples = list(read_split(job.inputs["data"], "train", job.recipe))
    count = min(limit or job.recipe.data.calibration_frames, job.recipe.data.calibration_frames)
    return Frames(job, [samples[index].image for index in _spread(len(samples), count)], label)
