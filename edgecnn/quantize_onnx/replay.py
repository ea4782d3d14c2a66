"""What `--replay` names: the record of an earlier run, and how its decisions meet the model at hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from edgecnn.compress.quantize.replay import Decisions, decisions_of
from edgecnn.compress.quantize.workbench import named
from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import InputError, listed
from edgecnn.core.evidence import QuantizeResult
from edgecnn.core.registry import nearest
from edgecnn.export.rewrites import rewritten

QUANTIZE = "quantize.json"
"""Where a bundle keeps how each of its models was quantized."""
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Met:
    """Decisions on a model: the form of it that they are about, those of its nodes that stay in float, and notes."""

    model: Any
    keep_float: tuple[str, ...]
    notes: tuple[str, ...]


def read_decisions(path: Path, wanted: str | None = None) -> Decisions:
    """Return the decisions recorded for the artefact or target `wanted`, which may be None where there is but one.

    `path` is a bundle (folder or `.edge` file) or the `quantize.json` of one.

    Raises:
        BundleError: the bundle is damaged.
        InputError: there is no such record.
    """
    models = {PurePosixPath(one.file).stem: one for one in _record(path).models}
    listed = ", ".join(f"{name} (for {one.target})" for name, one in models.items())
    if not models:
        raise InputError(f"{path}: records no INT8 model, so there is nothing to replay")
    if wanted is None and len(models) > 1:
        raise InputError(f"{path}: records {listed}; say which by --replay-from NAME")
    found = [one for name, one in models.items() if wanted in {None, name, one.target}]
    if not found:
        hint = nearest(str(wanted), [*models, *(one.target for one in models.values())])
        raise InputError(f"{path}: records no '{wanted}'{hint}; it has {listed}")
    return decisions_of(found[0])


def check_related(name: str, model: Any, decisions: Decisions | None) -> None:
    """See that a prepared `model`, called `name`, has at least one of the nodes that were decided on.

    Raises:
        InputError: it has none, as another network has not.
    """
    if decisions is not None and not decisions.known(_operators(model)):
        raise InputError(
            f"{name}: has no node of the network that {decisions.origin} was made of; replay the record of this network"
        )


def meet(model: Any, decisions: Decisions) -> Met:
    """Return how `decisions` apply to a prepared `model`, or to the rewritten form of it that they were made for."""
    forms = [(form, _operators(form)) for form in _forms(model, decisions)]
    # Forms may have all the nodes decided on, one as Gather what another has as Conv.
    form, names = max(forms, key=lambda one: (decisions.known(one[1]), -decisions.differences(one[1])))
    notes = []
    if absent := [name for name in decisions.keep_float if name not in names]:
        notes.append(f"{decisions.origin} keeps nodes in float that are not here: {listed(absent, SHOWN)}")
    return Met(form, tuple(name for name in decisions.keep_float if name in names), tuple(notes))


def _forms(model: Any, decisions: Decisions) -> Iterator[Any]:
    yield model
    operators = _operators(model)
    if decisions.known(operators) < len(decisions.nodes) or (decisions.operators and decisions.differences(operators)):
        yield from rewritten(model).values()


def _operators(model: Any) -> dict[str, str]:
    return {str(node.name): node.op_type for node in named(model).graph}


def _record(path: Path) -> QuantizeResult:
    advice = f"give a bundle that edgecnn quantize made of an ONNX file, or the {QUANTIZE} in it"
    if path.is_dir() or path.suffix.lower() == ".edge":
        bundle = open_bundle(path.resolve())
        if QUANTIZE not in bundle.manifest.files:
            raise InputError(f"{path}: this bundle holds no {QUANTIZE}; {advice}")
        data = bundle.read(QUANTIZE)
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; {advice}") from error
    try:
        return msgspec.json.decode(data, type=QuantizeResult)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no record of a quantization ({error}); {advice}") from error
