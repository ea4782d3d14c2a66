"""Curves of an evaluation as charts: miss rate over false positives per image, precision over recall."""

from collections.abc import Sequence
from typing import Final

from edgecnn.core.eval_evidence import Curve, EvalResult
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Chart, Charts, Section, Text

_COLOURS: Final = (charts.ACCENT, charts.BLUE, charts.VIOLET, charts.NEUTRAL)
_LINES: Final = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (7, 2, 1.2, 2)))
_LEAST_MISS: Final = 0.01
_FPPI: Final = (0.01, 0.1, 1.0, 10.0)


def curves(found: EvalResult) -> Section | None:
    """Return both charts, or None where there is no curve."""
    kinds = {kind: [curve for curve in found.curves if curve.kind == kind] for kind in ("miss_rate", "precision")}
    made = [
        draw(shown) for shown, draw in ((kinds["miss_rate"], _miss_rate), (kinds["precision"], _precision)) if shown
    ]
    if not made:
        return None
    text = (
        "Each point is a score threshold. The log-average miss rate reads the left chart at nine places from 0.01 to 1 "
        "false positives per image; average precision is the area under the right one."
    )
    return Section("curves", "Curves", (Text(text), Charts(tuple(made))))


def _miss_rate(shown: Sequence[Curve]) -> Chart:
    told = "; ".join(f"{curve.name} ends at {wording.number(100 * curve.y[-1], 1)} % missed" for curve in shown)
    with charts.drawing("Miss rate", f"Share of people missed over false positives per image: {told}.") as made:
        axes = made.axes[0]
        for place, curve in enumerate(shown):
            axes.step(
                curve.x,
                [max(y, _LEAST_MISS) for y in curve.y],
                where="post",
                color=_COLOURS[place % len(_COLOURS)],
                linestyle=_LINES[place % len(_LINES)],
                label=curve.name,
            )
        axes.axvspan(0.01, 1.0, color=charts.GRID, alpha=0.35, linewidth=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(1e-3, 10)
        axes.set_ylim(_LEAST_MISS, 1.05)
        axes.set_xticks(_FPPI, [f"{value:g}" for value in _FPPI])
        ticks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
        axes.set_yticks(ticks, [f"{100 * value:g}" for value in ticks])
        axes.minorticks_off()
        axes.grid(visible=True)
        axes.set_xlabel("false positives per image")
        axes.set_ylabel("missed, %")
        charts.legend_above(axes, columns=4)
    return made.chart


def _precision(shown: Sequence[Curve]) -> Chart:
    told = "; ".join(
        f"{curve.name} reaches {wording.number(100 * (curve.x[-1] if curve.x else 0), 1)} % recall" for curve in shown
    )
    with charts.drawing("Precision and recall", f"Best precision at each recall or beyond: {told}.") as made:
        axes = made.axes[0]
        for place, curve in enumerate(shown):
            axes.step(
                [100 * x for x in (0.0, *curve.x)],
                [100 * y for y in (*curve.y[:1], *curve.y)],
                where="pre",
                color=_COLOURS[place % len(_COLOURS)],
                linestyle=_LINES[place % len(_LINES)],
                label=curve.name,
            )
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 102)
        axes.grid(visible=True)
        axes.set_xlabel("recall, %")
        axes.set_ylabel("precision, %")
        charts.legend_above(axes)
    return made.chart
