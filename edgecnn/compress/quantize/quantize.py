"""Quantize a float ONNX model by a scheme: level channels, observe, choose ranges, place Q/DQ, learn the rounding."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import onnx

from edgecnn.compress.quantize.correction.equalization import equalize
from edgecnn.compress.quantize.correction.rounding import OUT_OF_TIME, Budget, reconstruct
from edgecnn.compress.quantize.kept import check_kept
from edgecnn.compress.quantize.ranges import Method
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.simulate import Calibration, Subset, output_error, outputs
from edgecnn.compress.quantize.splice import opset
from edgecnn.compress.quantize.workbench import Mix, Workbench
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.evidence import QuantizedTensor

Ranges: TypeAlias = Method | Literal["auto"]
CONTEST_FRAMES = 32
"""Frames by which it is decided whether equalized channels are better."""
PROBE_FRAMES = 6
"""Frames on which a correction has to lower the outputs' error to be kept."""
RANGES_SHARE = 0.3
BALANCE = 0.75
"""How far equalization serves the activations rather than the weights that read them, whose rounding is learned."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is quantized.

    Attributes:
        ranges: how the ranges of activations are chosen; `auto` takes for each what disturbs the outputs least.
        keep_float: name patterns of nodes that stay in float.
        threads: of ONNX Runtime, which observes and simulates.
        correct: whether channels are equalized and rounding is learned, each where it lowers the outputs' error.
        seconds: the most that learning the rounding may take; choosing ranges takes `RANGES_SHARE` of it besides.
        recorded: quantized tensors of an earlier run by name, whose ranges are taken over where they still fit.
    """

    ranges: Ranges = "auto"
    keep_float: tuple[str, ...] = ()
    threads: int = 2
    correct: bool = True
    seconds: float = 30.0
    recorded: Mapping[str, QuantizedTensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What was done: nodes in INT8, why each other one is not, every quantized tensor, frames observed, corrections."""

    quantized: tuple[str, ...]
    left_in_float: dict[str, str]
    tensors: dict[str, QuantizedTensor]
    frames: int
    notes: tuple[str, ...] = ()


def quantize(
    model: onnx.ModelProto, scheme: Scheme, calibration: Calibration, settings: Settings
) -> tuple[onnx.ModelProto, QuantizeReport]:
    """Return `model` in INT8 by `scheme`, all that the scheme takes, and what was done. `model` stays as it was.

    `calibration` yields the model's inputs by name, one frame each, and is gone through several times.

    Raises:
        InputError: the model's opset is not one the scheme takes, the scheme finds nothing to quantize in it, or a
            pattern of `keep_float` means none of its nodes.
        DataError: no calibration frame, or one that gives NaN or infinity.
        StageError: the result is no valid ONNX model.
    """
    check_kept(model, settings.keep_float)
    quantizer = Quantizer(model, scheme, calibration, settings)
    return quantizer.finish(quantizer.fitted())


class Quantizer:
    """The best float form of a model for a scheme, on the workbench, and the corrections that pay on it.

    Attributes:
        bench: the workbench.
        notes: what was done before and after, a line each.
    """

    def __init__(self, model: onnx.ModelProto, scheme: Scheme, calibration: Calibration, settings: Settings) -> None:
        """Equalize where it helps, and observe. Raises as `quantize` does."""
        _check_opset(model, scheme)
        self._calibration, self._settings = calibration, settings
        self.notes: list[str] = []
        self._probe = list(Subset(calibration, PROBE_FRAMES, start=1 if len(calibration) > 1 else 0))
        self._reference = outputs(model, self._probe, settings.threads)
        whole = settings.correct
        self.bench = self._equalized(model, scheme) if whole else self._workbench(model, scheme, calibration)
        if settings.recorded:
            taken, groups = self.bench.use_ranges(settings.recorded)
            others = "" if taken == groups else ", the others chosen anew"
            self._note(f"{taken} of {groups} ranges as recorded{others}")
        if settings.ranges == "auto":
            self.bench.tune_ranges(RANGES_SHARE * settings.seconds)

    def fitted(self, int8: Collection[str] | None = None) -> Mix:
        """Return the model with the units `int8` (None: all) quantized and, where that helps, its rounding learned."""
        placed = self.bench.build(int8)
        if not self._settings.correct:
            return placed
        budget = Budget(seconds=self._settings.seconds, threads=self._settings.threads)
        learned, layers = reconstruct(self.bench.model, placed.model, self._calibration, budget)
        if late := sum(layer.reason == OUT_OF_TIME for layer in layers):
            self._note(f"time was up before the rounding of {late} of {len(layers)} layers was learned")
        before, after = self._error(placed.model), self._error(learned)
        if int8 is None:
            told = f"output error {before:.4f} before, {after:.4f} after"
            self._note(f"rounding learned: {told}" + ("" if after < before else "; not kept"))
        return Mix(learned, placed.plan, placed.tensors) if after < before else placed

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def finish(self, placed: Mix) -> tuple[onnx.ModelProto, QuantizeReport]:
        """Return the checked model and its report."""
        try:
            onnx.checker.check_model(placed.model, full_check=True)
        except onnx.checker.ValidationError as error:
            raise StageError(f"scheme {self.bench.scheme.name} gave an invalid model: {error}") from error
        plan = placed.plan
        report = QuantizeReport(
            tuple(plan.nodes), plan.left_in_float, placed.tensors, self.bench.frames, tuple(self.notes)
        )
        return placed.model, report

    def _workbench(self, model: onnx.ModelProto, scheme: Scheme, calibration: Calibration) -> Workbench:
        settings = self._settings
        method: Method = "mse" if settings.ranges == "auto" else settings.ranges
        return Workbench(model, scheme, calibration, settings.keep_float, settings.threads, method)

    def _equalized(self, model: onnx.ModelProto, scheme: Scheme) -> Workbench:
        """Return the workbench of the model with its channels equalized, or as it is where that errs less."""
        few = Subset(self._calibration, CONTEST_FRAMES)
        plain = self._workbench(model, scheme, few)
        form, done = equalize(plain.model, few, balance=BALANCE, threads=self._settings.threads)
        if done.channels:
            levelled = self._workbench(form, scheme, few)
            before, after = (self._error(one.build().model) for one in (plain, levelled))
            if after < before:
                told = f"output error {before:.4f} before, {after:.4f} after"
                self.notes.append(f"{done.channels} channels equalized: {told}")
                return self._workbench(form, scheme, self._calibration)
        return self._workbench(model, scheme, self._calibration)

    def _error(self, model: onnx.ModelProto) -> float:
        return output_error(self._reference, outputs(model, self._probe, self._settings.threads))


def _check_opset(model: onnx.ModelProto, scheme: Scheme) -> None:
    have = opset(model)
    if not scheme.min_opset <= have <= scheme.max_opset:
        wanted = f"opset {scheme.min_opset} to {scheme.max_opset}"
        raise InputError(f"scheme {scheme.name} needs {wanted}; the model has {have}")
