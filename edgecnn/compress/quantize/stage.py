"""The quantize stage: one INT8 model a target, each by the target's own scheme."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import onnx

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.drift import measure_drift
from edgecnn.compress.quantize.observers import Feeds
from edgecnn.compress.quantize.quantize import Quantizer, Settings
from edgecnn.core import atomic, evidence
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import ExportResult, QuantizedModel, QuantizeResult
from edgecnn.core.progress import bar
from edgecnn.core.recipe import QuantizeSection, Recipe
from edgecnn.core.registry import TARGETS, resolve
from edgecnn.core.stage import Job
from edgecnn.data.sample import read_image
from edgecnn.data.split import read_split
from edgecnn.runtime.preprocess import prepare

RESULT = "quantize.json"
PACKAGES = ("onnx", "onnx-ir", "onnxruntime")
DRIFT_FRAMES = 8


class QuantizeStage:
    """Leaves `<target>-int8.onnx` a target and `quantize.json` (`QuantizeResult`), empty if no INT8 is asked for."""

    name = "quantize"
    needs: tuple[str, ...] = ("data", "export")
    code = ("edgecnn.compress.quantize", "edgecnn.data.sample", "edgecnn.runtime.preprocess")

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
            models.append(_quantize_for(target, recipe.quantize, source, job))
        versions = {name: version(name) for name in PACKAGES}
        evidence.write(job.out / RESULT, QuantizeResult(tuple(models), versions))

    def ensures(self, out: Path) -> None:
        """Raise unless every model that `quantize.json` names is there."""
        for model in evidence.read(out / RESULT, QuantizeResult).models:
            if not (out / model.file).is_file():
                raise StageError(f"quantize: {out} holds no {model.file}")


def _quantize_for(target: str, section: QuantizeSection, source: Path, job: Job) -> QuantizedModel:
    scheme = resolve("scheme", TARGETS[target].scheme)
    settings = Settings(section.ranges, section.keep_float, job.recipe.bench.threads)
    quantizer = Quantizer(onnx.load(source), scheme, TrainingFrames(job, f"calibrate {target}"), settings)
    model, report = quantizer.finish(quantizer.fitted())
    if found := violations(model, scheme):
        raise StageError(f"quantize: {target} breaks its scheme {scheme.name}: {'; '.join(found[:3])}")
    drift = measure_drift(
        # The float form that was quantized: equalization scales values inside, and names alone would not tell.
        quantizer.bench.model,
        model,
        TrainingFrames(job, limit=DRIFT_FRAMES),
        frames=DRIFT_FRAMES,
        threads=settings.threads,
        left_in_float=report.left_in_float,
    )
    file = f"{target}-int8.onnx"
    atomic.write_bytes(job.out / file, model.SerializeToString(deterministic=True))
    return QuantizedModel(
        target=target,
        file=file,
        scheme=scheme.name,
        ranges=section.ranges,
        frames=report.frames,
        quantized=report.quantized,
        left_in_float=report.left_in_float,
        tensors=report.tensors,
        drift=drift,
    )


@final
class TrainingFrames:
    """Up to `data.calibration_frames` training frames, evenly spread; each pass reads them anew, one at a time."""

    def __init__(self, job: Job, label: str = "", limit: int | None = None) -> None:
        """Take the job's frames, at most `limit` of them; a `label` shows a progress bar during each pass."""
        samples = list(read_split(job.inputs["data"], "train"))
        count = min(limit or job.recipe.data.calibration_frames, job.recipe.data.calibration_frames, len(samples))
        self._images = [samples[index].image for index in np.linspace(0, len(samples) - 1, count).astype(int)]
        self._frame, self._label = job.recipe.model.frame, label

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
