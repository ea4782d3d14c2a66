"""The verify stage: the draft bundle against golden outputs and the validation set."""

from pathlib import Path
from typing import Any

from edgecnn.core import evidence, stand_ins
from edgecnn.core.bundle import open_bundle
from edgecnn.core.compress_evidence import UNCOMPRESSED_FILE
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import VerifyResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.stage import Job
from edgecnn.core.versions import ENGINE_PACKAGES, installed
from edgecnn.data.split import LABELS_READ_BY, read_split
from edgecnn.verify.verify import verify

RESULT = "verify.json"


class VerifyStage:
    """Leaves `verify.json` (`VerifyResult`) and its gallery's pictures. A failed gate is a result, not an error."""

    name = "verify"
    needs: tuple[str, ...] = ("data", "compress", "compile")
    code = ("edgecnn.verify", "edgecnn.metrics", "edgecnn.runtime", "edgecnn.core", *LABELS_READ_BY)

    def parameters(self, recipe: Recipe) -> Any:
        """Return tolerances and gates, and the engines' versions."""
        return {
            "task": recipe.task,
            "verify": recipe.verify,
            "threads": recipe.bench.threads,
            "versions": installed(ENGINE_PACKAGES),
        }

    def run(self, job: Job) -> None:
        """Judge every artefact of the draft bundle on every validation frame."""
        bundle = job.inputs["compile"] / "bundle"
        artefacts = [artefact.name for artefact in open_bundle(bundle.resolve()).manifest.artefacts]
        samples = list(read_split(job.inputs["data"], "val", job.recipe))
        settings, threads = job.recipe.verify, job.recipe.bench.threads
        # The compress stage leaves it only where the recipe has steps.
        whole = job.inputs["compress"] / UNCOMPRESSED_FILE
        uncompressed = whole.resolve() if whole.is_file() else None
        simulated = {name: file.read_bytes() for name, file in stand_ins.kept(job.inputs["compile"]).items()}
        found = verify(bundle.resolve(), artefacts, samples, settings, threads, job.out, uncompressed, simulated)
        evidence.write(job.out / RESULT, found)

    def ensures(self, out: Path) -> None:
        """Raise unless there is a verdict on at least one artefact."""
        if not evidence.read(out / RESULT, VerifyResult).verdicts:
            raise StageError("verify: no artefact was judged")
