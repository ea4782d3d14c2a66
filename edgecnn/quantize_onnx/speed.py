"""What timing tells of INT8 against FP32 in the same engine, and what it does not."""

from collections.abc import Mapping

from edgecnn.core.measure import Measurement


def speed_note(name: str, base: str, gain: Measurement) -> str:
    """Return what must be known of `gain`, how many times as fast as `base` the artefact `name` is; "" if it is faster.

    The interval decides, not the value: a gain whose interval holds 1 is no gain that was told.
    """
    if gain.low is not None and gain.low > 1:
        return ""
    if gain.high is not None and gain.high < 1:
        return f"{name} is not faster than {base}: {gain.text(2)}; the faster one is loaded"
    return f"no difference in speed between {name} and {base} could be told: {gain.text(2)}; time longer with --seconds"


def speedup(ratios: Mapping[str, Measurement], name: str, base: str) -> Measurement | None:
    """Return how many times as fast the artefact `name` is as `base`, engine alone; None where it was not timed."""
    return ratios.get(f"{base} / {name}, engine only")
