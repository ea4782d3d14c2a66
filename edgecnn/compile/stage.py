"""The compile stage: every target's artefacts, in float and in INT8, in a draft bundle that nothing has judged yet."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import onnx

from edgecnn import __version__
from edgecnn.compile.artefact import compile_artefact
from edgecnn.core import atomic, evidence, stand_ins
from edgecnn.core.bundle import GOLDEN, DecodeSpec, Manifest, Precision, open_bundle, write_bundle
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import DataResult, ExportResult, QuantizeResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import HALVER, TARGETS, TASKS, import_entry
from edgecnn.core.stage import Job
from edgecnn.core.versions import ENGINE_PACKAGES, installed
from edgecnn.runtime.here import why_not_here

BUNDLE = "bundle"
HALVED = frozenset({"tensorrt"})
"""Engines whose FP16 is an artefact of its own: they are built for GPUs that compute it at twice the rate or more."""


class CompileStage:
    """Leaves the draft bundle in `bundle`: artefacts `<target>-fp32`, `-fp16` for a GPU, and, where quantized, `-int8`.

    What an artefact was compiled from stands beside it (`core/stand_ins.py`) where its engine is not on this machine.
    """

    name = "compile"
    needs: tuple[str, ...] = ("data", "export", "qat")
    # Compilers that need torch lie in export, and some engines say themselves what their files hold.
    code = (
        "edgecnn.compile",
        "edgecnn.compress.quantize.half",
        "edgecnn.core.bundle",
        "edgecnn.export",
        "edgecnn.models",
        "edgecnn.runtime.engines",
    )

    def parameters(self, recipe: Recipe) -> Any:
        """Return what of the recipe has been carried out by now, the engines' versions, and which are not here."""
        return {
            "recipe": _so_far(recipe),
            "edgecnn": __version__,
            "versions": installed(ENGINE_PACKAGES),
            "absent": _absent(recipe),
        }

    def run(self, job: Job) -> None:
        """Compile every model for its target and write the bundle."""
        recipe = job.recipe
        exported = evidence.read(job.inputs["export"] / "export.json", ExportResult)
        quantized = evidence.read(job.inputs["qat"] / "quantize.json", QuantizeResult)
        artefacts, files, versions = [], {GOLDEN: job.inputs["export"] / GOLDEN}, dict(exported.versions)
        absent = _absent(recipe)
        for target in recipe.targets:
            for precision, source, stand_in in _sources(job, target, exported, quantized):
                artefact, compiled = compile_artefact(f"{target}-{precision}", target, precision, source, job.partial)
                artefacts.append(artefact)
                files |= dict(zip(artefact.files, compiled.files, strict=True))
                versions |= compiled.versions
                if target in absent:
                    stand_ins.keep(job.out, artefact.name, stand_in)
        if quantized.models:
            files["quantize.json"] = job.inputs["qat"] / "quantize.json"
        manifest = Manifest(
            name=recipe.name,
            task=recipe.task,
            frame=recipe.model.frame,
            decode=DecodeSpec(TASKS[recipe.task].codec, recipe.model.decode),
            artefacts=tuple(artefacts),
            files={},
            provenance=_provenance(job, versions, quantized),
        )
        write_bundle(job.out / BUNDLE, manifest, files)

    def ensures(self, out: Path) -> None:
        """Raise unless the bundle opens, which compares every digest, and holds an artefact."""
        if not open_bundle(out / BUNDLE).manifest.artefacts:
            raise StageError(f"compile: the bundle in {out} holds no artefact")


def _absent(recipe: Recipe) -> list[str]:
    return [target for target in recipe.targets if why_not_here(target)]


def _sources(
    job: Job, target: str, exported: ExportResult, quantized: QuantizeResult
) -> Iterator[tuple[Precision, Path, Path]]:
    """Yield precision and file of the target's models, float first, and what stands in for each in a simulation."""
    source = job.inputs["export"] / exported.models[str(TARGETS[target].opset)]
    yield "fp32", source, source
    if TARGETS[target].engine in HALVED:
        halved = _halved(source, job.partial / f"{target}-fp16.onnx")
        # A compiler that halves by itself is given FP32; what it makes of it is simulated all the same.
        yield "fp16", halved if TARGETS[target].fp16 == "graph" else source, halved
    for model in quantized.models:
        if model.target == target:
            yield "int8", job.inputs["qat"] / model.file, job.inputs["qat"] / model.file


def _halved(source: Path, file: Path) -> Path:
    """Write the model in FP16 to `file` and return that."""
    to_half = import_entry(HALVER, "FP16")
    atomic.write_bytes(file, to_half(onnx.load(source)).SerializeToString(deterministic=True))
    return file


def _so_far(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe less what comes after compilation: a changed gate does not make a new draft."""
    whole: dict[str, Any] = msgspec.to_builtins(recipe)
    return {key: value for key, value in whole.items() if key not in {"verify", "bench", "note"}}


def _provenance(job: Job, versions: dict[str, str], quantized: QuantizeResult) -> dict[str, Any]:
    data = evidence.read(job.inputs["data"] / "data.json", DataResult)
    splits = {"train": data.train, "val": data.val}
    return {
        "edgecnn": __version__,
        "recipe": _so_far(job.recipe),
        "seed": job.recipe.seed,
        "versions": dict(sorted({**versions, **quantized.versions, "numpy": version("numpy")}.items())),
        "schemes": {model.target: {"name": model.scheme, "ranges": model.ranges} for model in quantized.models},
        "data": {name: {"frames": split.frames, "labels": split.digests} for name, split in splits.items()},
    }
