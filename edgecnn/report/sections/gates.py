"""What had to hold, and whether it did."""

from edgecnn.core.evidence import Gate
from edgecnn.report.blocks import Absent, Cell, Notice, Section, Table
from edgecnn.report.facts import ReportFacts


def build(facts: ReportFacts) -> Section | Absent:
    """Return every gate with its value, its limit and its margin, the missed ones first."""
    gates = facts.verify.gates if facts.verify else ()
    if not gates:
        return Absent("No list of gates came with it; the artefact table shows what was judged.")
    missed = tuple(Notice("fail", f"{gate.text}.") for gate in gates if not gate.passed)
    rows = tuple(_row(gate) for gate in sorted(gates, key=lambda gate: gate.passed))
    caption = "Each gate is judged on the value itself; how far the interval reaches is in the tables of its figure."
    table = Table(caption, ("Artefact", "result", "value", "limit", "margin"), rows)
    return Section("gates", "Gates", (*missed, table))


def _row(gate: Gate) -> tuple[Cell, ...]:
    return (
        Cell(gate.artefact, gate.rule),
        Cell("pass", status="pass") if gate.passed else Cell("fail", status="fail"),
        Cell(_short(gate.value)),
        Cell(_short(gate.limit)),
        Cell(_short(abs(gate.value - gate.limit)), "to spare" if gate.passed else "missed by"),
    )


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
