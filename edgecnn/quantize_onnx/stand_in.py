"""What a destination gets where its model can't be, or is better not, in INT8: FP16 where it has that, else FP32."""

from collections.abc import Sequence
from pathlib import Path

from edgecnn.core.destination import Destination
from edgecnn.core.errors import EngineError, InputError, MissingExtraError, StageError
from edgecnn.quantize_onnx.source import Source
from edgecnn.quantize_onnx.variants import Variant, half_variants, quantized_variant


def compressed(source: Source, place: Destination, work: Path, notes: list[str]) -> list[Variant]:
    """Return what was asked for at `place`, FP16 where there is no INT8 or it does not pay, or nothing beside FP32.

    Why there is none goes into `notes`: what one destination can't have is no reason to keep another waiting.

    Raises:
        MissingExtraError: a package that the destination's engine needs is not installed.
    """
    if source.options.precision == "fp16":
        return _halves(source, place, work, notes)
    try:
        variant = quantized_variant(source, place, work, notes)
    except MissingExtraError:
        raise
    except (InputError, EngineError, StageError) as error:
        halves = stand_in(source, place, work)
        notes.append(f"{place.name}: not in INT8: {error}; {stands(halves)}")
        return halves
    return [variant] if variant is not None else stand_in(source, place, work)


def _halves(source: Source, place: Destination, work: Path, notes: list[str]) -> list[Variant]:
    """Return FP16 for `place`; why there is none goes into `notes`."""
    try:
        halves = half_variants(source, place, work)
    except (InputError, StageError) as error:
        notes.append(f"{place.name}: not in FP16: {error}; {stands([])}")
        return []
    if not halves:
        notes.append(f"{place.name} computes in FP32 whatever the file holds, so there is no FP16 for it")
    return halves


def stand_in(source: Source, place: Destination, work: Path) -> list[Variant]:
    """Return FP16 for `place`, or nothing where there is no such thing: FP32 is there anyhow."""
    try:
        return half_variants(source, place, work)
    except (InputError, StageError):
        return []


def stands(halves: Sequence[Variant]) -> str:
    """Say what stands in where `halves` is all that there is beside FP32."""
    return "FP16 and FP32 stand in" if halves else "FP32 stands in"
