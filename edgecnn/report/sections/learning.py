"""How the network learned."""

from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from edgecnn.core.evidence import Epoch, Start, TrainResult
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Absent, Cell, Chart, Charts, Pairs, Section, Table
from edgecnn.report.facts import ReportFacts

_MAX_ROWS = 12


def build(facts: ReportFacts) -> Section | Absent:
    """Return the learning curve with its best epoch, or say that none came with it."""
    train = facts.train
    if train is None or not train.curve:
        return Absent("No learning curve: the network was not trained in this run.")
    seconds = sum(epoch.seconds for epoch in train.curve)
    pairs = [
        ("Network", f"{train.model}, {train.parameters:,} parameters"),
        ("Trained on", f"{train.device}, {len(train.curve)} epochs in {_duration(seconds)}"),
        ("Best epoch", f"{train.best_epoch}, by {train.figure} of the averaged weights"),
    ]
    if train.start is not None:
        pairs.append(("Started from", _start(train.start)))
    return Section("learning", "Learning curve", (Charts((_chart(train),)), Pairs("", tuple(pairs)), _table(train)))


def _start(start: Start) -> str:
    whole = start.taken + len(start.fresh)
    return f"{start.weights} ({start.sha256[:12]}), {start.taken} of {whole} tensors"


def _chart(train: TrainResult) -> Chart:
    epochs = [epoch.epoch for epoch in train.curve]
    judged = [(epoch.epoch, epoch.figure) for epoch in train.curve if epoch.figure is not None]
    best = dict(judged).get(train.best_epoch)
    alt = f"Loss falls from {train.curve[0].loss:.3g} to {train.curve[-1].loss:.3g}; best epoch {train.best_epoch}"
    alt += f" with {train.figure} {best:.4f}." if best is not None else "."
    panels = (1.25, 1.0) if judged else (1.0,)
    with charts.drawing("Learning curve", alt, height_pt=290, panels=panels) as made:
        loss = made.axes[-1]
        loss.plot(epochs, [epoch.loss for epoch in train.curve], color=charts.NEUTRAL)
        if min(epoch.loss for epoch in train.curve) > 0:
            loss.set_yscale("log")
            loss.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            loss.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            loss.yaxis.set_minor_formatter(NullFormatter())
        loss.set_ylabel("training loss")
        loss.set_xlabel("epoch")
        if judged:
            figure = made.axes[0]
            figure.plot([x for x, _ in judged], [y for _, y in judged], color=charts.ACCENT, marker="o", markersize=3)
            figure.set_ylabel(train.figure)
        if best is not None:
            made.axes[0].plot([train.best_epoch], [best], "o", ms=8, mfc="none", mec=charts.INK, mew=1.4)
            made.axes[0].annotate(
                f"best: {best:.4f} at epoch {train.best_epoch}",
                (train.best_epoch, best),
                xytext=(-7, -34),
                textcoords="offset points",
                ha="right" if train.best_epoch > epochs[len(epochs) // 2] else "left",
                color=charts.INK,
            )
        for axes in made.axes:
            axes.grid(visible=True)
            axes.axvline(train.best_epoch, color=charts.INK, linewidth=0.8, linestyle=(0, (2, 3)))
    return made.chart


def _table(train: TrainResult) -> Table:
    kept = _thinned(train.curve, train.best_epoch)
    rows = tuple(
        (
            Cell(str(epoch.epoch), "best" if epoch.epoch == train.best_epoch else ""),
            Cell(f"{epoch.loss:.4g}"),
            Cell("not judged" if epoch.figure is None else f"{epoch.figure:.4f}"),
            Cell(f"{epoch.learning_rate:.2g}"),
            Cell(_duration(epoch.seconds)),
        )
        for epoch in kept
    )
    more = "" if len(kept) == len(train.curve) else f"{len(kept)} of {len(train.curve)} epochs; all are in the JSON. "
    caption = f"{more}Measured once an epoch, so without an interval."
    return Table(caption, ("Epoch", "loss", train.figure, "learning rate", "time"), rows)


def _thinned(curve: tuple[Epoch, ...], best: int) -> list[Epoch]:
    """Return at most a screenful of epochs, evenly spread, with the best and the last among them."""
    stride = -(-len(curve) // _MAX_ROWS)
    return [one for i, one in enumerate(curve) if i % stride == 0 or one.epoch == best or one is curve[-1]]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{wording.number(seconds, 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
