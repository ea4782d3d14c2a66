"""The way of a compression as pictures: accuracy against latency step by step, channels left, learning curves."""

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.ticker import MaxNLocator

from edgecnn.core.compress_evidence import CompressedStep, CompressResult, NetworkFigures
from edgecnn.core.measure import Measurement
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Chart
from edgecnn.report.compress_words import ORIGINAL, step_names, widths

_HEIGHT_PT: Final = 262
_MOST_BARS: Final = 24
# What a letter and a line of text take of a plot's width and height.
_LETTER: Final = 0.021
_LINE: Final = 0.075
_LINE_PT: Final = 15
_CURVE_EPOCHS: Final = 2


def path(way: CompressResult, target: str) -> Chart | None:
    """Draw the way from the uncompressed network in one target; None where fewer than two networks were timed."""
    assert way.original is not None  # noqa: S101 - a way of some steps begins there
    stops = [(ORIGINAL, way.original), *zip(step_names(way), (step.result for step in way.steps), strict=True)]
    timed = [(name, found, found.latency[target]) for name, found in stops if target in found.latency]
    if len(timed) < 2:
        return None
    engine = wording.ENGINES.get(target, target)
    title = f"{way.figure.capitalize()} against latency, step by step, {engine}"
    told = "; ".join(
        f"{name} {wording.value_text(wording.share(found.figure))} at {wording.value_text(ms)}"
        for name, found, ms in timed
    )
    with charts.drawing(title, f"{title}: {told}.", height_pt=_HEIGHT_PT) as made:
        axes = made.axes[0]
        xs = [ms.value for _, _, ms in timed]
        ys = [wording.share(found.figure).value for _, found, _ in timed]
        axes.plot(xs, ys, color=charts.NEUTRAL, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
        for place, (_, found, ms) in enumerate(timed):
            colour = charts.NEUTRAL if place == 0 else charts.ACCENT if place == len(timed) - 1 else charts.BLUE
            axes.errorbar(
                [xs[place]],
                [ys[place]],
                xerr=_reach(ms),
                yerr=_lost_reach(found),
                color=colour,
                marker="o",
                markersize=7,
                elinewidth=1.4,
                capsize=3,
            )
        axes.set_xlim(0, 1.06 * max(ms.high or ms.value for _, _, ms in timed))
        axes.margins(y=0.25)
        axes.grid(visible=True)
        axes.set_xlabel("latency, ms (left is better)")
        axes.set_ylabel(f"{way.figure}, {wording.share(timed[0][1].figure).unit or 'figure'} (up is better)")
        _label(axes, [name for name, _, _ in timed], xs, ys)
    return made.chart


def _label(axes: Any, names: Sequence[str], xs: Sequence[float], ys: Sequence[float]) -> None:
    """Name every stop beside it, as near as the names written before leave room."""
    wide, high = axes.get_xlim()[1], max(axes.get_ylim()[1] - axes.get_ylim()[0], 1e-9)
    taken: list[tuple[float, float, float]] = []
    for name, x, y in zip(names, xs, ys, strict=True):
        length = _LETTER * len(name) * wide
        inward = x < 0.6 * wide
        boxes = {
            (right, lines): (x if right else x - length, x + length if right else x, y + high * _LINE * lines)
            for lines in (0.5, -0.5, 1.5, -1.5, 2.5, -2.5)
            for right in (inward, not inward)
        }
        free = [
            place
            for place, (left, end, at) in boxes.items()
            if left >= 0
            and end <= 1.05 * wide
            and not any(left < b and a < end and abs(at - other) < high * _LINE for a, b, other in taken)
        ]
        right, lines = free[0] if free else (inward, 0.5)
        taken.append(boxes[right, lines])
        axes.annotate(
            name,
            (x, y),
            xytext=(7 if right else -7, _LINE_PT * lines),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=charts.INK,
        )


def bars(way: CompressResult) -> Chart | None:
    """Draw each group's channels before and after; None where no channel was cut."""
    every = widths(way)
    cut = {name: pair for name, pair in every.items() if pair[1] < pair[0]}
    if not cut:
        return None
    most = sorted(every, key=lambda name: every[name][1] / every[name][0])[:_MOST_BARS]
    shown = {name: every[name] for name in every if name in most}
    before, after = (sum(pair[end] for pair in every.values()) for end in (0, 1))
    title = "Channels of each group of layers, before and after"
    alt = f"{title}: {len(cut)} of {len(every)} groups were cut, {before:,} channels became {after:,}."
    with charts.drawing(title, alt, height_pt=max(_HEIGHT_PT, 70 + 17 * len(shown))) as made:
        axes = made.axes[0]
        axes.barh(range(len(shown)), [a for a, _ in shown.values()], height=0.66, color=charts.GRID, label="before")
        axes.barh(range(len(shown)), [b for _, b in shown.values()], height=0.66, color=charts.ACCENT, label="after")
        for row, (wide, left) in enumerate(shown.values()):
            charts.beside(axes, f"{wide:,}" if wide == left else f"{wide:,} to {left:,}", wide, row)
        axes.margins(x=0.24)
        hidden = f"; {len(every) - len(shown)} that lost less not shown" if len(shown) < len(every) else ""
        charts.bar_rows(axes, list(shown), f"channels{hidden}")
        axes.tick_params(axis="y", labelsize=9)
        charts.legend_above(axes)
    return made.chart


def curve(way: CompressResult, name: str, step: CompressedStep) -> Chart | None:
    """Draw how a step's last recovery went; None where there is no curve to speak of."""
    if len(step.curve) < _CURVE_EPOCHS:
        return None
    epochs = [epoch.epoch for epoch in step.curve]
    judged = [(epoch.epoch, epoch.figure) for epoch in step.curve if epoch.figure is not None]
    title = f"Last recovery of step {name}"
    alt = f"{title}: the loss goes from {step.curve[0].loss:.3g} to {step.curve[-1].loss:.3g}"
    alt += f", {way.figure} from {judged[0][1]:.4f} to {judged[-1][1]:.4f}." if judged else "."
    with charts.drawing(title, alt, height_pt=200, panels=(1.0, 1.0) if judged else (1.0,)) as made:
        loss = made.axes[-1]
        loss.plot(epochs, [epoch.loss for epoch in step.curve], color=charts.NEUTRAL, marker="o", markersize=3)
        loss.set_ylabel("loss")
        loss.set_xlabel("epoch")
        loss.xaxis.set_major_locator(MaxNLocator(integer=True))
        if judged:
            figure = made.axes[0]
            figure.plot([x for x, _ in judged], [y for _, y in judged], color=charts.ACCENT, marker="o", markersize=3)
            figure.set_ylabel(way.figure)
        for axes in made.axes:
            axes.grid(visible=True)
    return made.chart


def _lost_reach(found: NetworkFigures) -> list[list[float]] | None:
    """Return the interval of the loss: paired with the original by frame, it is what two stops differ by."""
    return _reach(found.drop, turned=True) if found.drop is not None else None


def _reach(measurement: Measurement, *, turned: bool = False) -> list[list[float]] | None:
    if measurement.low is None or measurement.high is None:
        return None
    below = [max(measurement.value - measurement.low, 0.0)]
    above = [max(measurement.high - measurement.value, 0.0)]
    return [above, below] if turned else [below, above]
