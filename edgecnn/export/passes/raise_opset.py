"""An older model in the words of a newer opset, one opset after the other."""

import onnx
import onnx_ir as ir

from edgecnn.core.errors import InputError, StageError
from edgecnn.export.passes.editing import all_nodes, is_standard
from edgecnn.export.passes.opset_adapters import ADAPTERS

OLDEST = 7


class RaiseOpset:
    """Bring the model, and the graphs inside it, from opset 7 or later up to `target`; a newer one stays as it is."""

    name = "raise_opset"

    def __init__(self, target: int) -> None:
        self.target = target

    def requires(self, model: ir.Model) -> None:
        """The opset is known and not older than 7, and ONNX knows every operator of its own domain."""
        if opset(model) < OLDEST:
            raise InputError(
                f"opset {opset(model)} is older than {OLDEST}; export the model again at opset 13 or newer"
            )
        for node in all_nodes(model):
            if is_standard(node) and not onnx.defs.has(node.op_type):
                raise InputError(f"node '{node.name}': ONNX has no operator '{node.op_type}'; export the model again")

    def call(self, model: ir.Model) -> bool:
        """Adapt node by node, opset by opset."""
        start = opset(model)
        for version in range(start + 1, self.target + 1):
            for node in list(all_nodes(model)):
                adapter = ADAPTERS.get((node.op_type, version)) if is_standard(node) else None
                if adapter is not None:
                    adapter(model, node)
            model.graph.opset_imports[""] = version
        for node in all_nodes(model):
            node.version = None
        return start < self.target

    def ensures(self, model: ir.Model) -> None:
        """Every operator exists in the opset reached and has the attributes, inputs and outputs it has there."""
        reached = opset(model)
        if reached < self.target:
            raise StageError(f"pass '{self.name}' stopped at opset {reached}")
        for node in all_nodes(model):
            if is_standard(node) and (wrong := mismatch(node, reached)):
                raise InputError(
                    f"node '{node.name}' ({node.op_type}) can't be brought to opset {reached}: {wrong}; "
                    f"export the model again at opset {reached}"
                )


def opset(model: ir.Model) -> int:
    """Return the model's version of ONNX's own operators."""
    found = model.graph.opset_imports.get("")
    if found is None:
        raise InputError("the model names no version of ONNX's operators (opset)")
    return int(found)


def mismatch(node: ir.Node, version: int) -> str:
    """Say what of the node the operator's schema of `version` does not know; nothing if all is well."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return "there is no such operator"
    if unknown := sorted(set(node.attributes) - set(schema.attributes)):
        return f"there is no attribute '{unknown[0]}'"
    missing = [name for name, entry in schema.attributes.items() if entry.required and name not in node.attributes]
    if missing:
        return f"attribute '{missing[0]}' is missing"
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        return f"it has {len(node.inputs)} inputs"
    return "" if schema.min_output <= len(node.outputs) <= schema.max_output else f"it has {len(node.outputs)} outputs"
