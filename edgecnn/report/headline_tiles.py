"""The key figures under the verdict."""

from edgecnn.report import wording
from edgecnn.report.blocks import Cell, Tiles
from edgecnn.report.facts import ReportFacts
from edgecnn.report.verdict import baseline, chosen, ratio


def tiles(facts: ReportFacts) -> Tiles | None:
    """Return speed, figure, latency and size of the artefact the verdict speaks of; None where none was timed."""
    best, slow = chosen(facts), baseline(facts)
    if best is None:
        return None
    shown: list[tuple[str, Cell]] = []
    if slow is not None:
        shown.append((f"Speed against {slow.name}", wording.cell(ratio(facts, slow, best))))
    if facts.figure in best.figures:
        shown.append((f"{facts.figure.capitalize()}", wording.cell(wording.share(best.figures[facts.figure]))))
    shown.append(("Latency p50, frame to result", wording.cell(best.latency)))
    if best.files:
        size = Cell(wording.bytes_text(best.size_bytes), "counted")
        if slow is not None and slow.size_bytes:
            size = Cell(size.text, f"counted; {slow.name} has {wording.bytes_text(slow.size_bytes)}")
        shown.append(("Size", size))
    return Tiles(f"{best.title} ({best.name})", tuple(shown))
