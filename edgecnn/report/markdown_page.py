"""The report as Markdown: the same sections; charts as the sentence that describes them, pictures left to the page."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from edgecnn import __version__
from edgecnn.report import sections, verdict
from edgecnn.report.blocks import Cell, Charts, Folded, Gallery, Notice, Pairs, Section, Table, Text, Tiles
from edgecnn.report.facts import ReportFacts
from edgecnn.report.headline_tiles import tiles
from edgecnn.report.summary import about
from edgecnn.report.verdict import Headline

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def build(facts: ReportFacts) -> str:
    """Return the report as Markdown. Every text in `facts` is untrusted and is escaped."""
    shown, absent = sections.build_all(facts)
    return page(verdict.headline(facts), tiles(facts), about(facts), shown, absent)


def page(
    said: Headline, key_figures: Tiles | None, about_text: str, shown: Sequence[Section], absent: Sequence[str] = ()
) -> str:
    """Return sections under a headline as Markdown. Every text is untrusted and is escaped."""
    parts = [f"# {said.word}: {escaped(said.sentence)}", *map(escaped, said.details)]
    if key_figures is not None:
        parts.append(_tiles(key_figures))
    parts.append(escaped(about_text))
    parts.extend(_section(section) for section in shown)
    if absent:
        parts.append("## Not in this report\n\n" + "\n".join(f"- {escaped(reason)}" for reason in absent))
    parts.append(f"Written by edgecnn {__version__}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Return `text` on one line with nothing in it that Markdown or HTML would act on."""
    line = _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\&", "&amp;")
    # A bare address would turn into a link by itself.
    return line.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace("@", "&#64;")


def _section(section: Section) -> str:
    parts = [_RENDER[type(block)](block) for block in section.blocks]
    return "\n\n".join([f"## {escaped(section.title)}", *(part for part in parts if part)])


def _cell(cell: Cell) -> str:
    return f"{escaped(cell.text)} ({_sub(cell)})" if cell.sub else escaped(cell.text)


def _sub(cell: Cell) -> str:
    return escaped(cell.sub.replace("\n", ", "))


def _text(block: Text) -> str:
    return escaped(block.text)


def _notice(block: Notice) -> str:
    return f"> **Note:** {escaped(block.text)}"


def _tiles(block: Tiles) -> str:
    lines = [f"- {escaped(label)}: **{escaped(cell.text)}** ({_sub(cell)})" for label, cell in block.tiles]
    return "\n".join([escaped(block.title) + ":", "", *lines])


def _table(block: Table) -> str:
    head = "| " + " | ".join(map(escaped, block.columns)) + " |"
    rule = "| --- |" + " ---: |" * (len(block.columns) - 1)
    rows = ["| " + " | ".join(map(_cell, row)) + " |" for row in block.rows]
    title = [f"### {escaped(block.title)}", ""] if block.title else []
    return "\n".join([*title, head, rule, *rows, "", escaped(block.caption)])


def _charts(block: Charts) -> str:
    return "\n\n".join(f"Chart: {escaped(chart.alt)}" for chart in block.charts)


def _gallery(block: Gallery) -> str:
    lines = []
    for shot in block.shots:
        panels = "; ".join(f"{escaped(panel.label)} {escaped(panel.text)}".strip() for panel in shot.panels)
        lines.append(f"- {escaped(shot.title)} ({escaped(shot.text)}): {panels}")
    return "\n".join(["The pictures are in the HTML page.", "", *lines])


def _pairs(block: Pairs) -> str:
    lines = [f"- {escaped(name)}: {escaped(value)}" for name, value in block.pairs]
    return "\n".join([*([f"### {escaped(block.title)}", ""] if block.title else []), *lines])


def _folded(block: Folded) -> str:
    # Indented code holds any text; a fence could be closed from inside.
    code = "\n".join(f"    {line}" for line in block.text.splitlines())
    return f"### {escaped(block.summary)}\n\n{code}"


_RENDER: Final[dict[type, Callable[[Any], str]]] = {
    Text: _text,
    Notice: _notice,
    Tiles: _tiles,
    Table: _table,
    Charts: _charts,
    Gallery: _gallery,
    Pairs: _pairs,
    Folded: _folded,
}
