"""Zeros put around an image right before a convolution are the convolution's own padding."""

import onnx_ir as ir

from edgecnn.export.passes.editing import attribute, constant, nodes, rank, set_attribute, set_input

Amounts = tuple[int, ...]


class FoldPad:
    """Fold Pad nodes of constant zeros into every Conv that reads them; other readers keep the Pad."""

    name = "fold_pad"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Fold in front of every convolution until no Pad is there."""
        modified = False
        for conv in nodes(model, "Conv"):
            while (found := _foldable(conv)) is not None:
                pad, amounts = found
                set_attribute(conv, "pads", list(amounts))
                conv.attributes.pop("auto_pad", None)
                set_input(conv, 0, pad.inputs[0])
                modified = True
                if not pad.outputs[0].uses() and not pad.outputs[0].is_graph_output():
                    model.graph.remove(pad, safe=True)
        return modified

    def ensures(self, model: ir.Model) -> None:
        """Nothing: `call` runs until no convolution has a foldable Pad in front."""


def _foldable(conv: ir.Node) -> tuple[ir.Node, Amounts] | None:
    """Return the Pad in front of `conv` and the convolution's padding with it, or None."""
    source = conv.inputs[0]
    pad = None if source is None else source.producer()
    if pad is None or pad.op_type != "Pad" or pad.domain or pad.graph is not conv.graph:
        return None
    if attribute(conv, "auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        return None
    amounts = zeros_around(pad)
    if amounts is None:
        return None
    own = attribute(conv, "pads") or (0,) * len(amounts)
    return pad, tuple(mine + more for mine, more in zip(own, amounts, strict=True))


def zeros_around(pad: ir.Node) -> Amounts | None:
    """Return how many zeros `pad` puts before and behind each spatial axis, or None if it does anything else."""
    pads, axes = constant(pad.inputs[1]), rank(pad.inputs[0])
    if pads is None or axes is None or (pads < 0).any() or attribute(pad, "mode", "constant") != "constant":
        return None
    if len(pad.inputs) > 2 and pad.inputs[2] is not None:
        value = constant(pad.inputs[2])
        if value is None or value.any():
            return None
    chosen = list(range(axes))
    if len(pad.inputs) > 3 and pad.inputs[3] is not None:
        named = constant(pad.inputs[3])
        if named is None:
            return None
        chosen = [int(axis) % axes for axis in named]
    before, behind = [0] * axes, [0] * axes
    for at, axis in enumerate(chosen):
        before[axis], behind[axis] = int(pads[at]), int(pads[at + len(chosen)])
    if any((*before[:2], *behind[:2])):
        return None
    return (*before[2:], *behind[2:])
