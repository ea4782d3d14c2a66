"""Where the error of each INT8 artefact is born, and why what is left in float was left there."""

from pathlib import PurePosixPath

from edgecnn.core.errors import listed
from edgecnn.core.evidence import Drift, LayerDrift, QuantizedModel, TensorDrift
from edgecnn.report import decision_tables, drift_charts, wording
from edgecnn.report.blocks import Absent, Block, Cell, Charts, Notice, Pairs, Section, Table, Text
from edgecnn.report.drift_words import by_reason, cause, db_text, headline, share_text, worst
from edgecnn.report.facts import ReportFacts

_ROWS = 10
_ARROW = "\N{HORIZONTAL ELLIPSIS}"


def build(facts: ReportFacts) -> Section | Absent:
    """Return, for each quantized model, headline, charts, worst layers, worst tensors and what stays in float."""
    if not facts.quantized:
        return Absent("No quantization record: nothing was quantized in this run, or the bundle was made without one.")
    blocks = [block for model in facts.quantized for block in _model(facts, model)]
    return Section("quantization", "Quantization", tuple(blocks))


def _model(facts: ReportFacts, model: QuantizedModel) -> list[Block]:
    name = PurePosixPath(model.file).stem
    made = (
        ("Artefact", f"{name} ({facts.title_of(name)})" if facts.artefact(name) else name),
        ("Scheme", f"{model.scheme}, ranges by {model.ranges} over {model.frames:,} frames"),
        ("In INT8", f"{len(model.quantized)} nodes, {len(model.tensors)} activation tensors"),
        ("Left in float", f"{len(model.left_in_float)} node{'' if len(model.left_in_float) == 1 else 's'}"),
    )
    blocks: list[Block] = [Pairs(name, made)]
    if model.drift is None:
        blocks.append(Text("Where the error is born was not measured for this artefact."))
    else:
        blocks.extend(_drift(name, model.drift))
    return [*blocks, *decision_tables.tables(name, model), *_left_in_float(name, model)]


def _drift(name: str, drift: Drift) -> list[Block]:
    blocks: list[Block] = [Text(f"{name}: {headline(drift)}")]
    shown = [chart for chart in (drift_charts.profile(name, drift), drift_charts.strip(name, drift)) if chart]
    if shown:
        blocks.append(Charts(tuple(shown)))
    first = worst(drift, _ROWS)
    if first:
        blocks.append(_layers(name, drift, first))
    tensors = sorted(drift.tensors.items(), key=lambda item: item[1].snr_db)[:_ROWS]
    if tensors:
        blocks.append(_tensors(name, drift, tensors))
    if drift.unmatched:
        gone = f"{len(drift.unmatched)} nodes of the float network have no counterpart: {listed(drift.unmatched)}."
        blocks.append(Notice("warn", gone))
    return blocks


def _layers(name: str, drift: Drift, first: list[LayerDrift]) -> Table:
    rows = tuple(
        (
            Cell(layer.name, f"{layer.op}, {'INT8' if layer.precision == 'int8' else layer.precision}"),
            Cell(share_text(layer.share), f"no interval, {drift.shares}"),
            Cell(db_text(layer.born_db)),
            Cell(db_text(layer.snr_db)),
            Cell(*_two_lines(cause(layer, drift.tensors))),
        )
        for layer in first
    )
    caption = (
        f"The layers that do most to the outputs; shares are {drift.shares}. SNR is signal to noise, sum(float^2) over "
        "sum((float - INT8)^2): alone, with only what the layer itself reads rounded; accumulated, with all layers "
        "before it quantized too. A tensor's or the weights' own SNR is that of rounding them."
    )
    columns = ("Layer", "share of the error", "SNR alone", "SNR accumulated", "hardest to round")
    return Table(caption, columns, rows, f"Where the error is born, {name}")


def _tensors(name: str, drift: Drift, worst_first: list[tuple[str, TensorDrift]]) -> Table:
    rows = tuple(
        (
            Cell(tensor, f"{one.channels:,} channels"),
            Cell(db_text(one.snr_db)),
            Cell(_span(one.low, one.high), f"step {one.step:.3g}"),
            Cell(_span(one.seen_min, one.seen_max), f"{share_text(one.clipped)} clipped"),
            Cell(f"{one.median_levels:.0f} of 256"),
            Cell(_outliers(one)),
        )
        for tensor, one in worst_first
    )
    caption = (
        f"The activations that rounding hurts most, over {drift.frames} frames of the float network. An outlier is a "
        "channel whose greatest magnitude is at least 4 times the median channel's: it sets the range that all share."
    )
    columns = ("Tensor", "SNR of rounding", "INT8 holds", "seen", "levels, median channel", "outlier channels")
    return Table(caption, columns, rows, f"Tensors hardest to round, {name}")


def _left_in_float(name: str, model: QuantizedModel) -> list[Block]:
    groups = by_reason(model.left_in_float)
    pairs = tuple((reason, f"{len(names)}: {listed(names)}") for reason, names in groups.items())
    return [Pairs(f"Left in float, and why, {name}", pairs)] if pairs else []


def _outliers(tensor: TensorDrift) -> str:
    return (
        listed((f"{channel} ({ratio:.0f}{wording.TIMES})" for channel, ratio in tensor.outliers.items()), 3) or "none"
    )


def _span(low: float, high: float) -> str:
    return f"{low:.4g} {_ARROW} {high:.4g}".replace("-", "\N{MINUS SIGN}")


def _two_lines(text: str) -> tuple[str, str]:
    head, _, rest = text.partition(", ")
    return head, rest.replace("; ", "\n").replace(", ", "\n")
