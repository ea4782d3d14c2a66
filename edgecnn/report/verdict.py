"""The verdict in sentences: did it pass, what was won, what was paid, and which gate was missed by how much."""

from dataclasses import dataclass

import msgspec

from edgecnn.core.evidence import Gate
from edgecnn.core.measure import Measurement
from edgecnn.report import wording
from edgecnn.report.blocks import Status
from edgecnn.report.facts import ArtefactFacts, ReportFacts


@dataclass(frozen=True, slots=True)
class Headline:
    """The first line: `word` (PASS, FAIL, NOT JUDGED), its sentence, and further sentences by weight."""

    status: Status
    word: str
    sentence: str
    details: tuple[str, ...] = ()


def headline(facts: ReportFacts) -> Headline:
    """Return what a decision-maker reads first."""
    won = _sentence(facts)
    doubts = tuple(f"Latency was disturbed: {one}." for one in facts.disturbances)
    if facts.passed is None:
        unsaid = "No gate was judged, so nothing here says whether it is good enough."
        return Headline("warn", "NOT JUDGED", won, (unsaid, *doubts))
    if facts.passed:
        count = len(facts.verify.gates) if facts.verify else 0
        held = f"All {count} gates hold." if count > 1 else "Every gate holds."
        return Headline("pass", "PASS", won, (held, *doubts))
    missed = missed_gates(facts)
    if not missed:
        names = ", ".join(artefact.name for artefact in facts.artefacts if artefact.passed is False)
        return Headline("fail", "FAIL", f"{names} missed a gate.", (won, *doubts))
    total = len(facts.verify.gates) if facts.verify else 0
    first = f"{len(missed)} of {total} gates missed: {missed[0].text}."
    return Headline("fail", "FAIL", first, (*(f"{gate.text}." for gate in missed[1:]), won, *doubts))


def missed_gates(facts: ReportFacts) -> list[Gate]:
    """Return the gates that do not hold, the one missed by the largest share of its limit first."""
    gates = [gate for gate in facts.verify.gates if not gate.passed] if facts.verify else []
    return sorted(gates, key=lambda gate: -abs(gate.value - gate.limit) / max(abs(gate.limit), 1e-9))


def chosen(facts: ReportFacts) -> ArtefactFacts | None:
    """Return the artefact the verdict speaks of: the fastest that missed no gate, else the fastest of all."""
    timed = [artefact for artefact in facts.artefacts if artefact.latency is not None]
    sound = [artefact for artefact in timed if artefact.passed is not False]
    return min(sound or timed, key=_median_ms, default=None)


def baseline(facts: ReportFacts) -> ArtefactFacts | None:
    """Return what the chosen artefact is compared with: the slowest FP32 one."""
    best = chosen(facts)
    floats = [one for one in facts.artefacts if one.precision == "fp32" and one.latency is not None and one is not best]
    return max(floats, key=_median_ms, default=None)


def ratio(facts: ReportFacts, slow: ArtefactFacts, fast: ArtefactFacts) -> Measurement | None:
    """Return how many times as fast `fast` is as `slow`: paired and with an interval if bench can, else of medians."""
    ratios = facts.bench.ratios if facts.bench else {}
    found = ratios.get(f"{slow.name} / {fast.name}")
    if found is not None:
        return found
    turned = ratios.get(f"{fast.name} / {slow.name}")
    if turned is not None:
        low, high = (None if bound is None else 1 / bound for bound in (turned.high, turned.low))
        return msgspec.structs.replace(turned, value=1 / turned.value, low=low, high=high, unit=wording.TIMES)
    if slow.latency is None or fast.latency is None:
        return None
    value, n = slow.latency.value / fast.latency.value, min(slow.latency.n, fast.latency.n)
    return Measurement(value, wording.TIMES, n, method="ratio of medians, not paired")


def _median_ms(artefact: ArtefactFacts) -> float:
    return artefact.latency.value if artefact.latency else float("inf")


def _sentence(facts: ReportFacts) -> str:
    best, slow = chosen(facts), baseline(facts)
    if best is None:
        return _accuracy_only(facts)
    if slow is None:
        speed = f"{best.title} answers in {wording.phrase(best.latency)}" if best.latency else best.title
        return f"{speed}{_paid(facts, best, None)}."
    factor = ratio(facts, slow, best)
    speed = (
        f"runs {wording.phrase(factor)} as fast as {slow.title}" if factor else f"was not timed against {slow.title}"
    )
    return f"{best.title} {speed}{_paid(facts, best, slow)}."


def _paid(facts: ReportFacts, best: ArtefactFacts, slow: ArtefactFacts | None) -> str:
    """Return the second half of the sentence: what it costs in the task's figure."""
    drop = best.lost
    if drop is None:
        figure = best.figures.get(facts.figure)
        return f", with {facts.figure} {wording.phrase(wording.share(figure))}" if figure else ""
    named = facts.reference and not (slow is not None and slow.name == facts.reference)
    against = f" against {facts.title_of(facts.reference)}" if named else ""
    if best.total_drop is not None:
        against = " against the uncompressed network"
    low, high = (None if bound is None else -bound for bound in (drop.high, drop.low))
    gain = msgspec.structs.replace(drop, value=-drop.value, low=low, high=high)
    if drop.value == 0:
        return f" and loses no {facts.figure}{against}: {_points(drop)}"
    paid = f"loses {_points(drop)}" if drop.value > 0 else f"gains {_points(gain)}"
    by_chance = drop.low is not None and drop.high is not None and drop.low <= 0 <= drop.high
    return f" and {paid} of {facts.figure}{against}" + (", which chance alone could explain" if by_chance else "")


def _points(drop: Measurement) -> str:
    return wording.phrase(msgspec.structs.replace(drop, unit="points"))


def _accuracy_only(facts: ReportFacts) -> str:
    names = ", ".join(artefact.title for artefact in facts.artefacts) or "nothing"
    return f"{facts.name} holds {names}; no latency was measured."
