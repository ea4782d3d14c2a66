"""Clock: how long a module takes in a target's engine, in turn with the uncompressed one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx
from torch import nn

from edgecnn.compress_model.stopwatch import Stopwatch, quiet_ms
from edgecnn.compress_model.subject import Subject
from edgecnn.core.bundle import Precision
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TARGETS
from edgecnn.runtime.race import speedups, times

ENOUGH_ROUNDS, MOST_REPEATS = 100, 4
"""Rounds a verdict on speed wants, and how often more time is given where a busy machine leaves fewer."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A module's ms, how many times as fast as the original it is, and the original's ms in the same rounds."""

    latency: Measurement
    speedup: Measurement
    original: Measurement


@final
class Clock:
    """Times modules of one subject."""

    def __init__(self, subject: Subject, threads: int, seconds: float, precision: Precision = "fp32") -> None:
        """Time with engines of so many `threads`, for about `seconds` each time; `precision` as in `Stopwatch`."""
        self.threads, self.seconds, self.precision = threads, seconds, precision
        self._subject = subject
        self._originals: dict[int, onnx.ModelProto] = {}

    def at(self, precision: Precision) -> "Clock":
        """Return a clock like this one that times networks in `precision`."""
        return Clock(self._subject, self.threads, self.seconds, precision)

    def stopwatch(self, target: str) -> Stopwatch:
        """Return what times ONNX models for `target`."""
        return Stopwatch(target, self.threads, self.precision)

    def models(self, modules: Sequence[nn.Module], target: str) -> list[onnx.ModelProto]:
        """Return `modules` as ONNX models that `target` reads."""
        return [self._subject.to_onnx(module, TARGETS[target].opset) for module in modules]

    def time(self, module: nn.Module, target: str) -> Timed:
        """Time `module` in turn with the original.

        Raises:
            EngineError: the engine refused one of them.
        """
        return self.time_model(self.models([module], target)[0], target)

    def time_model(self, model: onnx.ModelProto, target: str) -> Timed:
        """`time` for a module that is ONNX already."""
        stopwatch = self.stopwatch(target)
        with stopwatch.opened([self._original(target), model]) as engines:
            taken = times(engines, self.seconds, alone=True)
            for _ in range(MOST_REPEATS):
                if len(taken) >= ENOUGH_ROUNDS:
                    break
                taken = np.concatenate([taken, times(engines, self.seconds, alone=True)])
        on = stopwatch.place.text()
        original, latency = quiet_ms(taken, on)
        return Timed(latency, speedups(taken, on=on)[1], original)

    def _original(self, target: str) -> onnx.ModelProto:
        opset = TARGETS[target].opset
        if opset not in self._originals:
            self._originals[opset] = self._subject.to_onnx(self._subject.original, opset)
        return self._originals[opset]
