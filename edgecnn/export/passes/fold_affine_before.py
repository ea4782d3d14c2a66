"""Arithmetic per channel in front of a layer goes into its weights, as far as the padded border allows.

A factor leaves the zeros of the padding zero. A shift does not: it is folded only where nothing is padded, and is else
left as one subtraction of a mean, whatever chain of operators it came from.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.affine import (
    Affine,
    Floats,
    Layer,
    finite,
    read_affine,
    read_layer,
    scaled_inputs,
    write_layer,
)
from edgecnn.export.passes.editing import add_constant, attribute, nodes, only_reader, rank, set_input

LAYERS = ("Conv", "ConvTranspose", "Gemm")


@dataclass(frozen=True, slots=True)
class _Fold:
    """What a layer becomes: its new input less `mean` (nothing if None), and its new weights; `chain` goes."""

    source: ir.Value
    mean: Floats | None
    layer: Layer
    chain: tuple[ir.Node, ...]


class FoldAffineBefore:
    """Fold chains of BatchNormalization, Mul, Div, Add and Sub into the Conv, ConvTranspose or Gemm that reads them."""

    name = "fold_affine_before"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Fold in front of every layer."""
        modified = False
        for node in nodes(model, *LAYERS):
            fold = _foldable(node)
            if fold is not None:
                _apply(model, node, fold)
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """None that could be folded is left."""
        for node in nodes(model, *LAYERS):
            if _foldable(node) is not None:
                raise StageError(f"pass '{self.name}' left a foldable node in front of '{node.name}'")


def _apply(model: ir.Model, node: ir.Node, fold: _Fold) -> None:
    write_layer(model, node, fold.layer)
    source = fold.source
    if fold.mean is not None:
        name = str(fold.chain[-1].outputs[0].name)
        even = bool((fold.mean == fold.mean[0]).all())
        array = fold.mean[0] if even else fold.mean.reshape(1, -1, *[1] * ((rank(source) or 2) - 2))
        less = ir.node("Sub", [source, add_constant(model, f"{name}.mean", np.asarray(array, np.float32))])
        less.name, less.outputs[0].name = f"{fold.chain[-1].name}.mean", f"{name}.centred"
        less.outputs[0].shape, less.outputs[0].type = source.shape, source.type
        node.prepend(less)
        source = less.outputs[0]
    set_input(node, 0, source)
    for gone in reversed(fold.chain):
        model.graph.remove(gone, safe=True)


def _foldable(node: ir.Node) -> _Fold | None:
    """Return what is folded into the layer, or None if there is nothing, or only one subtraction that has to stay."""
    layer = read_layer(node)
    if layer is None:
        return None
    chain, whole = _chain(node)
    if whole is None or len(whole.scale) != layer.weight.shape[1] * layer.groups:
        return None
    mean, scale, shift = None, whole.scale, whole.shift
    if shift.any() and _pads(node):
        if not np.all(scale) or (len(chain) == 1 and bool((scale == 1).all())):
            return None
        mean, shift = -shift / scale, np.zeros_like(shift)
    folded = scaled_inputs(layer, scale, shift)
    return _Fold(whole.source, mean, folded, chain) if finite(folded) else None


def _chain(node: ir.Node) -> tuple[tuple[ir.Node, ...], Affine | None]:
    """Return the arithmetic right before the layer, first node first, that only the layer reads, and what it does."""
    chain: list[ir.Node] = []
    whole: Affine | None = None
    reader, value = node, node.inputs[0]
    while value is not None and only_reader(value) is reader:
        before = value.producer()
        step = None if before is None or before.graph is not node.graph else read_affine(before)
        if before is None or step is None or (whole is not None and len(step.scale) != len(whole.scale)):
            break
        chain.insert(0, before)
        if whole is None:
            whole = step
        else:
            whole = Affine(step.source, step.scale * whole.scale, step.shift * whole.scale + whole.shift)
        reader, value = before, step.source
    return tuple(chain), whole


def _pads(node: ir.Node) -> bool:
    """Whether the layer adds zeros around its input; a transposed convolution's border lacks terms in any case."""
    if node.op_type == "ConvTranspose" or attribute(node, "auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        return True
    return node.op_type == "Conv" and any(attribute(node, "pads", ()))
