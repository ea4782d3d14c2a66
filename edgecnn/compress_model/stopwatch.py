"""Stopwatch: networks timed in a target's engine, in turn with one another, so that a busy machine slows all alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.bench.environment import fingerprint, machine_name
from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.opened import open_in
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.layer_times import Place
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TARGETS, choose
from edgecnn.core.versions import installed
from edgecnn.runtime.engine import Engine
from edgecnn.runtime.race import Feeds, speedups, times

QUIET = 0.25
"""The quantile of a network's times that stands for it: what else runs on a machine only ever adds."""
RESAMPLES = 1000
METHOD = "lower quartile of interleaved rounds, percentile bootstrap over rounds"


@dataclass(frozen=True)
class Stopwatch:
    """Times ONNX models in one engine.

    Attributes:
        target: the registry's name of the target whose engine runs them.
        threads: of the engine.
        precision: `fp32`, or `int8`: models are quantized by the target's scheme first, uncorrected, on random inputs,
            which is as fast as the careful way and as wrong as it likes.
    """

    target: str
    threads: int
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        choose("target", TARGETS, self.target)
        if self.precision not in {"fp32", "int8"}:
            raise InputError(f"layers are timed in fp32 or int8, not in {self.precision}")

    @cached_property
    def place(self) -> Place:
        """What times taken with this stopwatch hold for."""
        engine = TARGETS[self.target].engine
        version = installed([engine]).get(engine, "")
        return Place(engine, version, machine_name(fingerprint()), self.threads, self.precision)

    @contextmanager
    def opened(self, models: Sequence[onnx.ModelProto]) -> Iterator[list[tuple[Engine, Feeds]]]:
        """Yield the models loaded in the engine, each with an input, and close them.

        Raises:
            EngineError: the engine refused a model.
        """
        engines: list[tuple[Engine, Feeds]] = []
        try:
            # One by one, so that those opened before a refusal are closed as well.
            engines.extend(self._open(model) for model in models)
            yield engines
        finally:
            for engine, _ in engines:
                engine.close()

    def milliseconds(self, models: Sequence[onnx.ModelProto], seconds: float) -> list[Measurement]:
        """Return the time of one inference of each model in ms, all timed in turn for `seconds` altogether."""
        with self.opened(models) as engines:
            return quiet_ms(times(engines, seconds, alone=True), self.place.text())

    def speedups(self, models: Sequence[onnx.ModelProto], seconds: float) -> list[Measurement]:
        """Return how many times as fast as the first model each one is, timed in turn for `seconds` altogether."""
        with self.opened(models) as engines:
            return speedups(times(engines, seconds, alone=True), on=self.place.text())

    def _open(self, model: onnx.ModelProto) -> tuple[Engine, Feeds]:
        feeds = _feeds(model)
        if self.precision == "int8":
            scheme, plain = scheme_for(self.target), Settings("minmax", threads=self.threads, correct=False)
            # What has nothing to quantize runs as it is, as a probe without its layer may.
            with suppress(InputError):
                model = quantize(model, scheme, [feeds], plain)[0]
        engine = open_in(self.target, model, self.threads)
        try:
            engine.infer(feeds)
        except EngineError:
            engine.close()
            raise
        return engine, feeds


def quiet_ms(taken: NDArray[np.float64], on: str, seed: int = 0) -> list[Measurement]:
    """Return each network's time in ms from `race.times`' result [rounds, networks]."""
    rng, rounds = np.random.default_rng(seed), len(taken)
    drawn = np.quantile(taken[rng.integers(0, rounds, (RESAMPLES, rounds))], QUIET, axis=1)
    low, high = 1000 * np.quantile(drawn, [0.025, 0.975], axis=0)
    return [
        Measurement(float(value), "ms", rounds, float(low[i]), float(high[i]), on=on, method=METHOD)
        for i, value in enumerate(1000 * np.quantile(taken, QUIET, axis=0))
    ]


def _feeds(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(0)
    found: dict[str, NDArray[np.generic]] = {}
    for spec in tensor_specs(model)[0]:
        if np.dtype(spec.dtype).kind in "iu":
            found[spec.name] = rng.integers(0, min(256, np.iinfo(spec.dtype).max + 1), spec.shape).astype(spec.dtype)
        else:
            found[spec.name] = rng.random(spec.shape).astype(spec.dtype)
    return found
