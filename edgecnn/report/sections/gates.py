"""What had to hold, and whether it did."""

from edgecnn.core.evidence import Gate
from edgecnn.report.blocks import Absent, Cell, Section, Table
from edgecnn.report.facts import ReportFacts


def build(facts: ReportFacts) -> Section | Absent:
    """Return every gate with its limit, its value and its margin, the missed ones first."""
    gates = facts.verify.gates if facts.verify else ()
    if not gates:
        return Absent("No list of gates came with it; the artefact table shows what was judged.")
    rows = tuple(_row(gate) for gate in sorted(gates, key=lambda gate: gate.passed))
    caption = "Each gate is judged on the value itself; how far the interval reaches is in the tables of its figure."
    return Section(
        "gates", "Gates", (Table(caption, ("Gate", "artefact", "limit", "value", "margin", "result"), rows),)
    )


def _row(gate: Gate) -> tuple[Cell, ...]:
    margin = abs(gate.value - gate.limit)
    held = Cell("pass", status="pass") if gate.passed else Cell("fail", status="fail")
    return (
        Cell(gate.rule, gate.text),
        Cell(gate.artefact),
        Cell(_short(gate.limit)),
        Cell(_short(gate.value)),
        Cell(_short(margin), "to spare" if gate.passed else "missed by"),
        held,
    )


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
