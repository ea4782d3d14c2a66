"""One section a file. `SECTIONS` is their order; a new section is a file and a line here."""

from collections.abc import Callable
from typing import Final

from edgecnn.report.blocks import Absent, Section
from edgecnn.report.facts import ReportFacts
from edgecnn.report.sections import (
    accuracy,
    artefacts,
    compression,
    gallery,
    gates,
    latency,
    learning,
    provenance,
    quantization,
    size,
)

SECTIONS: Final[tuple[Callable[[ReportFacts], Section | Absent], ...]] = (
    artefacts.build,
    gates.build,
    accuracy.build,
    latency.build,
    gallery.build,
    compression.build,
    quantization.build,
    learning.build,
    size.build,
    provenance.build,
)


def build_all(facts: ReportFacts) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Return the sections that have something to show, and one sentence for each that has not."""
    built = [build(facts) for build in SECTIONS]
    shown = tuple(section for section in built if isinstance(section, Section))
    return shown, tuple(absent.reason for absent in built if isinstance(absent, Absent))
