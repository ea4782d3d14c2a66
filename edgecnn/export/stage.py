"""The export stage: the trained network as ONNX, one file an opset that the recipe's targets read."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.torch
from numpy.typing import NDArray

from edgecnn.core import atomic, evidence
from edgecnn.core.bundle import GOLDEN
from edgecnn.core.errors import DataError, StageError
from edgecnn.core.evidence import ExportResult
from edgecnn.core.npz import npz_bytes
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TARGETS
from edgecnn.core.stage import Job
from edgecnn.core.structure import Structure
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import read_split
from edgecnn.export.golden import golden
from edgecnn.export.onnx_from_torch import export
from edgecnn.models.build import build_model
from edgecnn.models.structure import rebuild
from edgecnn.runtime.preprocess import prepare

RESULT, WEIGHTS, STRUCTURE = "export.json", "model.safetensors", "structure.json"
GOLDEN_FRAMES = 8
PACKAGES = ("torch", "onnx", "onnx-ir", "onnxscript")


class ExportStage:
    """Leaves `model-opset<N>.onnx` for each opset, `golden.npz` and `export.json` (`ExportResult`)."""

    name = "export"
    needs: tuple[str, ...] = ("data", "compress")
    code = (
        "edgecnn.export",
        "edgecnn.models",
        "edgecnn.runtime.preprocess",
        "edgecnn.core.tensor",
    )

    def parameters(self, recipe: Recipe) -> Any:
        """Return task, model, opsets and the number of golden frames."""
        return {
            "task": recipe.task,
            "model": recipe.model,
            "opsets": _opsets(recipe),
            "golden_frames": GOLDEN_FRAMES,
            "versions": {name: version(name) for name in PACKAGES},
        }

    def run(self, job: Job) -> None:
        """Export the network that compression left, and record what the torch module answers on validation frames."""
        recipe = job.recipe
        structure = evidence.read(job.inputs["compress"] / STRUCTURE, Structure)
        module = rebuild(build_model(recipe), structure).eval()
        safetensors.torch.load_model(module, job.inputs["compress"] / WEIGHTS)
        face: Any = module
        frame, normalise, outputs = recipe.model.frame, face.normalise, face.output_names
        models = {}
        for opset in _opsets(recipe):
            name = f"model-opset{opset}.onnx"
            model = export(module, frame, normalise, outputs, opset)
            atomic.write_bytes(job.out / name, model.SerializeToString(deterministic=True))
            models[str(opset)] = name
        frames = golden_frames(list(read_split(job.inputs["data"], "val", job.recipe)), frame)
        atomic.write_bytes(job.out / GOLDEN, npz_bytes(golden(module, frame, normalise, outputs, frames)))
        versions = {name: version(name) for name in PACKAGES}
        evidence.write(job.out / RESULT, ExportResult(models, len(frames), versions))

    def ensures(self, out: Path) -> None:
        """Raise unless every model passes ONNX's checker and the golden vectors are there."""
        result = evidence.read(out / RESULT, ExportResult)
        for name in result.models.values():
            _check(out / name)
        if not result.models or not (out / GOLDEN).is_file():
            raise StageError(f"export: {out} holds no model or no {GOLDEN}")


def _check(path: Path) -> None:
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, OSError) as error:
        raise StageError(f"export: {path.name} is no valid ONNX model: {error}") from error


def golden_frames(samples: Sequence[Sample], frame: FrameSpec) -> NDArray[np.uint8]:
    """Return up to `GOLDEN_FRAMES` frames, evenly spread over `samples`, at network size: uint8 [K, H, W, 3]."""
    if not samples:
        raise DataError("the validation split holds no frames; golden vectors need at least one")
    spread = np.linspace(0, len(samples) - 1, min(GOLDEN_FRAMES, len(samples))).astype(int)
    return np.stack([prepare(read_image(samples[i].image), frame) for i in spread])


def _opsets(recipe: Recipe) -> list[int]:
    return sorted({TARGETS[name].opset for name in recipe.targets})
