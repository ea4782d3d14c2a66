"""Rewrites: the same network in other words; each is offered to be timed on the target, and kept if it is faster."""

import onnx
import onnx_ir as ir

from edgecnn.core.errors import StageError
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

    Raises:
        StageError: a variant does not compute what `model` computes; it would be a defect of a pass.
    """
    reference, found, seen = None, {}, {model.SerializeToString(deterministic=True)}
    for name, steps in REWRITES.items():
        work = opened(model)
        changed = [run(step, work).modified for step in steps]
        if not any(changed):
            continue
        run(Tidy(deduplicate=False), work)
        run(OwnWeights(), work)
        infer_shapes(work)
        result = ir.to_proto(work)
        data = result.SerializeToString(deterministic=True)
        if data in seen:
            continue
        seen.add(data)
        reference = reference or Reference(model)
        agreement = reference.agree(result, AGREED)
        if not agreement.holds:
            raise StageError(
                f"rewrite '{name}' would change the outputs by {agreement.error:.1e}; please report the model"
            )
        found[name] = result
    return found
