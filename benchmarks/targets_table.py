"""The target table's rows, and how they are printed."""

from dataclasses import dataclass

from edgecnn.core.measure import Measurement

WIDEST_REASON = 160


@dataclass(frozen=True, slots=True)
class Cell:
    """A model on a target in a precision; `refused` tells in one line why there are no figures.

    Attributes:
        error: against FP32 in ONNX Runtime, of the worst output.
        agreement: of decisions with FP32, percent.
        apart: against the graph that the target was given; None for FP32.
        tolerance: what `apart`, or for FP32 `error`, may be.
        within: whether it is.
    """

    model: str
    target: str
    precision: str
    refused: str = ""
    error: float | None = None
    agreement: float | None = None
    apart: float | None = None
    tolerance: float | None = None
    within: bool | None = None
    int8_nodes: int = 0
    kib: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rival:
    """INT8 of edgecnn and of the engine's own quantizer: points each loses to FP32, and those ours loses to theirs."""

    model: str
    target: str
    refused: str = ""
    ours: Measurement | None = None
    own: Measurement | None = None
    worse: Measurement | None = None
    figure: str = ""

    @property
    def verdict(self) -> str:
        """Whether ours is at least as accurate."""
        if self.ours is None or self.own is None:
            return "not compared"
        behind = self.worse.value if self.worse is not None else self.ours.value - self.own.value
        if behind <= 0:
            return "yes"
        told_apart = self.worse is not None and (self.worse.low or 0.0) > 0
        return "NO" if told_apart or self.worse is None else "not told apart"


def table(cells: list[Cell]) -> str:
    """Return the rows as Markdown."""
    head = ["model", "target", "precision", "error", "agreement", "engine", "tolerance", "within", "INT8 nodes", "KiB"]
    lines = [_row(head), _row(["---"] * 3 + ["---:"] * 4 + ["---"] + ["---:"] * 2)]
    for cell in cells:
        name = [cell.model, cell.target, cell.precision]
        if cell.refused:
            lines.append(_row([*name, *["-"] * 4, f"refused: {cell.refused[:WIDEST_REASON]}", "-", "-"]))
            continue
        nodes = str(cell.int8_nodes) if cell.precision == "int8" else "-"
        figures = [_error(cell.error), _percent(cell.agreement), _error(cell.apart), _error(cell.tolerance)]
        lines.append(_row([*name, *figures, "yes" if cell.within else "NO", nodes, f"{cell.kib:.0f}"]))
    return "\n".join(lines)


def summary(cells: list[Cell]) -> list[str]:
    """Return what the table comes to, a line a target."""
    lines = []
    for target in dict.fromkeys(cell.target for cell in cells):
        own = [cell for cell in cells if cell.target == target]
        within, refused = sum(cell.within is True for cell in own), sum(bool(cell.refused) for cell in own)
        outside = [f"{cell.model} {cell.precision}" for cell in own if cell.within is False]
        told = f"; outside: {', '.join(outside)}" if outside else ""
        lines.append(f"- {target}: {within} of {len(own)} within tolerance, {refused} refused{told}")
    return lines


def rivals_table(rivals: list[Rival]) -> str:
    """Return the comparison with the engines' own quantizers as Markdown."""
    head = [
        "model",
        "target",
        "judged by",
        "edgecnn loses",
        "its own loses",
        "edgecnn behind its own",
        "at least as good",
    ]
    lines = ["", _row(head), _row(["---"] * 7)]
    for one in rivals:
        if one.refused:
            lines.append(_row([one.model, one.target, "-", "-", "-", one.refused[:WIDEST_REASON], one.verdict]))
            continue
        points = [_points(value) for value in (one.ours, one.own, one.worse)]
        lines.append(_row([one.model, one.target, one.figure, *points, one.verdict]))
    return "\n".join(lines)


def _points(value: Measurement | None) -> str:
    if value is None:
        return "-"
    span = "" if value.low is None or value.high is None else f" [{value.low:.2f}, {value.high:.2f}]"
    return f"{value.value:.2f}{span} n={value.n}"


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}" if value < 0.001 else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
