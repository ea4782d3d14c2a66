"""The three forms of a report, side by side in a folder."""

from pathlib import Path
from typing import Final

from edgecnn.core import atomic
from edgecnn.report import html_page, json_record, markdown_page
from edgecnn.report.facts import ReportFacts

FORMS: Final = {
    "report.html": html_page.build,
    "report.md": markdown_page.build,
    "report.json": json_record.build,
}


def write(folder: Path, facts: ReportFacts) -> tuple[Path, ...]:
    """Write every form into `folder`, each atomically, and return their paths; the page first."""
    paths = tuple(folder / name for name in FORMS)
    for path in paths:
        atomic.write_text(path, FORMS[path.name](facts))
    return paths
