"""The way from the trained network to the compressed one: what each step gave, what it cost and what it left alone."""

from collections.abc import Iterator

from edgecnn.core.compress_evidence import CompressedStep, CompressResult, NetworkFigures, PruneRound
from edgecnn.core.errors import listed
from edgecnn.core.measure import Measurement
from edgecnn.report import compress_charts, wording
from edgecnn.report.blocks import Absent, Block, Cell, Charts, Folded, Pairs, Section, Table, Text
from edgecnn.report.compress_words import ORIGINAL, Price, prices, step_names, targets, widths
from edgecnn.report.drift_words import by_reason
from edgecnn.report.facts import ReportFacts

_FEW = 3


def build(facts: ReportFacts) -> Section | Absent:
    """Return the pictures and tables of the compression, or say that none was asked for."""
    way = facts.compressed
    if way.original is None or not way.steps:
        return Absent("No compression: the recipe has no steps between training and export.")
    blocks: list[Block] = [Text(_told(way))]
    places = targets(way)
    drawn = [*(compress_charts.path(way, target) for target in places), compress_charts.bars(way)]
    if shown := tuple(chart for chart in drawn if chart is not None):
        blocks.append(Charts(shown))
    blocks.append(_steps(way, way.original, places))
    blocks.extend(_prices(way, target) for target in places)
    for name, step in zip(step_names(way), way.steps, strict=True):
        blocks.extend(_step(name, step))
    curves = [compress_charts.curve(way, name, step) for name, step in zip(step_names(way), way.steps, strict=True)]
    if learnt := tuple(chart for chart in curves if chart is not None):
        blocks.append(Charts(learnt))
    if channels := widths(way):
        text = "\n".join(f"{name}: {before} to {after}" for name, (before, after) in channels.items())
        blocks.append(Folded("Channels of every group, before and after", text))
    return Section("compression", "Compression", tuple(blocks))


def _told(way: CompressResult) -> str:
    return (
        f"Each network was judged by {way.figure} on {way.frames:,} frames that recovery chooses its best epoch by but "
        "does not learn from, and timed in turn with the uncompressed network, in FP32. Points lost are counted from "
        "the uncompressed network, paired by frame."
    )


def _steps(way: CompressResult, original: NetworkFigures, places: list[str]) -> Table:
    timed = [column for target in places for column in (f"latency, {_engine(target)}", "speedup")]
    rows = [_row(ORIGINAL, original, places, None)]
    rows += [
        _row(name, step.result, places, step.seconds) for name, step in zip(step_names(way), way.steps, strict=True)
    ]
    columns = ("After step", way.figure, "points lost", *timed, "parameters", "multiply-adds", "took")
    return Table(wording.how_told(_all_figures(way, original)), columns, tuple(rows), "After each step")


def _row(name: str, found: NetworkFigures, places: list[str], seconds: float | None) -> tuple[Cell, ...]:
    cells = [Cell(name), wording.cell(wording.share(found.figure))]
    unchanged = Cell("reference" if seconds is None else "none", "" if seconds is None else "unchanged")
    cells.append(wording.cell(found.drop) if found.drop is not None else unchanged)
    for target in places:
        speedup = found.speedup.get(target)
        cells.append(wording.cell(found.latency.get(target)))
        cells.append(wording.cell(speedup) if speedup else Cell("baseline" if seconds is None else "unchanged"))
    cells += [Cell(_many(found.parameters), "counted"), Cell(_many(found.macs), "counted")]
    return (*cells, Cell("" if seconds is None else _duration(seconds)))


def _all_figures(way: CompressResult, original: NetworkFigures) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    for place, one in enumerate([original, *(step.result for step in way.steps)]):
        named = {"figure": one.figure, "drop": one.drop, **{f"in {key}": value for key, value in one.latency.items()}}
        named |= {f"against {key}": value for key, value in one.speedup.items()}
        found |= {f"{place} {key}": value for key, value in named.items() if value is not None}
    return found


def _prices(way: CompressResult, target: str) -> Table:
    rows = tuple(_price(price) for price in prices(way, target))
    caption = (
        "Milliseconds are the uncompressed network's, by the speedups above; no interval. Negative points were gained. "
        "A step that recovers saves no time by itself and pays points back."
    )
    columns = ("Step", "ms saved", "points paid", "points a millisecond")
    return Table(caption, columns, rows, f"What each millisecond cost, {_engine(target)}")


def _price(price: Price) -> tuple[Cell, ...]:
    rate = price.per_ms
    saved = Cell(wording.number(price.saved_ms, 3)) if price.told_apart else Cell("none", "not told apart")
    paid = Cell(wording.number(price.paid, 2))
    return (Cell(price.name), saved, paid, Cell("none" if rate is None else wording.number(rate, 2)))


def _step(name: str, step: CompressedStep) -> Iterator[Block]:
    told = [("Verdict beforehand", step.verdict)] if step.verdict else []
    few = len(step.notes) <= _FEW
    told += [("Note", note) for note in step.notes if few]
    told += [(f"Left alone: {why}", f"{len(names)}: {listed(names)}") for why, names in by_reason(step.refused).items()]
    asked = {key: value for key, value in step.settings.items() if value not in (None, "", [], {}, ())}
    if asked:
        told.append(("Asked for", wording.plain(asked)))
    if told:
        yield Pairs(f"Step {name}", tuple(told))
    if not few:
        yield Folded(f"Notes of step {name}", "\n".join(step.notes))
    if step.rounds:
        yield _rounds(name, step.rounds)


def _rounds(name: str, rounds: tuple[PruneRound, ...]) -> Table:
    rows = tuple(
        (
            Cell(str(number), "" if one.kept else "undone", "none" if one.kept else "warn"),
            Cell(f"{wording.number(one.goal, 2)}{wording.TIMES}"),
            wording.cell(one.predicted),
            wording.cell(one.speedup),
            wording.cell(wording.share(one.cut)),
            wording.cell(wording.share(one.figure)),
            Cell(_many(one.parameters), "counted"),
        )
        for number, one in enumerate(rounds, 1)
    )
    columns = ("Round", "goal", "speedup predicted", "speedup measured", "after the cut", "recovered", "parameters")
    caption = "A round that lost more than was allowed is undone, and what stood before it goes on."
    return Table(caption, columns, rows, f"Rounds of step {name}")


def _engine(target: str) -> str:
    return wording.ENGINES.get(target, target)


def _many(count: int) -> str:
    for unit, scale in ((" G", 1e9), (" M", 1e6)):
        if count >= scale:
            return f"{wording.number(count / scale, 2)}{unit}"
    return f"{count:,}"


def _duration(seconds: float) -> str:
    return f"{wording.number(seconds, 0)} s" if seconds < 120 else f"{wording.number(seconds / 60, 0)} min"
