"""The seal stage: parity, accuracy and latency tables go into the manifest, and the bundle is closed."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from edgecnn.core import evidence
from edgecnn.core.bundle import Artefact, open_bundle, write_bundle
from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import BenchResult, TrainResult, VerifyResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.stage import Job


class SealStage:
    """Leaves `bundle/`: the compile stage's draft with every artefact's tables filled in."""

    name = "seal"
    needs: tuple[str, ...] = ("train", "compress", "compile", "verify", "bench")
    code = ("edgecnn.seal", "edgecnn.core")

    def parameters(self, recipe: Recipe) -> Any:
        """Return the whole recipe, which goes into the manifest's provenance."""
        return {"recipe": recipe}

    def run(self, job: Job) -> None:
        """Write the final bundle."""
        draft = open_bundle((job.inputs["compile"] / "bundle").resolve())
        verified = evidence.read(job.inputs["verify"] / "verify.json", VerifyResult)
        benched = evidence.read(job.inputs["bench"] / "bench.json", BenchResult)
        start = evidence.read(job.inputs["train"] / "train.json", TrainResult).start
        manifest = replace(
            draft.manifest,
            artefacts=tuple(proven(artefact, verified, benched) for artefact in draft.manifest.artefacts),
            provenance={
                **draft.manifest.provenance,
                "recipe": msgspec.to_builtins(job.recipe),
                "benched_on": benched.environment,
                "note": job.recipe.note,
                **({} if start is None else {"start": msgspec.to_builtins(start)}),
            },
        )
        files: dict[str, Path | bytes] = {name: draft.read(name) for name in draft.manifest.files}
        way = job.inputs["compress"] / COMPRESSION
        if evidence.read(way, CompressResult).steps:
            files[COMPRESSION] = way
        write_bundle(job.out / "bundle", manifest, files)

    def ensures(self, out: Path) -> None:
        """Raise unless the bundle opens and every artefact carries accuracy, and latency if its engine was here."""
        for artefact in open_bundle((out / "bundle").resolve()).manifest.artefacts:
            emulated = any(figure.how == "emulated" for figure in artefact.accuracy.values())
            if not artefact.accuracy or not (artefact.latency or emulated):
                raise StageError(f"seal: {artefact.name} carries no accuracy or no latency")


def proven(artefact: Artefact, verified: VerifyResult, benched: BenchResult) -> Artefact:
    """Return `artefact` with what was found about it: parity, accuracy, latency, and whether its gates hold."""
    verdict = next(verdict for verdict in verified.verdicts if verdict.artefact == artefact.name)
    lost = {"drop": verdict.drop, "total_drop": verdict.total_drop}
    accuracy = {**verdict.figures, **{name: drop for name, drop in lost.items() if drop is not None}}
    latency = {
        f"{run.scenario}.{name}": figure
        for run in benched.runs
        if run.artefact == artefact.name
        for name, figure in run.figures.items()
    }
    passed = all(gate.passed for gate in verified.gates if gate.artefact == artefact.name)
    return replace(artefact, parity=verdict.parity, accuracy=accuracy, latency=latency, passed=passed)
