"""The drift of a quantized network along its layers, and what each layer computes in."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from matplotlib.axes import Axes

from edgecnn.core.evidence import Drift, LayerDrift
from edgecnn.report import charts
from edgecnn.report.blocks import Chart
from edgecnn.report.drift_words import LIMIT_DB, db_text, share_text, worst

_HEIGHT_PT = 300
_STRIP_PT = 190
_NAMED = 3
_WIDE_PCT = 14.0
_NAME_SHARE = 0.25
_COLOURS = {"int8": charts.ACCENT, "float": charts.NEUTRAL}


def profile(artefact: str, drift: Drift) -> Chart | None:
    """Draw SNR and share of the error layer by layer; None where no layer was compared."""
    shown = [(x, layer) for x, layer in enumerate(drift.layers) if layer.snr_db is not None]
    if not shown:
        return None
    first = worst(drift, _NAMED)
    told = ", ".join(f"{layer.name} {share_text(layer.share)}" for layer in first) or "no layer"
    title = f"Signal to noise along the network, {artefact}"
    last = shown[-1][1]
    alt = f"{title}; it ends at {db_text(last.snr_db)}. Most of the error is born in {told}."
    with charts.drawing(title, alt, height_pt=_HEIGHT_PT, panels=(1.9, 1.0)) as made:
        _ratios(made.axes[0], drift, shown)
        bars, places = made.axes[1], {layer.name: x for x, layer in enumerate(drift.layers)}
        bars.bar(
            range(len(drift.layers)), [100 * layer.share for layer in drift.layers], width=0.9, color=charts.VIOLET
        )
        for layer in _apart(first, places):
            right = places[layer.name] > 0.6 * len(drift.layers)
            bars.annotate(
                charts.short(layer.name),
                (places[layer.name], 100 * layer.share),
                xytext=(-3 if right else 3, 1),
                textcoords="offset points",
                ha="right" if right else "left",
                color=charts.INK,
            )
        bars.set_ylim(0, 130 * max(*(layer.share for layer in drift.layers), 1e-3, 1e-3))
        bars.set_ylabel("share, %")
        bars.set_xlabel("layers in the order of execution")
        bars.grid(visible=True, axis="y")
    return made.chart


def _apart(first: Sequence[LayerDrift], places: Mapping[str, int]) -> list[LayerDrift]:
    """Return those layers whose names don't run into each other's; a larger share goes before."""
    named: list[LayerDrift] = []
    for layer in first:
        if all(abs(places[layer.name] - places[other.name]) > _NAME_SHARE * len(places) for other in named):
            named.append(layer)
    return named


def _ratios(axes: Axes, drift: Drift, shown: Sequence[tuple[int, LayerDrift]]) -> None:
    # Exact results would press all others to the floor of the plot.
    known = [(x, layer.snr_db) for x, layer in shown if layer.snr_db is not None and layer.snr_db < LIMIT_DB]
    born = [(x, layer.born_db) for x, layer in enumerate(drift.layers) if layer.born_db is not None]
    born = [(x, y) for x, y in born if y < LIMIT_DB]
    axes.plot([x for x, _ in known], [y for _, y in known], color=charts.ACCENT, label="accumulated")
    axes.plot(
        [x for x, _ in born],
        [y for _, y in born],
        color=charts.NEUTRAL,
        marker="o",
        markersize=3,
        linestyle="none",
        label="of this layer alone",
    )
    axes.set_ylabel("SNR, dB")
    axes.grid(visible=True)
    charts.legend_above(axes)


def strip(artefact: str, drift: Drift) -> Chart | None:
    """Draw what each layer computes in, once with all layers alike, once as wide as its time or multiply-adds."""
    layers = [layer for layer in drift.layers if layer.precision != "moved"]
    timed = any(layer.time_ms is not None for layer in layers)
    weights = [(layer.time_ms or 0.0) if timed else float(layer.macs) for layer in layers]
    if not layers or not sum(weights):
        return None
    unit = "time" if timed else "multiply-adds"
    rows = {"layers": [1.0] * len(layers), unit: weights}
    parts = {
        name: sum(w for w, layer in zip(row, layers, strict=True) if layer.precision == "int8") / sum(row)
        for name, row in rows.items()
    }
    title = f"Precision along the network, {artefact}"
    told = " and ".join(f"{share_text(part)} of the {name}" for name, part in parts.items())
    with charts.drawing(title, f"{title}: {told} in INT8.", height_pt=_STRIP_PT) as made:
        axes = made.axes[0]
        for row, lengths in enumerate(rows.values()):
            _segments(axes, row, layers, [100 * length / sum(lengths) for length in lengths])
        for precision, colour in _COLOURS.items():
            axes.barh([0], [0], color=colour, label=precision.upper() if precision == "int8" else precision)
        axes.set_xlim(0, 100)
        charts.bar_rows(axes, list(rows), f"%, first layer left; INT8:\n{told}")
        axes.grid(visible=False)
        charts.legend_above(axes)
    return made.chart


def _segments(axes: Axes, row: int, layers: Sequence[LayerDrift], widths: Sequence[float]) -> None:
    """Draw neighbours of one precision as one bar, without seams; name wide layers in float."""
    left = 0.0
    seen = [pair for pair in zip(layers, widths, strict=True) if pair[1] > 0]
    for precision, run in groupby(seen, lambda pair: pair[0].precision):
        start = left
        for layer, width in run:
            if width >= _WIDE_PCT and precision == "float":
                place = (left + width / 2, row + 0.34)
                axes.annotate(charts.short(layer.name), place, xytext=(0, -11), textcoords="offset points", ha="center")
            left += width
        axes.barh(row, left - start, left=start, height=0.62, color=_COLOURS[precision], linewidth=0)
