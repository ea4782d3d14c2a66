"""Every artefact in one table and one chart: what it costs and what it gives."""

from typing import Final

from edgecnn.core.measure import Measurement
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Absent, Block, Cell, Chart, Charts, Section, Table
from edgecnn.report.facts import ArtefactFacts, ReportFacts
from edgecnn.report.verdict import baseline, ratio

_CHART_PT: Final = 262
PASSED: Final = {True: Cell("pass", status="pass"), False: Cell("fail", status="fail"), None: Cell("not judged")}


def build(facts: ReportFacts) -> Section | Absent:
    """Return the table of artefacts, with the trade between accuracy and latency where both are known."""
    if not facts.artefacts:
        return Absent("There is no artefact to compare.")
    slow = baseline(facts)
    rows = tuple(_row(facts, artefact, slow) for artefact in facts.artefacts)
    total = any(artefact.total_drop is not None for artefact in facts.artefacts)
    drop = "lost, all in all" if total else "drop"
    columns = ("Artefact", facts.figure or "figure", drop, "latency p50", "speed", "size", "gates")
    caption = (
        f"Latency is frame to result, single stream. Speed is against {slow.name}. " if slow else ""
    ) + wording.how_told(_all_figures(facts, slow))
    if total:
        caption += " Points lost are counted from the uncompressed network in FP32, paired by frame."
    blocks: tuple[Block, ...] = (*_trade(facts), Table(caption, columns, rows))
    return Section("artefacts", "Artefacts compared", blocks)


def _row(facts: ReportFacts, artefact: ArtefactFacts, slow: ArtefactFacts | None) -> tuple[Cell, ...]:
    figure = artefact.figures.get(facts.figure)
    drop = (
        wording.cell(artefact.lost)
        if artefact.lost
        else Cell("reference" if artefact.name == facts.reference else "unknown")
    )
    speed = Cell("baseline") if artefact is slow else wording.cell(ratio(facts, slow, artefact) if slow else None)
    return (
        Cell(artefact.name, artefact.title),
        wording.cell(wording.share(figure) if figure else None),
        drop,
        wording.cell(artefact.latency),
        speed,
        Cell(wording.bytes_text(artefact.size_bytes), "counted") if artefact.files else Cell("unknown"),
        PASSED[artefact.passed],
    )


def _all_figures(facts: ReportFacts, slow: ArtefactFacts | None) -> dict[str, Measurement]:
    found: dict[str, Measurement | None] = {}
    for one in facts.artefacts:
        speed = ratio(facts, slow, one) if slow is not None and one is not slow else None
        named = {"figure": one.figures.get(facts.figure), "drop": one.lost, "latency": one.latency, "speed": speed}
        found |= {f"{one.name} {key}": value for key, value in named.items()}
    return {key: value for key, value in found.items() if value is not None}


def _trade(facts: ReportFacts) -> tuple[Charts, ...]:
    points = [
        (artefact, wording.share(artefact.figures[facts.figure]), artefact.latency)
        for artefact in facts.artefacts
        if facts.figure in artefact.figures and artefact.latency is not None
    ]
    if len(points) < 2:
        return ()
    return (Charts((_trade_chart(facts, points), _speed_chart(facts))),)


def _trade_chart(facts: ReportFacts, points: list[tuple[ArtefactFacts, Measurement, Measurement]]) -> Chart:
    told = "; ".join(f"{a.name} {wording.value_text(figure)} at {wording.value_text(ms)}" for a, figure, ms in points)
    title = f"{facts.figure.capitalize()} against latency"
    with charts.drawing(title, f"{title}: {told}.", height_pt=_CHART_PT) as made:
        axes = made.axes[0]
        for artefact, figure, latency in points:
            axes.errorbar(
                [latency.value],
                [figure.value],
                xerr=_reach(latency),
                yerr=_reach(figure),
                color=charts.colour_of(artefact),
                marker=charts.marker_of(artefact, facts.artefacts),
                markersize=7,
                linestyle="none",
                elinewidth=1.4,
                capsize=3,
            )
            charts.key(axes, artefact, facts.artefacts)
        axes.set_xlim(left=0)
        axes.margins(y=0.2)
        axes.grid(visible=True)
        axes.set_xlabel("latency p50, ms (left is better)")
        axes.set_ylabel(f"{facts.figure}, {points[0][1].unit or 'figure'} (up is better)")
        charts.legend_above(axes)
    return made.chart


def _speed_chart(facts: ReportFacts) -> Chart:
    timed = [(one, one.latency) for one in facts.artefacts if one.latency is not None]
    timed.sort(key=lambda pair: -pair[1].value)
    told = "; ".join(f"{one.name} {wording.value_text(ms)}" for one, ms in timed)
    title = "Median latency, frame to result"
    with charts.drawing(title, f"{title}: {told}.", height_pt=max(_CHART_PT, 70 + 34 * len(timed))) as made:
        axes = made.axes[0]
        for row, (artefact, latency) in enumerate(timed):
            axes.barh(row, latency.value, height=0.58, color=charts.colour_of(artefact))
            axes.errorbar([latency.value], [row], xerr=_reach(latency), color=charts.INK, elinewidth=1.4, capsize=3)
            charts.beside(axes, wording.value_text(latency), latency.high or latency.value, row)
        axes.margins(x=0.2)
        charts.bar_rows(axes, [artefact.name for artefact, _ in timed], "ms (shorter is better)")
    return made.chart


def _reach(measurement: Measurement) -> list[list[float]] | None:
    """Return the interval as matplotlib wants it: distances from the value."""
    if measurement.low is None or measurement.high is None:
        return None
    value = measurement.value
    return [[max(value - measurement.low, 0.0)], [max(measurement.high - value, 0.0)]]
