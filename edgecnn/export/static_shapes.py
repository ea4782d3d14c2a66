"""Inputs of fixed size: batch 1, and height and width as the user says where the file leaves them open."""

from collections.abc import Mapping

import onnx_ir as ir

from edgecnn.core.errors import InputError
from edgecnn.export.passes.editing import is_standard


def fix_shapes(model: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Give every input of `model` a fixed shape, in place, and say what was fixed.

    An open first axis becomes 1. `shapes` gives whole shapes by input name, over what the file says. The shapes that
    the file gives for what is computed are forgotten, to be inferred anew: they are wrong more often than needed.

    Raises:
        InputError: an axis stays open, `shapes` names no input, or gives another number of axes.
    """
    names = {str(value.name) for value in model.graph.inputs}
    if unknown := sorted(set(shapes) - names):
        raise InputError(f"--shape {unknown[0]}=...: the model has no such input; it has {', '.join(sorted(names))}")
    changes = []
    for value in model.graph.inputs:
        wanted = _wanted(value, shapes.get(str(value.name)))
        if wanted is None or (value.shape is not None and list(value.shape) == list(wanted)):
            continue
        changes.append(f"input '{value.name}' fixed to {'x'.join(map(str, wanted)) or 'a scalar'}")
        value.shape = ir.Shape(wanted)
    _forget(model, everywhere=bool(changes))
    return tuple(changes)


def _wanted(value: ir.Value, given: tuple[int, ...] | None) -> tuple[int, ...] | None:
    known = None if value.shape is None else [_size(size) for size in value.shape]
    if given is not None:
        if (known is not None and len(known) != len(given)) or any(size < 1 for size in given):
            raise InputError(f"input '{value.name}' can't have the shape {list(given)}; give {_flag(value, known)}")
        return given
    if not isinstance(value.type, ir.TensorType):
        return None
    if known is None:
        raise InputError(f"input '{value.name}' has no shape; give it as {_flag(value, known)}")
    sizes = [1 if size is None and axis == 0 else size for axis, size in enumerate(known)]
    fixed = tuple(size for size in sizes if size is not None)
    if len(fixed) < len(sizes):
        raise InputError(f"input '{value.name}' leaves sizes open; give them: {_flag(value, sizes)}")
    return fixed


def _flag(value: ir.Value, sizes: list[int | None] | None) -> str:
    """Return the flag that settles the input's shape; a question mark for each number that is missing."""
    shape = "1,3,H,W" if sizes is None else ",".join("?" if size is None else str(size) for size in sizes)
    return f"--shape {value.name}={shape} with a number above 0 for each letter or '?'"


def _size(size: int | ir.SymbolicDim) -> int | None:
    """Return a size, or None for an open one; old exporters wrote 0 and -1 for those."""
    return size if isinstance(size, int) and size > 0 else None


def _forget(model: ir.Model, *, everywhere: bool) -> None:
    """Drop the shapes of computed values; a foreign operator's can't be inferred and stay, if they still hold."""
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if everywhere or is_standard(node):
            for value in node.outputs:
                value.shape = None
