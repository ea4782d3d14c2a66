"""What it weighs."""

from edgecnn.report import charts, wording
from edgecnn.report.blocks import Absent, Cell, Chart, Charts, Section, Table
from edgecnn.report.facts import ArtefactFacts, ReportFacts


def build(facts: ReportFacts) -> Section | Absent:
    """Return each artefact's bytes and its files."""
    weighed = [artefact for artefact in facts.artefacts if artefact.files]
    if not weighed:
        return Absent("Sizes are not known: there is no sealed bundle.")
    rows = tuple(
        (
            Cell(artefact.name if i == 0 else ""),
            Cell(name.rpartition("/")[2]),
            Cell(wording.bytes_text(record.size_bytes)),
        )
        for artefact in weighed
        for i, (name, record) in enumerate(artefact.files.items())
    )
    table = Table("Bytes counted in the bundle, without compression.", ("Artefact", "file", "size"), rows)
    return Section("size", "Size", (Charts((_chart(weighed),)), table))


def _chart(weighed: list[ArtefactFacts]) -> Chart:
    ordered = sorted(weighed, key=lambda artefact: -artefact.size_bytes)
    told = "; ".join(f"{artefact.name} {wording.bytes_text(artefact.size_bytes)}" for artefact in ordered)
    with charts.drawing("Size on disk", f"Size on disk: {told}.", height_pt=70 + 34 * len(ordered)) as made:
        axes = made.axes[0]
        for row, artefact in enumerate(ordered):
            size_mb = artefact.size_bytes / 1e6
            axes.barh(row, size_mb, height=0.58, color=charts.colour_of(artefact))
            charts.beside(axes, wording.bytes_text(artefact.size_bytes), size_mb, row)
        axes.margins(x=0.2)
        charts.bar_rows(axes, [artefact.name for artefact in ordered], "MB (shorter is better)")
    return made.chart
