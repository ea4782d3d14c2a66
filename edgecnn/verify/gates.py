"""Gates: what has to hold before a bundle is handed out, each answered in a whole sentence."""

from collections.abc import Sequence

from edgecnn.core.evidence import Gate, Verdict
from edgecnn.core.recipe import VerifySection


def gates(verdicts: Sequence[Verdict], reference: str, figure: str, settings: VerifySection) -> tuple[Gate, ...]:
    """Return every gate of every artefact: parity, the reference's least figure, the greatest drop of what may lose."""
    found: list[Gate] = []
    for verdict in verdicts:
        found.append(_parity(verdict))
        if verdict.artefact == reference:
            found.append(_least(verdict, figure, settings.min_figure))
        if verdict.total_drop is not None or (verdict.artefact != reference and verdict.drop is not None):
            found.append(drop_gate(verdict, figure, settings.max_drop))
    return tuple(found)


def _parity(verdict: Verdict) -> Gate:
    name, worst = max(verdict.parity.rel_error.items(), key=lambda item: item[1])
    limit = verdict.parity.tolerance
    passed = verdict.parity.passed
    missed = "" if passed else f", missed by {worst - limit:.2g}"
    text = f"{verdict.artefact}: output '{name}' is {worst:.2g} off the golden one (tolerance {limit:g}{missed})"
    return Gate(verdict.artefact, "parity", limit, worst, passed, text)


def _least(verdict: Verdict, figure: str, limit: float) -> Gate:
    value = verdict.figures[figure].value
    passed = value >= limit
    missed = "" if passed else f", missed by {limit - value:.4f}"
    text = f"{verdict.artefact}: {figure} {value:.4f} (min_figure {limit:g}{missed})"
    return Gate(verdict.artefact, "min_figure", limit, value, passed, text)


def drop_gate(verdict: Verdict, figure: str, limit: float) -> Gate:
    """Return the gate that an artefact loses at most `limit` points of `figure`.

    They are counted from the uncompressed network where that was run on the same frames, else from the reference.
    """
    drop = verdict.drop if verdict.total_drop is None else verdict.total_drop
    assert drop is not None  # noqa: S101 - the caller's case
    value = drop.value
    passed = value <= limit
    interval = f" [{drop.low:.2f}, {drop.high:.2f}]" if drop.low is not None else ""
    against = "" if verdict.total_drop is None else " against the uncompressed network"
    missed = "" if passed else f", missed by {value - limit:.2f}"
    text = f"{verdict.artefact}: loses {value:.2f}{interval} points of {figure}{against} (max_drop {limit:g}{missed})"
    return Gate(verdict.artefact, "max_drop", limit, value, passed, text)
