"""The bench stage: every artefact of the draft bundle, interleaved on this machine."""

import os
import platform
from pathlib import Path
from typing import Any, final

from edgecnn.bench import result, samples
from edgecnn.bench.session import Plan, Subject, measure
from edgecnn.core import evidence, stand_ins
from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import BenchResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.stage import Job
from edgecnn.core.versions import ENGINE_PACKAGES, installed

RESULT = "bench.json"


@final
class BenchStage:
    """Leaves `bench.json` (`BenchResult`) and `samples.npz`."""

    name = "bench"
    needs: tuple[str, ...] = ("compile",)
    code = ("edgecnn.bench", "edgecnn.runtime", "edgecnn.core")

    def parameters(self, recipe: Recipe) -> Any:
        """Return the recipe's `bench` section, the engines' versions, and the machine: a latency is of one machine."""
        machine = {"host": platform.node(), "cpu": platform.processor(), "cores": os.cpu_count()}
        return {"bench": recipe.bench, "versions": installed(ENGINE_PACKAGES), "machine": machine}

    def run(self, job: Job) -> None:
        """Measure the bundle at `inputs["compile"]/bundle`."""
        path = (job.inputs["compile"] / "bundle").resolve()
        # What only a simulation stands for here has no latency here.
        away = stand_ins.kept(job.inputs["compile"])
        names = [artefact.name for artefact in open_bundle(path).manifest.artefacts if artefact.name not in away]
        if not names:
            raise StageError("bench: no target's engine is on this machine; add one that is, such as onnxruntime")
        section = job.recipe.bench
        plan = Plan(seconds=section.seconds, camera_fps=section.camera_fps, threads=section.threads)
        outcome = measure([Subject(name, path, name) for name in names], plan)
        result.write(outcome, names, job.out / RESULT, job.out / samples.FILE)

    def ensures(self, out: Path) -> None:
        """Raise `StageError` unless there are runs, each with a median and its samples."""
        found = evidence.read(out / RESULT, BenchResult)
        if not found.runs:
            raise StageError(f"{out / RESULT}: no run was measured")
        for run in found.runs:
            kept = samples.read(out / samples.FILE, run.samples)
            if "p50_ms" not in run.figures:
                raise StageError(
                    f"{out / RESULT}: {run.artefact} has no median under {run.scenario} "
                    f"({len(kept['latency_ns'])} samples); raise bench.seconds"
                )
