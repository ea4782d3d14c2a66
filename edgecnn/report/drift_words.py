"""What a drift measurement says, in words that the page and the terminal share."""

from collections.abc import Mapping

from edgecnn.core.evidence import Drift, LayerDrift, TensorDrift
from edgecnn.report import wording

LIMIT_DB = 120.0
ADDS_UP_DB = 3.0
"""Singly measured errors that add up to within a factor of two of the whole are said to add up."""
CLIPPED = 1e-3
WIDE = 3.0
NAMED = 3


def headline(drift: Drift) -> str:
    """Return where most of the error is born, and how sound that is."""
    rounding = [layer for layer in drift.layers if layer.born_db is not None]
    if not rounding:
        return "No layer reads anything rounded."
    first = worst(drift, NAMED)
    if not first:
        return f"None of the {len(rounding)} layers that read INT8 adds an error that reaches the outputs."
    named = ", ".join(f"{layer.name} ({share_text(layer.share)})" for layer in first)
    whole = share_text(sum(layer.share for layer in first))
    how = "" if drift.shares == "measured" else ", as predicted from the error at birth,"
    frames = f"{drift.frames} frame{'s' if drift.frames != 1 else ''}"
    return (
        f"{whole} of the error{how} comes from {len(first)} of {len(rounding)} layers that read INT8: {named}. "
        f"{_outputs(drift)} Compared on {frames}."
    )


def _outputs(drift: Drift) -> str:
    outputs = ", ".join(f"{db_text(value)} ('{name}')" for name, value in drift.outputs_db.items())
    told = f"Signal to noise at the outputs: {outputs}." if outputs else "No output could be compared."
    if drift.parts_db is None or not drift.outputs_db:
        return told
    noise = sum(10 ** (-value / 10) for value in drift.outputs_db.values()) / len(drift.outputs_db)
    parts = 10 ** (-drift.parts_db / 10)
    apart = 10 ** (ADDS_UP_DB / 10)
    if noise <= parts * apart and parts <= noise * apart:
        return f"{told} The layers' errors, each by itself, add up to {db_text(drift.parts_db)}, so the shares hold."
    return (
        f"{told} The layers' errors, each by itself, would add up to {db_text(drift.parts_db)}: "
        "together they act otherwise than singly, and the shares tell only a part."
    )


def worst(drift: Drift, count: int) -> list[LayerDrift]:
    """Return the layers with the largest shares of the error, largest first; none with no share."""
    found = sorted(drift.layers, key=lambda layer: -layer.share)
    return [layer for layer in found[:count] if layer.share > 0]


def cause(layer: LayerDrift, tensors: Mapping[str, TensorDrift]) -> str:
    """Return what is hardest to round of all that the layer reads: its weights or one of its inputs."""
    read = {name: tensors[name] for name in layer.reads if name in tensors}
    name, tensor = min(read.items(), key=lambda item: item[1].snr_db, default=("", None))
    weights = layer.weights
    if weights is not None and (tensor is None or weights.snr_db < tensor.snr_db):
        apart = f", {wording.number(weights.spread, 0)}{wording.TIMES} from narrowest to widest channel"
        return (
            f"weights {db_text(weights.snr_db)}, channel {weights.worst_channel} {db_text(weights.worst_db)}"
            f"{apart if weights.spread >= 2 else ''}"
        )
    if tensor is None:
        return "a constant it reads was rounded"
    return f"input '{name}' {db_text(tensor.snr_db)}, {trouble(tensor)}"


def trouble(tensor: TensorDrift) -> str:
    """Return what makes an activation hard to round."""
    levels = f"its median channel uses {tensor.median_levels:.0f} of 256 levels"
    if tensor.outliers:
        channel, ratio = next(iter(tensor.outliers.items()))
        more = len(tensor.outliers) - 1
        also = f" and {more} more" if more else ""
        return f"channel {channel}{also} up to {ratio:.0f}{wording.TIMES} the median channel; {levels}"
    seen = max(tensor.seen_max, 0.0) - min(tensor.seen_min, 0.0)
    if tensor.high - tensor.low > WIDE * seen > 0:
        times = f"{(tensor.high - tensor.low) / seen:.0f}{wording.TIMES}"
        return f"its range is {times} what was seen, for a rare peak or a tensor that shares the scale; {levels}"
    if tensor.clipped >= CLIPPED:
        return f"{share_text(tensor.clipped)} of its values clipped; {levels}"
    return levels


def by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of nodes by the reason they were left in float, the commonest reason first."""
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(reason, []).append(name)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def db_text(value: float | None) -> str:
    """Return e.g. `31.5 dB`; at the limits of what is told, what they mean."""
    if value is None:
        return "not comparable"
    if value >= LIMIT_DB:
        return "exact"
    return "nothing left" if value <= -LIMIT_DB else f"{wording.number(value, 1)} dB"


def share_text(share: float) -> str:
    """Return a share in percent with two digits."""
    return f"{wording.number(100 * share, 0 if share >= 0.0995 else 1)} %"
