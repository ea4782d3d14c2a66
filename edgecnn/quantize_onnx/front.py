"""What of a file is quantized: all of it, or where results vary in size what stands before them."""

from dataclasses import dataclass, field
from typing import Any

from edgecnn.compile.specs import tensor_specs
from edgecnn.core.errors import InputError, StageError
from edgecnn.export.cut import Cut, cut_at, cut_before_varying
from edgecnn.export.load_onnx import is_quantized, load_model
from edgecnn.export.prepare import Prepared, prepare, settled
from edgecnn.quantize_onnx.options import Options

TAIL = "tail.onnx"
"""Where a bundle keeps what follows its network."""


@dataclass(frozen=True, slots=True)
class Front:
    """The network to quantize.

    Attributes:
        original: as the file has it, or the front of that.
        prepared: the original, prepared.
        shapes: fixed shapes of the original's inputs that have none.
        tail: what follows where it was cut; None where it was not.
        notes: what the user must know, a line each.
        quantized: whether it holds Q/DQ pairs already, and is taken as it is.
    """

    original: Any
    prepared: Prepared
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tail: Any = None
    notes: tuple[str, ...] = ()
    quantized: bool = False


def open_front(options: Options) -> Front:
    """Read and prepare the model, cut at `options.outputs`, or before what varies in size if anything does.

    Raises:
        InputError: the file is no model that can be used, or it can't be cut there.
        StageError: preparing it would change what it computes.
    """
    model = load_model(options.model, quantized=options.quantized_too)
    if is_quantized(model):
        if options.outputs:
            raise InputError("--outputs cuts float models; cut a quantized one before it is quantized")
        return Front(model, settled(model, options.shapes), dict(options.shapes), quantized=True)
    if options.outputs:
        return _cut(cut_at(model, options.shapes, options.outputs), "as --outputs says")
    try:
        prepared = prepare(model, shapes=options.shapes)
        tensor_specs(prepared.model)
    except StageError as error:
        # Results whose number hangs on a threshold can't be compared either: rounding adds one or takes one away.
        try:
            cut = cut_before_varying(model, options.shapes)
        except InputError as why:
            raise InputError(f"{options.model.name}: {why}") from error
        if cut is None:
            raise
        return _cut(cut, "since results behind them vary in size")
    return Front(model, prepared, dict(options.shapes))


def _cut(cut: Cut, why: str) -> Front:
    before, behind = cut.layers
    tensors = ", ".join(repr(name) for name in cut.tensors)
    told = f"; {behind} of {before + behind} layers with weights are in there" if behind else ""
    note = (
        f"the network is cut at {tensors}, {why}: it is quantized, judged and timed up to there; {TAIL} in the bundle, "
        f"in float, takes these tensors and gives the rest{told}"
    )
    # The front's inputs have fixed shapes already.
    return Front(cut.front, prepare(cut.front), {}, cut.tail, (note,))
