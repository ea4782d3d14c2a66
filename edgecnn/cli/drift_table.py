"""Where the error is born, for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgecnn.core.errors import listed
from edgecnn.core.evidence import Drift
from edgecnn.report.drift_words import by_reason, cause, db_text, headline, share_text, worst

ROWS = 10
BAR = 24


def drift_table(drift: Drift) -> RenderableType:
    """Return headline, the worst layers with a bar a share, and why nodes were left in float."""
    parts: list[RenderableType] = [Text(headline(drift))]
    first = worst(drift, ROWS)
    if first:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for name in ("layer", "share", "", "alone", "so far", "hardest to round"):
            table.add_column(Text(name), justify="right" if name in {"share", "alone", "so far"} else "left")
        for layer in first:
            length = max(1, round(BAR * layer.share / first[0].share))
            table.add_row(
                Text(layer.name),
                Text(share_text(layer.share)),
                Text("\N{BLACK VERTICAL RECTANGLE}" * length, style="magenta"),
                Text(db_text(layer.born_db)),
                Text(db_text(layer.snr_db)),
                Text(cause(layer, drift.tensors)),
            )
        parts.append(table)
    reasons = by_reason({layer.name: layer.reason for layer in drift.layers if layer.reason})
    parts.extend(Text(f"left in float: {len(names)} x {why}: {listed(names, 4)}") for why, names in reasons.items())
    if drift.unmatched:
        parts.append(Text(f"no counterpart in the quantized model: {listed(drift.unmatched, 4)}"))
    return Group(*parts)
