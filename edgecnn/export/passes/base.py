"""Pass: requires -> call -> ensures; `run` checks every claim a pass makes."""

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import onnx_ir as ir

from edgecnn.core.errors import StageError


class Pass(Protocol):
    """One change of a model, made in place.

    Attributes:
        name: the pass's name in errors.
    """

    name: str

    def requires(self, model: ir.Model) -> None:
        """Raise `StageError` unless the pass can work on `model`."""
        ...

    def call(self, model: ir.Model) -> bool:
        """Change `model` in place and return whether it changed."""
        ...

    def ensures(self, model: ir.Model) -> None:
        """Raise `StageError` unless `model` is what the pass promises to leave."""
        ...


@dataclass(frozen=True, slots=True)
class PassResult:
    """The model (the object that was given) and whether the passes changed it."""

    model: ir.Model
    modified: bool


def run(step: Pass, model: ir.Model) -> PassResult:
    """Run one pass.

    Raises:
        StageError: it does not apply, left something else than promised, changed the graph's inputs or outputs, or
            said the wrong thing about whether it changed the model.
    """
    step.requires(model)
    before, face = fingerprint(model), _face(model)
    modified = step.call(model)
    if modified == before.same(fingerprint(model)):
        claim = "changed the model, and it did not" if modified else "left the model alone, and it changed it"
        raise StageError(f"pass '{step.name}' says it {claim}; correct what its call() returns")
    if not _same_face(face, _face(model)):
        raise StageError(
            f"pass '{step.name}' changed the model's inputs or outputs; a pass must leave them as they are"
        )
    step.ensures(model)
    return PassResult(model, modified)


def run_all(steps: tuple[Pass, ...], model: ir.Model) -> PassResult:
    """Run `steps` in order, each checked as in `run`."""
    modified = [run(step, model).modified for step in steps]
    return PassResult(model, any(modified))


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """All that a model says: its text hashed, its weights by identity, for a tensor is replaced, never written to."""

    text: bytes
    weights: tuple[ir.TensorProtocol | None, ...]

    def same(self, other: "Fingerprint") -> bool:
        """Whether nothing has changed between two fingerprints of one model."""
        alike = self.text == other.text and len(self.weights) == len(other.weights)
        return alike and all(one is two for one, two in zip(self.weights, other.weights, strict=True))


def fingerprint(model: ir.Model) -> Fingerprint:
    """Return the model's fingerprint; its cost does not grow with the weights."""
    text = hashlib.sha256()
    graph = model.graph
    about: list[Any] = [model.ir_version, model.producer_name, model.producer_version, model.domain, model.doc_string]
    about += [sorted(model.metadata_props.items()), sorted(model.opset_imports.items())]
    about += [graph.name, graph.doc_string, sorted(graph.metadata_props.items())]
    about += [[_spoken(value) for value in values] for values in (graph.inputs, graph.outputs)]
    about += [_spoken(value) for value in graph.initializers.values()]
    text.update(repr(about).encode())
    for node in graph:
        text.update(ir.to_proto(node).SerializeToString(deterministic=True))
        text.update(repr([_spoken(value) for value in node.outputs]).encode())
    for function in model.functions.values():
        text.update(ir.to_proto(function).SerializeToString(deterministic=True))
    return Fingerprint(text.digest(), tuple(value.const_value for value in graph.initializers.values()))


def _spoken(value: ir.Value) -> tuple[Any, ...]:
    return (value.name, str(value.type), str(value.shape), value.doc_string, sorted(value.metadata_props.items()))


def _face(model: ir.Model) -> list[tuple[str | None, ...]]:
    values = [*model.graph.inputs, *model.graph.outputs]
    return [(value.name, _text(value.dtype), _text(value.shape)) for value in values]


def _text(fact: ir.DataType | ir.Shape | None) -> str | None:
    return None if fact is None else str(fact)


def _same_face(before: list[tuple[str | None, ...]], after: list[tuple[str | None, ...]]) -> bool:
    """Whether all that was known of inputs and outputs still holds; what was unknown may have become known."""
    return len(before) == len(after) and all(
        old in {None, new}
        for one, other in zip(before, after, strict=True)
        for old, new in zip(one, other, strict=True)
    )
