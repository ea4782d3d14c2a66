"""The report stage: what training, compression, verification, bench and seal left, as one page, Markdown and JSON."""

from pathlib import Path
from typing import Any, final

import msgspec

from edgecnn.core.atomic import sha256_bytes
from edgecnn.core.errors import StageError
from edgecnn.core.recipe import Recipe
from edgecnn.core.stage import Job
from edgecnn.report.facts import gather
from edgecnn.report.html_page import TEMPLATES
from edgecnn.report.write import FORMS, write


@final
class ReportStage:
    """Leaves `report.html`, `report.md` and `report.json`."""

    name = "report"
    needs: tuple[str, ...] = ("train", "compress", "qat", "verify", "bench", "seal")
    code = ("edgecnn.report", "edgecnn.runtime.drawing", "edgecnn.core")

    def parameters(self, recipe: Recipe) -> Any:
        """Return the recipe and the digests of the templates, which the code's own digest leaves out."""
        templates = {file.name: sha256_bytes(file.read_bytes()) for file in TEMPLATES.iterdir() if file.is_file()}
        return {"recipe": msgspec.to_builtins(recipe), "templates": templates}

    def run(self, job: Job) -> None:
        """Write the report of this run."""
        write(job.out, gather({name: folder.resolve() for name, folder in job.inputs.items()}))

    def ensures(self, out: Path) -> None:
        """Raise `StageError` unless every form is there and the page is whole."""
        for name in FORMS:
            if not (out / name).is_file():
                raise StageError(f"report: {name} was not written")
        if not (out / "report.html").read_text("utf-8").rstrip().endswith("</html>"):
            raise StageError("report: report.html is cut off")
