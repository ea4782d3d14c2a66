"""Pass: requires -> call -> ensures; `run` checks every claim a pass makes."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

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
    before, face = _digest(model), _face(model)
    modified = step.call(model)
    if modified != (_digest(model) != before):
        claim = "changed the model, and it did not" if modified else "left the model alone, and it changed it"
        raise StageError(f"pass '{step.name}' says it {claim}; correct what its call() returns")
    if _face(model) != face:
        raise StageError(
            f"pass '{step.name}' changed the model's inputs or outputs; a pass must leave them as they are"
        )
    step.ensures(model)
    return PassResult(model, modified)


def run_all(steps: tuple[Pass, ...], model: ir.Model) -> PassResult:
    """Run `steps` in order, each checked as in `run`."""
    modified = [run(step, model).modified for step in steps]
    return PassResult(model, any(modified))


def _digest(model: ir.Model) -> bytes:
    return hashlib.sha256(ir.to_proto(model).SerializeToString(deterministic=True)).digest()


def _face(model: ir.Model) -> list[tuple[str | None, str, str]]:
    values = [*model.graph.inputs, *model.graph.outputs]
    return [(value.name, str(value.dtype), str(value.shape)) for value in values]
