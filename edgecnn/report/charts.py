"""Charts as inline SVG in the colours of the page, light or dark, drawn by matplotlib without any display."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgecnn.report.blocks import Chart
from edgecnn.report.facts import ArtefactFacts

# Points; the page shows a chart at this width on a phone and at up to half as much again beside another on a desktop.
WIDTH_PT: Final = 372
_FONT_PT: Final = 10.5
_NAME_CHARS: Final = 20

# Each stands in the SVG as a colour that nothing else uses and becomes the style sheet's variable of that name.
INK, MUTED, GRID = "#010101", "#010102", "#010103"
ACCENT, NEUTRAL, BLUE, VIOLET = "#010105", "#010106", "#010107", "#010108"
_VARIABLES: Final = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    ACCENT: "--accent",
    NEUTRAL: "--neutral",
    BLUE: "--blue",
    VIOLET: "--violet",
}
_PRECISION_COLOURS: Final = {"fp32": NEUTRAL, "fp16": BLUE, "int8": ACCENT, "mixed": VIOLET}
_LINES: Final = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (7, 2, 1.2, 2)))
_MARKERS: Final = ("o", "s", "^", "D")

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": _FONT_PT,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": _FONT_PT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": _FONT_PT,
    "legend.labelcolor": INK,
    "figure.facecolor": "none",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


@dataclass(slots=True)
class Drawing:
    """A figure in the making; `chart` is there once the `drawing` block has ended."""

    axes: Sequence[Axes]
    chart: Chart


@contextmanager
def drawing(title: str, alt: str, *, height_pt: float = 230, panels: tuple[float, ...] = (1.0,)) -> Iterator[Drawing]:
    """Yield a `Drawing` with one axes a panel, stacked with the given height shares; its `chart` is made at the end.

    Args:
        title: the chart's heading on the page.
        alt: one sentence with what the chart shows, for those who can't see it.
        height_pt: height in points.
        panels: height shares of the stacked panels, which share their x axis.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(WIDTH_PT / 72, height_pt / 72), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=panels)[:, 0]
        made = Drawing(tuple(axes), Chart(title, "", alt))
        yield made
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        made.chart = Chart(title, _inline(buffer.getvalue(), alt), alt)


def colour_of(artefact: ArtefactFacts) -> str:
    """Return the series colour of an artefact: the precision decides it."""
    return _PRECISION_COLOURS.get(artefact.precision, INK)


def line_of(artefact: ArtefactFacts, artefacts: Sequence[ArtefactFacts]) -> Any:
    """Return the dash pattern of an artefact: its place among those of its precision decides it."""
    return _LINES[_place(artefact, artefacts) % len(_LINES)]


def marker_of(artefact: ArtefactFacts, artefacts: Sequence[ArtefactFacts]) -> str:
    """Return the marker of an artefact: its place among those of its precision decides it."""
    return _MARKERS[_place(artefact, artefacts) % len(_MARKERS)]


def key(axes: Axes, artefact: ArtefactFacts, artefacts: Sequence[ArtefactFacts]) -> None:
    """Give an artefact's marker a line in the legend, without the error bars that would blur it."""
    marker, colour = marker_of(artefact, artefacts), colour_of(artefact)
    axes.plot([], [], color=colour, marker=marker, linestyle="none", markersize=6, label=short(artefact.name))


def short(name: str) -> str:
    """Return a name that fits beside a bar; a long one loses its middle, as names differ at their ends."""
    if len(name) <= _NAME_CHARS:
        return name
    half = (_NAME_CHARS - 1) // 2
    return f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def legend_above(axes: Axes, columns: int = 2) -> None:
    """Put the legend above the plot, clear of the data."""
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - `drawing` made both
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, borderaxespad=0.1, handlelength=1.8, columnspacing=1.4
    )


def bar_rows(axes: Axes, names: Sequence[str], unit: str) -> None:
    """Name the rows of a chart of horizontal bars, the first on top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(unit)


def beside(axes: Axes, text: str, x: float, row: float) -> None:
    """Write a value right of where its bar or interval ends."""
    axes.annotate(text, (x, row), xytext=(6, 0), textcoords="offset points", va="center", color=INK)


def _place(artefact: ArtefactFacts, artefacts: Sequence[ArtefactFacts]) -> int:
    alike = sorted((one.engine, one.name) for one in artefacts if one.precision == artefact.precision)
    return alike.index((artefact.engine, artefact.name))


def _inline(svg: str, alt: str) -> str:
    """Cut an SVG file down to what an HTML page embeds: no prologue, no metadata, the page's colours and fonts."""
    view_box = re.search(r'viewBox="([^"]*)"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    # Group names repeat from chart to chart and nothing refers to them.
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href=", "href=")
    body = re.sub(r"\s*\n\s*", " ", body)
    body = re.sub(r"font-family: 'DejaVu Sans'[^;\"]*", "font-family: var(--font)", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(f"{colour};", f"var({variable});").replace(f'{colour}"', f'var({variable})"')
    opening = f'<svg viewBox="{view_box[1] if view_box else ""}" role="img" aria-label="{escape(alt)}">'
    return opening + body.strip()
