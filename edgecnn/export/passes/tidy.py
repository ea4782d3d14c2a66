"""Leave only what an engine needs: no dead or doubled node, no doubled constant, no trace of the machine."""

import onnx_ir as ir
from onnx_ir.passes import Sequential
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    NameFixPass,
    RemoveUnusedFunctionsPass,
    RemoveUnusedNodesPass,
    RemoveUnusedOpsetsPass,
    TopologicalSortPass,
)

from edgecnn.core.errors import StageError
from edgecnn.export.passes.base import fingerprint
from edgecnn.export.passes.editing import bypass, nodes


class Tidy:
    """onnx_ir's clean-up passes in one; `deduplicate` merges equal initializers.

    The exporter's metadata goes too: it holds paths of the exporting machine.
    """

    name = "tidy"

    def __init__(self, *, deduplicate: bool = True) -> None:
        self.deduplicate = deduplicate

    def requires(self, model: ir.Model) -> None:
        """Any model will do."""

    def call(self, model: ir.Model) -> bool:
        """Run them all. Some of them change a node's trailing inputs and outputs and do not say so."""
        before = fingerprint(model)
        # Its own pass for this gives two outputs one name where one is the other's copy.
        for node in nodes(model, "Identity"):
            if node.inputs[0] is not None:
                bypass(node, node.inputs[0])
        steps = Sequential(
            CommonSubexpressionEliminationPass(),
            RemoveUnusedNodesPass(),
            RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
            RemoveUnusedOpsetsPass(),
            *([DeduplicateInitializersPass()] if self.deduplicate else []),
            ClearMetadataAndDocStringPass(),
            NameFixPass(),
            TopologicalSortPass(),
        )
        steps(model)
        return not before.same(fingerprint(model))

    def ensures(self, model: ir.Model) -> None:
        """Every node is read by another or by the outside, and no metadata is left."""
        for node in model.graph:
            if not any(value.uses() or value.is_graph_output() for value in node.outputs):
                raise StageError(f"pass '{self.name}' left the dead node '{node.name}'")
            if node.metadata_props or node.doc_string:
                raise StageError(f"pass '{self.name}' left metadata on '{node.name}'")
