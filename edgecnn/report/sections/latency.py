"""How long it takes, how that is spread, where the time goes, and what it takes to start."""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.evidence import BenchRun
from edgecnn.core.measure import Measurement
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Absent, Block, Cell, Chart, Charts, Notice, Section, Table, Text
from edgecnn.report.facts import CAMERA, ENGINE_ONLY, SINGLE, ArtefactFacts, ReportFacts

TITLES: Final = {
    SINGLE: "Frame to result, one after the other",
    ENGINE_ONLY: "Engine only",
    CAMERA: "Camera at a fixed rate, from a frame's scheduled moment to its result",
}
OTHERS: Final = {
    SINGLE: "Parts of it, and what it takes to start",
    CAMERA: "Under the camera: parts of it, and what was lost",
}
PARTS: Final = (
    ("pre_p50_ms", "pre-processing", charts.BLUE),
    ("engine_p50_ms", "engine", charts.ACCENT),
    ("post_p50_ms", "post-processing", charts.VIOLET),
)
_PERCENTILE: Final = re.compile(r"(p[\d.]+|max)_ms")
_EXPECTED: Final = ("p50_ms", "p90_ms", "p99_ms")
_WARM_UP: Final = -1
_SHOWN_SHARE: Final = 0.995
_CURVE_POINTS: Final = 160


def build(facts: ReportFacts) -> Section | Absent:
    """Return distribution, percentiles, split and start-up of every artefact that was timed."""
    timed = [artefact for artefact in facts.artefacts if artefact.runs]
    if not timed:
        return Absent("Latency was not measured.")
    shown = [chart for chart in (*_curves(facts, timed), _split(timed)) if chart is not None]
    blocks: list[Block] = [*_warnings(facts, timed)]
    if shown:
        blocks.append(Charts(tuple(shown)))
    scenarios = list(dict.fromkeys(scenario for artefact in timed for scenario in artefact.runs))
    for scenario in scenarios:
        blocks.extend(_tables(scenario, [(one, one.runs[scenario]) for one in timed if scenario in one.runs]))
    blocks.extend(_ratios(facts))
    blocks.extend(_harness(facts))
    return Section("latency", "Latency", tuple(blocks))


def judged_ms(facts: ReportFacts, run: BenchRun) -> NDArray[np.float64]:
    """Return the samples that the figures of `run` were made of, in ms; empty when they were not kept."""
    named = {key: facts.samples.get(f"{run.samples}/{key}") for key in ("latency_ns", "round", "lead_in")}
    latency, rounds, lead_in = named["latency_ns"], named["round"], named["lead_in"]
    if latency is None:
        return np.zeros(0)
    keep = np.ones(len(latency), bool)
    if rounds is not None:
        keep &= rounds != _WARM_UP
    if lead_in is not None:
        keep &= lead_in == 0
    keep[: run.steady_from or 0] = False
    return latency[keep] / 1e6


def _curves(facts: ReportFacts, timed: list[ArtefactFacts]) -> list[Chart]:
    found = []
    for scenario in (SINGLE, CAMERA):
        samples = [(one, judged_ms(facts, one.runs[scenario])) for one in timed if scenario in one.runs]
        samples = [(one, values) for one, values in samples if len(values) > 1]
        if samples:
            found.append(_curve(facts, scenario, samples))
    return found


def _curve(facts: ReportFacts, scenario: str, samples: list[tuple[ArtefactFacts, NDArray[np.float64]]]) -> Chart:
    """Draw the share of frames that are done within a time, one stair a artefact."""
    kind = {SINGLE: "frame to result", CAMERA: "camera"}[scenario]
    told = "; ".join(f"{one.name} n {len(values):,}" for one, values in samples)
    title = f"Latency distribution, {kind}"
    with charts.drawing(title, f"Share of frames answered within a time, {kind}: {told}.", height_pt=262) as made:
        axes = made.axes[0]
        shares = np.linspace(0, 1, _CURVE_POINTS)
        for one, values in samples:
            axes.step(
                np.quantile(values, shares),
                shares * 100,
                where="post",
                color=charts.colour_of(one),
                linestyle=charts.line_of(one, facts.artefacts),
                label=charts.short(one.name),
            )
        axes.set_xlim(0, 1.06 * max(float(np.quantile(values, _SHOWN_SHARE)) for _, values in samples))
        axes.set_ylim(0, 101)
        axes.grid(visible=True)
        axes.set_xlabel("ms")
        axes.set_ylabel("frames answered, %")
        charts.legend_above(axes)
    return made.chart


def _split(timed: list[ArtefactFacts]) -> Chart | None:
    """Draw what share of the time each part takes; medians of parts, which need not add up to the median of the sum."""
    whole = [
        (one, one.runs[SINGLE].figures)
        for one in timed
        if SINGLE in one.runs and all(key in one.runs[SINGLE].figures for key, _, _ in PARTS)
    ]
    if not whole:
        return None
    told = "; ".join(
        f"{one.name} " + ", ".join(f"{name} {wording.value_text(figures[key])}" for key, name, _ in PARTS)
        for one, figures in whole
    )
    with charts.drawing(
        "Where the time goes", f"Medians of the parts: {told}.", height_pt=96 + 34 * len(whole)
    ) as made:
        axes = made.axes[0]
        left = np.zeros(len(whole))
        for key, name, colour in PARTS:
            values = np.array([figures[key].value for _, figures in whole])
            axes.barh(range(len(whole)), values, left=left, height=0.58, color=colour, label=name)
            left += values
        charts.bar_rows(axes, [one.name for one, _ in whole], "ms, medians of each part")
        charts.legend_above(axes, columns=3)
    return made.chart


def _tables(scenario: str, runs: list[tuple[ArtefactFacts, BenchRun]]) -> list[Block]:
    """Return the percentiles of a scenario, and its other figures in a table of their own."""
    title = TITLES.get(scenario, wording.words(scenario).capitalize())
    keys = list(dict.fromkeys(key for _, run in runs for key in run.figures))
    percentiles = [key for key in keys if _PERCENTILE.fullmatch(key)]
    percentiles += [key for key in _EXPECTED if key not in percentiles]
    percentiles.sort(key=_rank)
    others = [key for key in keys if not _PERCENTILE.fullmatch(key)]
    taken = {f"{one.name} {key}": m for one, run in runs for key, m in run.figures.items() if key in percentiles}
    blocks: list[Block] = [_table(title, taken, runs, percentiles)]
    if others:
        taken = {f"{one.name} {key}": m for one, run in runs for key, m in run.figures.items() if key in others}
        blocks.append(_table(OTHERS.get(scenario, "Further figures"), taken, runs, others))
    return blocks


def _table(
    title: str, taken: dict[str, Measurement], runs: list[tuple[ArtefactFacts, BenchRun]], keys: list[str]
) -> Table:
    rows = tuple((Cell(one.name), *(_cell(run, key) for key in keys)) for one, run in runs)
    return Table(wording.how_told(taken), ("Artefact", *map(wording.words, keys)), rows, title)


def _cell(run: BenchRun, key: str) -> Cell:
    if key in run.figures:
        return wording.cell(run.figures[key])
    name = key.removesuffix("_ms")
    refused = next((note for note in run.notes if note.startswith(f"{name} refused")), "")
    return Cell("refused", refused.partition(": ")[2]) if refused else wording.UNKNOWN


def _rank(key: str) -> float:
    name = key.removesuffix("_ms")
    return 1000.0 if name == "max" else float(name[1:])


def _ratios(facts: ReportFacts) -> list[Block]:
    if not facts.bench or not facts.bench.ratios:
        return []
    rows = tuple((Cell(name), wording.cell(ratio), Cell(_judged(ratio))) for name, ratio in facts.bench.ratios.items())
    caption = f"How many times as fast the second of a pair is. {wording.how_told(facts.bench.ratios)}"
    return [Table(caption, ("Pair", "speed", "verdict"), rows, "Pairs, measured interleaved")]


def _judged(ratio: Measurement) -> str:
    if ratio.low is None or ratio.high is None:
        return "no interval"
    if ratio.low <= 1 <= ratio.high:
        return "no difference shown"
    return "faster" if ratio.low > 1 else "slower"


def _warnings(facts: ReportFacts, timed: list[ArtefactFacts]) -> list[Block]:
    told: dict[str, list[str]] = {}
    for one in timed:
        for scenario, run in one.runs.items():
            for note in run.notes:
                if " refused: " not in note:
                    told.setdefault(note, []).append(f"{one.name} ({wording.words(scenario)})")
    blocks: list[Block] = [Notice("warn", f"{', '.join(places)}: {note}.") for note, places in told.items()]
    return [*blocks, *(Notice("warn", f"While measuring: {one}.") for one in facts.disturbances)]


def _harness(facts: ReportFacts) -> list[Block]:
    if not facts.bench or not facts.bench.harness:
        return []
    told = "; ".join(
        f"{wording.words(key)} {wording.phrase(m)}, n {m.n:,}, {m.how}" for key, m in facts.bench.harness.items()
    )
    return [Text(f"The harness itself, measured with an engine that does nothing: {told}.")]
