"""The report as JSON for other programs: the same evidence, every figure with interval, count and origin."""

from typing import Any

import msgspec

from edgecnn import __version__
from edgecnn.report import verdict
from edgecnn.report.facts import ArtefactFacts, ReportFacts

SCHEMA = 1


def build(facts: ReportFacts) -> str:
    """Return the record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record(facts)), indent=1).decode()


def record(facts: ReportFacts) -> dict[str, Any]:
    """Return the record as builtins."""
    said, best, slow = verdict.headline(facts), verdict.chosen(facts), verdict.baseline(facts)
    speed = verdict.ratio(facts, slow, best) if slow is not None and best is not None else None
    content = {
        "schema": SCHEMA,
        "edgecnn": __version__,
        "name": facts.name,
        "task": facts.task,
        "passed": facts.passed,
        "verdict": {
            "word": said.word,
            "sentence": said.sentence,
            "details": said.details,
            "artefact": best.name if best else None,
            "baseline": slow.name if slow else None,
            "speed": speed,
        },
        "figure": facts.figure,
        "reference": facts.reference,
        "frames": facts.verify.frames if facts.verify else None,
        "gates": facts.verify.gates if facts.verify else (),
        "artefacts": [_artefact(artefact) for artefact in facts.artefacts],
        "ratios": facts.bench.ratios if facts.bench else {},
        "harness": facts.bench.harness if facts.bench else {},
        "environment": facts.bench.environment if facts.bench else None,
        "train": facts.train,
        "compressed": facts.compressed if facts.compressed.steps else None,
        "quantized": facts.quantized,
        "provenance": dict(facts.provenance),
    }
    built: dict[str, Any] = msgspec.to_builtins(content)
    return built


def _artefact(artefact: ArtefactFacts) -> dict[str, Any]:
    return {
        "name": artefact.name,
        "engine": artefact.engine,
        "precision": artefact.precision,
        "passed": artefact.passed,
        "size_bytes": artefact.size_bytes or None,
        "files": dict(artefact.files),
        "parity": artefact.parity,
        "figures": dict(artefact.figures),
        "by_tag": dict(artefact.by_tag),
        "drop": artefact.drop,
        "total_drop": artefact.total_drop,
        "runs": dict(artefact.runs),
        "notes": artefact.notes,
    }
