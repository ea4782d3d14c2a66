"""Where it comes from: versions, data, machine, recipe, files and their digests."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from edgecnn.report import wording
from edgecnn.report.blocks import Absent, Block, Cell, Folded, Pairs, Section, Table, Text
from edgecnn.report.facts import ReportFacts

# Mappings of mappings, whose parts stand under headings of their own.
_NESTED: Final = frozenset({"benched_on"})
# Long texts of provenance that are folded away by these titles.
_FOLDED: Final = {"recipe": "Recipe", "probes": "Probes while measuring"}


def build(facts: ReportFacts) -> Section | Absent:
    """Return what is known of the origin; every value as it was recorded."""
    blocks: list[Block] = []
    notes = [f"{artefact.name}: {note}." for artefact in facts.artefacts for note in artefact.notes]
    blocks.extend(Text(note) for note in notes)
    blocks.extend(_groups("Build", facts.provenance))
    if facts.bench and "benched_on" not in facts.provenance:
        blocks.extend(_groups("Benched on", facts.bench.environment))
    blocks.extend(_engines(facts))
    files = {name: record for artefact in facts.artefacts for name, record in artefact.files.items()}
    if files:
        rows = tuple((Cell(name), Cell(record.sha256)) for name, record in sorted(files.items()))
        blocks.append(Table("SHA-256 of every file of an artefact.", ("File", "digest"), rows))
    return Section("provenance", "Provenance", tuple(blocks)) if blocks else Absent("No provenance was recorded.")


def _groups(title: str, values: Mapping[str, Any]) -> list[Block]:
    """Return scalars as one list, each mapping as a list of its own, long texts folded."""
    scalars = {key: value for key, value in values.items() if not isinstance(value, dict)}
    groups = {key: value for key, value in values.items() if isinstance(value, dict)}
    blocks: list[Block] = [Pairs(title, tuple(_flat(scalars)))] if any(_flat(scalars)) else []
    for key, value in groups.items():
        if key in _FOLDED:
            blocks.append(Folded(_FOLDED[key], json.dumps(value, indent=1, ensure_ascii=False, default=str)))
        elif key in _NESTED:
            blocks.extend(_groups(_name(key).capitalize(), value))
        elif value:
            blocks.append(Pairs(_name(key).capitalize(), tuple(_flat(value))))
    return blocks


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values, those of mappings inside under joined names; what is unknown in one pair at the end."""
    unknown = []
    for key, value in values.items():
        name = f"{prefix}{_name(key)}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}, ")
        elif value is None:
            unknown.append(_name(key))
        elif value not in ("", [], ()):
            yield name, wording.plain(value)
    if unknown:
        yield f"{prefix}unknown here", ", ".join(unknown)


def _name(key: str) -> str:
    return key if "." in key else key.replace("_", " ")


def _engines(facts: ReportFacts) -> list[Block]:
    """Return each engine's own account of how it ran, once an artefact."""
    told = {
        artefact.name: next((run.engine_facts for run in artefact.runs.values() if run.engine_facts), {})
        for artefact in facts.artefacts
    }
    known = {name: engine_facts for name, engine_facts in told.items() if engine_facts}
    text = json.dumps(msgspec.to_builtins(known), indent=1, ensure_ascii=False, default=str)
    return [Folded("What the engines say of themselves", text)] if known else []
