"""All figures of every artefact, by condition, and how far each lies from the golden outputs."""

from edgecnn.core.evidence import VerifyResult
from edgecnn.core.measure import Measurement
from edgecnn.report import charts, wording
from edgecnn.report.blocks import Absent, Block, Cell, Chart, Charts, Section, Table, Text
from edgecnn.report.facts import ArtefactFacts, ReportFacts
from edgecnn.report.verdict import chosen

AGREEMENT = "agreement"


def build(facts: ReportFacts) -> Section | Absent:
    """Return the accuracy tables, or say that nothing was judged."""
    judged = [artefact for artefact in facts.artefacts if artefact.figures]
    if not judged:
        return Absent("Accuracy was not judged: no labelled frames came with it.")
    blocks: list[Block] = []
    if facts.verify:
        blocks.append(Text(_judged(facts.verify)))
    blocks.append(_figures(judged))
    tagged = [artefact for artefact in judged if artefact.by_tag]
    if tagged:
        blocks.append(Charts((_tag_chart(facts, _shown(facts, tagged)),)))
        blocks.append(_tags(facts, tagged))
    blocks.extend(_parity(facts))
    return Section("accuracy", "Accuracy", tuple(blocks))


def _judged(verify: VerifyResult) -> str:
    if verify.metric == AGREEMENT:
        return (
            f"Judged without labels on {verify.frames:,} frames: how far an artefact decides what the FP32 model given "
            "decides, in percent. Of several outputs the one that agrees least counts."
        )
    against = verify.reference
    if whole := verify.uncompressed.get(verify.figure):
        against = f"the network before any step of compression ({wording.phrase(wording.share(whole))})"
    return (
        f"Judged by {verify.metric} on {verify.frames:,} frames. Drops are paired by frame against "
        f"{against}; one point is a hundredth of the figure."
    )


def _figures(judged: list[ArtefactFacts]) -> Table:
    keys = list(dict.fromkeys(key for artefact in judged for key in artefact.figures))
    rows = tuple(
        (Cell(artefact.name), *(_share_cell(artefact.figures.get(key)) for key in keys)) for artefact in judged
    )
    taken = {f"{a.name} {key}": measurement for a in judged for key, measurement in a.figures.items()}
    return Table(wording.how_told(taken), ("Artefact", *map(wording.words, keys)), rows)


def _tags(facts: ReportFacts, tagged: list[ArtefactFacts]) -> Table:
    tags = _tag_names(tagged)
    rows = tuple(_tag_row(tag, tagged) for tag in tags)
    taken = {f"{one.name} {tag}": measurement for one in tagged for tag, measurement in one.by_tag.items()}
    return Table(
        f"A frame counts under each of its tags. {wording.how_told(taken)}",
        ("Condition", *(a.name for a in tagged)),
        rows,
        f"{facts.figure.capitalize()} by condition",
    )


def _tag_row(tag: str, tagged: list[ArtefactFacts]) -> tuple[Cell, ...]:
    """Return a condition's row; count and origin stand once beside its name where they are the same for all."""
    cells = [_share_cell(artefact.by_tag.get(tag)) for artefact in tagged]
    intervals, _, origins = zip(*(cell.sub.partition("\n") for cell in cells), strict=True)
    if len(set(origins)) > 1 or not origins[0]:
        return (Cell(tag), *cells)
    told = zip(cells, intervals, strict=True)
    return (Cell(tag, origins[0]), *(Cell(cell.text, interval, cell.status) for cell, interval in told))


def _tag_names(tagged: list[ArtefactFacts]) -> list[str]:
    """Return the tags, the one the first artefact does worst on first."""
    names = dict.fromkeys(tag for artefact in tagged for tag in artefact.by_tag)
    first = tagged[0].by_tag
    return sorted(names, key=lambda tag: first[tag].value if tag in first else float("inf"))


def _shown(facts: ReportFacts, tagged: list[ArtefactFacts]) -> list[ArtefactFacts]:
    """Return the reference and the verdict's artefact, which is what a chart has room for; else the first two."""
    best = chosen(facts)
    wanted = {facts.reference, best.name if best else ""}
    return [artefact for artefact in tagged if artefact.name in wanted] or tagged[:2]


def _tag_chart(facts: ReportFacts, tagged: list[ArtefactFacts]) -> Chart:
    tags = _tag_names(tagged)
    title = f"{facts.figure.capitalize()} by condition"
    first = tagged[0].by_tag.get(tags[0]) or next(iter(tagged[0].by_tag.values()))
    alt = f"{title}; {tags[0]} is worst for {tagged[0].name} with {wording.value_text(wording.share(first))}."
    step = 0.7 / max(len(tagged), 1)
    with charts.drawing(title, alt, height_pt=90 + len(tags) * 20) as made:
        axes = made.axes[0]
        for i, artefact in enumerate(tagged):
            known = [
                (row, wording.share(artefact.by_tag[tag])) for row, tag in enumerate(tags) if tag in artefact.by_tag
            ]
            axes.errorbar(
                [figure.value for _, figure in known],
                [row - 0.35 + step * (i + 0.5) for row, _ in known],
                xerr=_reaches([figure for _, figure in known]),
                color=charts.colour_of(artefact),
                marker=charts.marker_of(artefact, facts.artefacts),
                markersize=4.5,
                linestyle="none",
                elinewidth=1.3,
            )
            charts.key(axes, artefact, facts.artefacts)
        axes.set_yticks(range(len(tags)), [charts.short(tag) for tag in tags])
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
        axes.set_xlabel(f"{facts.figure}, {wording.share(first).unit}")
        charts.legend_above(axes)
    return made.chart


def _parity(facts: ReportFacts) -> list[Block]:
    checked = [(artefact, artefact.parity) for artefact in facts.artefacts if artefact.parity is not None]
    if not checked:
        return []
    names = list(dict.fromkeys(name for _, parity in checked for name in parity.rel_error))
    rows = tuple(
        (
            Cell(artefact.name, f"n {parity.n}, measured"),
            Cell("pass", status="pass") if parity.passed else Cell("fail", status="fail"),
            *(Cell(f"{parity.rel_error[name]:.2g}" if name in parity.rel_error else "unknown") for name in names),
            Cell(f"{parity.tolerance:g}"),
        )
        for artefact, parity in checked
    )
    caption = "Relative distance of each output from the golden one, ||out - golden|| / ||golden||, with its tolerance."
    return [Table(caption, ("Artefact", "result", *names, "tolerance"), rows, "Parity with the golden outputs")]


def _share_cell(measurement: Measurement | None) -> Cell:
    return wording.cell(wording.share(measurement) if measurement else None)


def _reaches(figures: list[Measurement]) -> list[list[float]]:
    lows = [0.0 if figure.low is None else max(figure.value - figure.low, 0.0) for figure in figures]
    highs = [0.0 if figure.high is None else max(figure.high - figure.value, 0.0) for figure in figures]
    return [lows, highs]
