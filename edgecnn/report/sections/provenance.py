"""Where it comes from: versions, data, machine, recipe, files and their digests."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from edgecnn.report import wording
from edgecnn.report.blocks import Absent, Block, Cell, Folded, Pairs, Section, Table, Text
from edgecnn.report.facts import ReportFacts

# Long texts of provenance that are folded away by these titles.
_FOLDED: Final = {"recipe": "Recipe", "probes": "Probes while measuring"}


def build(facts: ReportFacts) -> Section | Absent:
    """Return what is known of the origin; every value as it was recorded."""
    blocks: list[Block] = []
    notes = [f"{artefact.name}: {note}." for artefact in facts.artefacts for note in artefact.notes]
    blocks.extend(Text(note) for note in notes)
    blocks.extend(_pairs("Build", facts.provenance))
    if facts.bench and "benched_on" not in facts.provenance:
        blocks.extend(_pairs("Benched on", facts.bench.environment))
    blocks.extend(_engines(facts))
    files = {name: record for artefact in facts.artefacts for name, record in artefact.files.items()}
    if files:
        rows = tuple((Cell(name), Cell(record.sha256)) for name, record in sorted(files.items()))
        blocks.append(Table("SHA-256 of every file of an artefact.", ("File", "digest"), rows))
    return Section("provenance", "Provenance", tuple(blocks)) if blocks else Absent("No provenance was recorded.")


def _pairs(title: str, values: Mapping[str, Any]) -> list[Block]:
    """Return scalars as one list, each mapping as a list of its own, long texts folded."""
    plain: list[tuple[str, str]] = []
    below: list[Block] = []
    for key, value in values.items():
        if key in _FOLDED:
            below.append(Folded(_FOLDED[key], json.dumps(value, indent=1, ensure_ascii=False, default=str)))
        elif isinstance(value, dict):
            below.extend(_pairs(f"{title}: {wording.words(key)}", value))
        elif value not in (None, "", [], ()):
            plain.append((wording.words(key), wording.plain(value)))
    unknown = [wording.words(key) for key, value in values.items() if value is None]
    if unknown:
        plain.append(("unknown here", ", ".join(unknown)))
    return [*([Pairs(title, tuple(plain))] if plain else []), *below]


def _engines(facts: ReportFacts) -> list[Block]:
    """Return each engine's own account of how it ran, once an artefact."""
    told = {
        artefact.name: next((run.engine_facts for run in artefact.runs.values() if run.engine_facts), {})
        for artefact in facts.artefacts
    }
    known = {name: engine_facts for name, engine_facts in told.items() if engine_facts}
    text = json.dumps(msgspec.to_builtins(known), indent=1, ensure_ascii=False, default=str)
    return [Folded("What the engines say of themselves", text)] if known else []
