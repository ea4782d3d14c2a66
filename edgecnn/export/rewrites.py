"""Rewrites: the same network in other words; each is offered to be timed on the target, and kept if it is faster."""

from collections.abc import Iterator, Sequence

import onnx
import onnx_ir as ir

from edgecnn.core.errors import InputError, StageError
from edgecnn.export.equivalence import Reference
from edgecnn.export.passes.base import Pass, run
from edgecnn.export.passes.convolve_selections import ConvolveSelections
from edgecnn.export.passes.editing import opened
from edgecnn.export.passes.fold_selections import FoldSelections
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.export.passes.own_weights import OwnWeights
from edgecnn.export.passes.simplify_selections import SimplifySelections
from edgecnn.export.passes.tidy import Tidy

AGREED = 1e-4
"""How far, relative to their size, outputs may move: the order of a few sums."""
REWRITES: dict[str, tuple[Pass, ...]] = {
    "selections as one Gather": (SimplifySelections(),),
    "selections folded into weights": (FoldSelections(), SimplifySelections()),
    "selections as convolutions": (FoldSelections(), ConvolveSelections()),
}


def rewritten(model: onnx.ModelProto) -> dict[str, onnx.ModelProto]:
    """Return by name the variants of a prepared model that say something else than it and one another.

    A variant that can't be made, or that ONNX Runtime does not find to compute what `model` computes, is not offered:
    a rewrite only saves time, and there is none worth another answer.

    Raises:
        InputError: ONNX Runtime can't run `model`.
    """
    found = dict(variants(model))
    if not found:
        return {}
    reference = Reference(model)
    return {name: variant for name, variant in found.items() if _agrees(reference, variant)}


def variants(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Yield each variant with its name, before anything proves that it computes the same."""
    seen = {model.SerializeToString(deterministic=True)}
    for name, steps in REWRITES.items():
        result = _rewrite(model, steps)
        if result is None or (data := result.SerializeToString(deterministic=True)) in seen:
            continue
        seen.add(data)
        yield name, result


def _rewrite(model: onnx.ModelProto, steps: Sequence[Pass]) -> onnx.ModelProto | None:
    """Return `model` after `steps`; None where they find nothing to change, or one does not leave what it promises."""
    work = opened(model)
    try:
        changed = [run(step, work).modified for step in steps]
        if not any(changed):
            return None
        run(Tidy(deduplicate=False), work)
        run(OwnWeights(), work)
    except StageError:
        return None
    infer_shapes(work)
    return ir.to_proto(work)


def _agrees(reference: Reference, variant: onnx.ModelProto) -> bool:
    try:
        return reference.agree(variant, AGREED).holds
    except InputError:
        return False
