"""Verdict: whether pruning can make a network as fast as is asked, said before any training is spent."""

from dataclasses import dataclass

from edgecnn.compress.prune.predict import LatencyPrediction
from edgecnn.compress.prune.widths import Widths, candidates

NEAR = 0.02
"""How far below the speed asked for the best one may lie, since a prediction is no closer than that."""
OVERHEAD = 0.25
"""Share of the time from which the engine's overhead, layers that stay, or what is no layer is named as the reason."""


@dataclass(frozen=True)
class Verdict:
    """What pruning can do for a network.

    Attributes:
        helps: whether what was asked for can be reached.
        best_speedup: how many times as fast the fastest widths found are predicted to be, of those allowed.
        best: those widths.
        shrinkable: share of the time in layers that have channels to lose.
        call: share of the time that a call takes which does nothing.
        text: all that in a sentence.
        why: where it does not help, what stands in the way.
    """

    helps: bool
    best_speedup: float
    best: Widths
    shrinkable: float
    call: float
    text: str
    why: str


def can_pruning_help(prediction: LatencyPrediction, asked: float | None = None, *, floor: float = 0.1) -> Verdict:
    """Return whether `prediction`'s network can be made `asked` times as fast (None: faster at all) by pruning.

    `floor` limits the widths as in `candidates`, and so does the prediction's own alignment.
    """
    best = _fastest(prediction, floor)
    speedup, shares = prediction.speedup(best), prediction.shares()
    touched = {layer.name for layer in prediction.layers if layer.ins or layer.outs}
    shrinkable = sum(shares[name] for name in touched)
    needed = 1 + NEAR if asked is None else asked * (1 - NEAR)
    helps = speedup >= needed
    wanted = "a gain that could be measured" if asked is None else f"{asked:.2f}x"
    origin = "measured" if prediction.how == "measured" else "data-sheet"
    within = ", predicted: no network was timed" if prediction.error is None else f", within {prediction.error:.0%}"
    text = (
        f"pruning can{'' if helps else 'not'} reach {wanted}: by {origin} layer times ({prediction.on}{within}) the "
        f"fastest widths with {floor:.0%} of the channels left give {speedup:.2f}x; {shrinkable:.0%} of "
        f"{prediction.milliseconds({}):.3f} ms is in layers with channels to lose, {shares['call']:.0%} in the call"
    )
    why = "" if helps else _why(prediction, shares, best, touched)
    return Verdict(helps, speedup, best, shrinkable, shares["call"], f"{text}{f'; {why}' if why else ''}", why)


def _fastest(prediction: LatencyPrediction, floor: float) -> dict[str, int]:
    """Return the fastest widths found, one group after another: the least widths are not always the fastest."""
    widths = {group.name: candidates(group, floor, prediction.align)[0] for group in prediction.groups}
    for group in prediction.groups:
        options = [{**widths, group.name: width} for width in candidates(group, floor, prediction.align)]
        widths = min(options, key=prediction.milliseconds)
    return widths


def _why(prediction: LatencyPrediction, shares: dict[str, float], best: Widths, touched: set[str]) -> str:
    """Return what most of the time goes to that pruning does not shrink."""
    if shares["call"] >= OVERHEAD:
        return f"{shares['call']:.0%} of the time is the engine's overhead a call; a larger input or batch would use it"
    fixed = {name: share for name, share in shares.items() if name not in touched and name not in {"call", "rest"}}
    if sum(fixed.values()) >= OVERHEAD:
        name = max(fixed, key=lambda layer: fixed[layer])
        return f"layers whose channels have to stay take {sum(fixed.values()):.0%} of the time, {name} most of it"
    if shares["rest"] >= OVERHEAD:
        return (
            f"{shares['rest']:.0%} of the time is outside of layers (pools, sums, layouts), where channels weigh less"
        )
    stuck = {
        layer.name: prediction.layer_ms(layer, best) / max(prediction.layer_ms(layer, {}), 1e-12)
        for layer in prediction.layers
        if layer.name in touched
    }
    name = max(stuck, key=lambda layer: stuck[layer] * shares[layer])
    return f"layers are below the widths that the engine gains from: {name} still takes {stuck[name]:.0%} of its time"
