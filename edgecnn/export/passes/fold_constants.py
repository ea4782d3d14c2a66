"""Compute once, at export, what depends on no input."""

import onnx_ir as ir
import onnxscript.optimizer
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveUnusedNodesPass

from edgecnn.core.errors import StageError


class FoldConstants:
    """Nodes that read only constants become initializers; onnxscript does the folding."""

    name = "fold_constants"

    def requires(self, model: ir.Model) -> None:
        """Any model will do."""

    def call(self, model: ir.Model) -> bool:
        """Fold, drop what nothing reads, and leave no Constant node."""
        folded = onnxscript.optimizer.fold_constants(model).modified
        removed = RemoveUnusedNodesPass()(model).modified
        lifted = LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified
        return bool(folded or removed or lifted)

    def ensures(self, model: ir.Model) -> None:
        """No Constant node is left."""
        if left := [node.name for node in model.graph if node.op_type == "Constant"]:
            raise StageError(f"pass '{self.name}' left the constant node '{left[0]}'")
