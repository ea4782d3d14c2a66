"""One line that says what the report is about."""

from edgecnn.report.facts import ReportFacts


def about(facts: ReportFacts) -> str:
    """Return name, task, artefacts, frames and machine, as far as they are known."""
    parts = [facts.name, *([f"task {facts.task}"] if facts.task else [])]
    parts.append(f"{len(facts.artefacts)} artefact{'' if len(facts.artefacts) == 1 else 's'}")
    if facts.verify:
        parts.append(f"judged on {facts.verify.frames:,} frames")
    measured_on = {m.on for one in facts.artefacts if (m := one.latency) is not None and m.on}
    machines = sorted({place.partition(", ")[2] or place for place in measured_on})
    if machines:
        parts.append(f"timed on {'; '.join(machines)}")
    return " \N{MIDDLE DOT} ".join(parts)
