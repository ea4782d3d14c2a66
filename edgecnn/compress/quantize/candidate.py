"""Candidates run where they will run: opened in the target's engine, judged on frames and raced against one another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import onnx
from numpy.typing import NDArray

from edgecnn.compress.quantize.latency import Timed
from edgecnn.compress.quantize.opened import open_in
from edgecnn.compress.quantize.simulate import Feeds, Simulator
from edgecnn.core.errors import StageError
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TARGETS
from edgecnn.runtime.engine import Engine
from edgecnn.runtime.race import speedups, times

Outputs: TypeAlias = Mapping[str, NDArray[Any]]

SHARED_CORES: dict[str, dict[str, Any]] = {"onnxruntime": {"spinning": False}}
"""Options of engines whose idle threads would otherwise burn the core that the next candidate is timed on."""
LEAST_LEAD = 0.01
NINETY_FIVE_PERCENT = 3.92
"""Width of a 95 % interval in standard deviations."""


class Judge(Protocol):
    """Says how good a network's outputs are."""

    def score(self, outputs: Iterable[Outputs]) -> float:
        """Return a figure, higher is better, for outputs that come one mapping a frame in a fixed order of frames."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """Where candidates are tried.

    Attributes:
        target: by the registry's name; None where its engine does not run here, and the graph is simulated.
        threads: of the engine.
        frames: what candidates are judged on; gone through once for each.
        judge: what judges them, in the order of `frames`.
    """

    target: str | None
    threads: int
    frames: Iterable[Feeds]
    judge: Judge

    @property
    def engine(self) -> str | None:
        """The target's engine in the registry; None where it does not run here."""
        return None if self.target is None else TARGETS[self.target].engine

    def score(self, model: onnx.ModelProto) -> float:
        """Return the judge's figure of `model`, run in the engine or simulated.

        Raises:
            EngineError: the engine refused the model or a frame.
        """
        if self.target is None:
            return self.judge.score(_simulated(model, self.frames, self.threads))
        engine = self.open(model)
        try:
            return self.judge.score(engine.infer(feeds) for feeds in self.frames)
        finally:
            engine.close()

    def open(self, model: onnx.ModelProto) -> Engine:
        """Return `model` loaded in the engine; the caller closes it."""
        if self.target is None:
            raise StageError("the target's engine does not run here, so that nothing can be timed in it")
        return open_in(self.target, model, self.threads, SHARED_CORES.get(str(self.engine), {}))

    @contextmanager
    def stopwatch(self, base: onnx.ModelProto, seconds: float) -> Iterator[Callable[[onnx.ModelProto], Timed]]:
        """Give a function that times a model, in turn with `base`, for `seconds`."""
        feeds = next(iter(self.frames))
        first = self.open(base)

        def share(model: onnx.ModelProto) -> Timed:
            second = self.open(model)
            try:
                lead = speedups(times([(first, feeds), (second, feeds)], seconds))[1]
            finally:
                second.close()
            low, high = lead.low or lead.value, lead.high or lead.value
            return Timed(1 / lead.value, (1 / low - 1 / high) / NINETY_FIVE_PERCENT)

        try:
            yield share
        finally:
            first.close()

    def race(self, models: Sequence[onnx.ModelProto], seconds: float) -> list[Measurement]:
        """Return how many times as fast as the first model each one is, timed in turn for `seconds` in all."""
        feeds = next(iter(self.frames))
        with ExitStack() as stack:
            engines = [stack.enter_context(closing(self.open(model))) for model in models]
            return speedups(times([(engine, feeds) for engine in engines], seconds), on=str(self.engine))


def fastest_form(names: Sequence[str], raced: Sequence[Measurement]) -> tuple[str, tuple[float, float] | None]:
    """Return which form of a network is fastest in float and INT8 together, and what it takes of the first's times.

    `raced` are the forms in float, in the order of `names`, then in INT8. A form other than the first is taken only
    where it saves more than `LEAST_LEAD` of the sum of both times.
    """
    times = [1 / one.value for one in raced]
    both = list(zip(times[: len(names)], times[len(names) :], strict=True))
    best = min(range(len(names)), key=lambda index: sum(both[index]))
    if sum(both[best]) > (1 - LEAST_LEAD) * sum(both[0]):
        return names[0], None
    return names[best], (both[best][0] / both[0][0], both[best][1] / both[0][1])


def _simulated(model: onnx.ModelProto, frames: Iterable[Feeds], threads: int) -> Iterator[Outputs]:
    simulator = Simulator(model, (), threads)
    for feeds in frames:
        yield dict(zip(simulator.names, simulator.run(feeds), strict=True))
