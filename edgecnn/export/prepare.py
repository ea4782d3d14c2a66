"""A stranger's ONNX model made ready to be quantized, and proven to compute what it computed before."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, RemoveInitializersFromInputsPass

from edgecnn.core.errors import InputError, StageError, line_of
from edgecnn.export.equivalence import Agreement, Reference
from edgecnn.export.float32 import to_float32
from edgecnn.export.passes.base import Pass, run
from edgecnn.export.passes.editing import nodes, opened
from edgecnn.export.passes.evaluate_constants import EvaluateConstants
from edgecnn.export.passes.explicit_padding import ExplicitPadding
from edgecnn.export.passes.fold_affine_after import FoldAffineAfter
from edgecnn.export.passes.fold_affine_before import FoldAffineBefore
from edgecnn.export.passes.fold_pad import FoldPad
from edgecnn.export.passes.gemm_from_matmul import GemmFromMatMul
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.export.passes.inline_if import InlineIf
from edgecnn.export.passes.lower_opset import LowerOpset
from edgecnn.export.passes.own_weights import OwnWeights
from edgecnn.export.passes.pad_before_maxpool import PadBeforeMaxPool
from edgecnn.export.passes.raise_opset import RaiseOpset
from edgecnn.export.passes.raise_opset import opset as opset_of
from edgecnn.export.passes.remove_noops import RemoveNoops
from edgecnn.export.passes.standalone_batchnorm import StandaloneBatchNorm
from edgecnn.export.passes.tidy import Tidy
from edgecnn.export.static_shapes import fix_shapes

OLDEST_OUT, USUAL_OUT = 13, 17
OLDEST_IR, NEWEST_IR = 8, 10
SOUND_GROUP_NORM = 21
AGREED = 1e-4
"""How far, relative to their size, outputs may move: float rounding of a deep network, no more."""
HALF_AGREED = 5e-2
"""The same for a model that came in half precision, whose own rounding is this coarse."""
ROUNDS = 8
SIMPLIFY: tuple[Pass, ...] = (EvaluateConstants(), InlineIf(), RemoveNoops(), Tidy(deduplicate=False))
FOLD: tuple[Pass, ...] = (
    ExplicitPadding(),
    FoldPad(),
    PadBeforeMaxPool(),
    GemmFromMatMul(),
    FoldAffineAfter(),
    FoldAffineBefore(),
    RemoveNoops(),
    Tidy(deduplicate=False),
)
FINISH: tuple[Pass, ...] = (StandaloneBatchNorm(), OwnWeights(), Tidy(deduplicate=False))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A float32 model of fixed shapes, and how it came about.

    Attributes:
        model: the model.
        changes: what was changed, a phrase each, `remarks` included.
        rel_error: the largest relative difference of any output that was measured.
        remarks: what limits the proof that it computes what it computed before, a sentence each.
    """

    model: onnx.ModelProto
    changes: tuple[str, ...]
    rel_error: float
    remarks: tuple[str, ...] = ()


def prepare(
    model: onnx.ModelProto, *, shapes: Mapping[str, tuple[int, ...]] | None = None, opset: int | None = None
) -> Prepared:
    """Return `model` in float32, with fixed shapes, at opset 13 or newer, folded and tidied; `model` stays as it was.

    An open batch size becomes 1; `shapes` gives other open sizes by input name. `opset` is the one to reach, up or
    down; by default that is 17, and a newer model stays at its own. Inputs and outputs keep names and order; those in
    other float types become float32. Graphs inside If, Loop and Scan are brought to the opset and else left alone; an
    If whose condition turns out constant is replaced by its branch.

    Both models are run in ONNX Runtime on seeded random inputs. `rel_error` is ||after - before|| / ||before|| of the
    output where it is largest. Where ONNX Runtime can't run the original in its own float type, as it has no float64
    convolution, the model turned into float32 stands for it, and `remarks` says so. Preparing a prepared model changes
    nothing.

    Raises:
        InputError: an open size without a shape, an operator that stops the conversion, a model that ONNX Runtime can't
            run, or one whose opset ONNX Runtime does not know.
        StageError: the prepared model computes something else; the message names the pass after which it does.
    """
    work = ir.from_proto(_runnable(model))
    changes = _settle(work, shapes or {})
    reference, converted, remarks = _referred(work)
    single = ir.to_proto(work)
    target = _target(work, opset)
    before = opset_of(work)
    tally: Counter[str] = Counter()
    for step, delta in _apply(work, target):
        tally.update({f"{step.name}: {op_type}": count for op_type, count in delta.items()})
    result = _finished(work, [np.ndim(array) for array in reference.outputs[0]])
    agreement = reference.agree(result, HALF_AGREED if converted else AGREED)
    if not agreement.holds:
        raise StageError(_blame(single, target, agreement))
    moved = (f"opset {before} {'raised' if before < target else 'lowered'} to {target}",) if before != target else ()
    counted = tuple(f"{what} {count:+d}" for what, count in sorted(tally.items()) if count)
    remarks += agreement.remarks
    return Prepared(result, (*changes, *converted, *moved, *counted, *remarks), agreement.error, remarks)


def settled(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Prepared:
    """Return `model` with fixed shapes, as `prepare` fixes them, and nothing else changed.

    A quantized model wants that: any other change moves what its activations are rounded to.

    Raises:
        InputError: an open size without a shape, or a model that ONNX Runtime can't run.
    """
    work = ir.from_proto(_runnable(model))
    changes = _settle(work, shapes or {})
    infer_shapes(work)
    return Prepared(_finished(work, [len(value.shape or ()) for value in work.graph.outputs]), changes, 0.0)


def _runnable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose IR version is the least that its opset needs, if the file names one yet newer."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for entry in copy.opset_import:
        entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    usual = [entry for entry in copy.opset_import if not entry.domain]
    if not usual:
        raise InputError("the model names no version of ONNX's operators (opset)")
    if usual[0].version > onnx.defs.onnx_opset_version():
        raise InputError(f"opset {usual[0].version} is newer than this onnx knows ({onnx.defs.onnx_opset_version()})")
    needed = onnx.helper.find_min_ir_version_for(usual, ignore_unknown=True)
    inputs = {entry.name: entry for entry in copy.graph.input}
    for entry in copy.graph.output:
        if entry.name in inputs:
            entry.type.CopyFrom(inputs[entry.name].type)
    copy.ir_version = max(needed, OLDEST_IR, min(copy.ir_version, NEWEST_IR))
    return copy


def _settle(work: ir.Model, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Take out what makes a graph's face and its shapes depend on more than its inputs."""
    RemoveInitializersFromInputsPass()(work)
    if work.functions:
        InlinePass()(work)
    return fix_shapes(work, shapes)


def _referred(work: ir.Model) -> tuple[Reference, tuple[str, ...], tuple[str, ...]]:
    """Turn `work` into float32; return what it computed before, which types it had, and what has to be said."""
    original = ir.to_proto(work)
    converted = to_float32(work)
    try:
        return Reference(original), converted, ()
    except InputError as error:
        if not converted:
            raise
        refused = str(error)
    remark = f"compared from float32 on, for the original does not run as it is: {refused}"
    return Reference(ir.to_proto(work)), converted, (remark,)


def _target(work: ir.Model, wanted: int | None) -> int:
    have = opset_of(work)
    if wanted is not None and not OLDEST_OUT <= wanted <= onnx.defs.onnx_opset_version():
        raise InputError(f"opset {wanted} can't be written; choose {OLDEST_OUT} to {onnx.defs.onnx_opset_version()}")
    # ONNX withdrew the group norm of opset 18 to 20; its checker refuses it.
    least = SOUND_GROUP_NORM if have >= USUAL_OUT and nodes(work, "GroupNormalization") else 0
    if wanted is not None and wanted < least:
        raise InputError(f"GroupNormalization can't be brought to opset {wanted}: ONNX withdrew the one it has there")
    return max(have, least, USUAL_OUT) if wanted is None else wanted


def _apply(work: ir.Model, target: int) -> Iterator[tuple[Pass, dict[str, int]]]:
    """Run the passes and yield each that changed the model, with how many nodes of each type it added."""
    yield from _repeat(work, (EvaluateConstants(),))
    yield from _run(work, (RaiseOpset(target), LowerOpset(target)))
    yield from _repeat(work, SIMPLIFY + FOLD)
    yield from _run(work, FINISH)
    infer_shapes(work)


def _repeat(work: ir.Model, steps: Sequence[Pass]) -> Iterator[tuple[Pass, dict[str, int]]]:
    """Run `steps` until none of them changes anything: a shape that becomes known lets the next constant be folded."""
    for _ in range(ROUNDS):
        infer_shapes(work)
        changed = False
        for step in _run(work, steps):
            changed = True
            yield step
        if not changed:
            break


def _run(work: ir.Model, steps: Sequence[Pass]) -> Iterator[tuple[Pass, dict[str, int]]]:
    for step in steps:
        before = _census(work)
        if run(step, work).modified:
            after = _census(work)
            yield step, {kind: after[kind] - before[kind] for kind in before.keys() | after.keys()}


def _census(work: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in work.graph)


def _finished(work: ir.Model, ranks: Sequence[int]) -> onnx.ModelProto:
    """Return the checked model; an output of unknown shape, as foreign operators have, gets the rank it had."""
    for value, axes in zip(work.graph.outputs, ranks, strict=True):
        if value.shape is None:
            value.shape = ir.Shape([None] * axes)
    result = ir.to_proto(work)
    needed = onnx.helper.find_min_ir_version_for(
        [entry for entry in result.opset_import if not entry.domain], ignore_unknown=True
    )
    result.ir_version = max(result.ir_version, needed)
    try:
        onnx.checker.check_model(result, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise StageError(f"the prepared model is not valid ONNX: {line_of(error)}") from error
    return result


def _blame(single: onnx.ModelProto, target: int, agreement: Agreement) -> str:
    """Name the pass after which the model no longer computes the same."""
    work, reference = opened(single), Reference(single)
    text = f"preparing the model would change its outputs by {agreement.error:.1e} of their size"
    for step, _ in _apply(work, target):
        if not reference.agree(ir.to_proto(work), AGREED).holds:
            return f"{text}: pass '{step.name}' breaks it; please report the model"
    return f"{text}: float32 is not enough for it"
