"""Does a quantized graph keep every rule of a scheme? Read from the graph alone, whoever placed its Q/DQ."""

from collections.abc import Callable, Iterator

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from edgecnn.compress.quantize.rules import activations, hints, neighbours, parameters, weights, whole
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.core.errors import line_of

Rule = Callable[[ir.Model, Scheme], Iterator[str]]
RULES: tuple[Rule, ...] = (
    whole.opset,
    whole.operators,
    whole.types,
    parameters.parameters,
    activations.activations,
    activations.one_rounding,
    activations.counted_padding,
    weights.weights,
    neighbours.rounded_results,
    neighbours.rounded_ends,
    neighbours.shared_scales,
)
HINTS: tuple[Rule, ...] = (
    hints.residual_sums,
    hints.rounding_before_activation,
    hints.coarse_weights,
    hints.needless_pairs,
    hints.moved_anew,
    hints.heard_twice,
)


def violations(model: onnx.ModelProto, scheme: Scheme) -> list[str]:
    """Return one sentence for each rule of `scheme` that `model` breaks; empty if it keeps them all.

    Each names the node, the rule, and what to do. To be valid ONNX is the first of all rules.
    """
    return [*_invalid(model), *_ask(model, scheme, RULES)]


def advice(model: onnx.ModelProto, scheme: Scheme) -> list[str]:
    """Return one sentence for each thing that the scheme's target takes, but runs slower or less exactly for it."""
    return _ask(model, scheme, HINTS)


def _invalid(model: onnx.ModelProto) -> Iterator[str]:
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        yield f"the model is no valid ONNX, mend this first: {line_of(error)}"


def _ask(model: onnx.ModelProto, scheme: Scheme, rules: tuple[Rule, ...]) -> list[str]:
    try:
        read = _read(model)
    except Exception as error:  # noqa: BLE001 - whatever a strange file breaks in a reader, the file is what is wrong
        return [f"the model can't be read as a graph: {line_of(error)}"]
    found: dict[str, None] = {}
    for rule in rules:
        try:
            found.update(dict.fromkeys(rule(read, scheme)))
        except Exception as error:  # noqa: BLE001 - a damaged graph must not hide what else is wrong with it
            found[f"the graph is damaged, and rule '{rule.__name__}' can't be judged: {line_of(error)}"] = None
    return list(found)


def _read(model: onnx.ModelProto) -> ir.Model:
    """Return the model with shapes and types as far as they can be told, and its Constant nodes as initializers."""
    try:
        known = onnx.shape_inference.infer_shapes(model)
    except onnx.shape_inference.InferenceError:
        known = model
    read = ir.from_proto(known)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(read)
    return read
