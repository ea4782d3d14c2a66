"""Runs the float network, the quantized one and its layers alone side by side, and sums up their errors."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from edgecnn.compress.quantize.drift_tensors import ActivationDrift, sampled
from edgecnn.compress.quantize.error import ErrorSum
from edgecnn.compress.quantize.reach import Reach
from edgecnn.compress.quantize.simulate import Array, Feeds, Simulator
from edgecnn.compress.quantize.splice import DQ, QUANTIZED, Q, float_name, splice
from edgecnn.compress.quantize.submodel import restrict

FETCH_BYTES = 384 << 20
"""Values held at once. A network with more is run again for the rest."""
MOST_NOISE = 1e12
"""Noise counted for a layer that makes an output overflow; -120 dB."""


class DriftMeter:
    """Sums of errors over frames; on the first `probes` of them each layer's error is followed to the outputs.

    There are fewer of those where following would take longer than `seconds`.
    """

    def __init__(
        self, float_model: onnx.ModelProto, quantized: onnx.ModelProto, threads: int, probes: int, seconds: float
    ) -> None:
        self._seconds = seconds
        self.joined = splice(float_model, quantized)
        self.outputs = [value.name for value in float_model.graph.output]
        floats = self.joined.floats
        self.accumulated = {name: ErrorSum() for name in self.joined.paired if name in floats}
        self.born = {
            name: ErrorSum() for name, node in self.joined.layers.items() if name in floats and self._rounds(node)
        }
        known = floats | {value.name for value in float_model.graph.input}
        self.activations = {name: one for name, one in _activations(quantized).items() if name in known}
        self._reached = dict.fromkeys(self.born, 0.0)
        self._probes = probes if floats.intersection(self.outputs) else 0
        self._weights = [node.input[1] for node in self.joined.layers.values() if self._has_rounded_weights(node)]
        self._groups = list(self._grouped())
        self._threads = threads
        self._reach = Reach(float_model, self.born, threads) if self._probes else None

    def count(self, frames: Sequence[Feeds], advance: Callable[[], None] = lambda: None) -> None:
        """Count `frames`, which are gone through once for every group of values that is fetched together.

        `advance` is called `len(frames) * groups` times on the way.
        """
        self._probes = min(self._probes, len(frames), self._affordable(frames[0]))
        clean = [self._reach.clean(feeds) for feeds in frames[: self._probes]] if self._reach is not None else []
        for feeds in frames:
            for name in self.activations.keys() & feeds.keys():
                self.activations[name].add(np.asarray(feeds[name], np.float32))
        for group in self._groups:
            # A session for each: ONNX Runtime keeps every value that is an output of its graph, fetched or not.
            simulator = Simulator(restrict(self.joined.model, group), group, self._threads)
            for index, feeds in enumerate(frames):
                found = dict(zip(group, simulator.run(feeds), strict=True))
                for name in self.joined.floats.intersection(group):
                    self._count(name, found)
                    if index < self._probes and name in self.born:
                        self._follow(name, found, feeds, clean[index])
                advance()

    @property
    def groups(self) -> int:
        """How many groups of values there are."""
        return len(self._groups)

    def _affordable(self, feeds: Feeds) -> int:
        """Return on how many frames all errors can be followed in the time allowed."""
        if self._reach is None:
            return 0
        self._reach.clean(feeds)
        started = time.monotonic()
        self._reach.clean(feeds)
        return int(self._seconds / max((time.monotonic() - started) * len(self.born), 1e-9))

    def _count(self, name: str, found: Mapping[str, Array]) -> None:
        real = found[name]
        if name in self.activations:
            self.activations[name].add(np.asarray(real, np.float32))
        if (there := found.get(self.joined.paired.get(name, ""))) is not None:
            self.accumulated[name].add(sampled(real), sampled(there))
        if (alone := found.get(self.joined.alone.get(name, ""))) is not None:
            self.born[name].add(sampled(real), sampled(alone))

    def _follow(self, name: str, found: Mapping[str, Array], feeds: Feeds, clean: Sequence[Array]) -> None:
        assert self._reach is not None  # noqa: S101 - `count` follows no error without it
        error = np.asarray(found[self.joined.alone[name]], np.float32) - np.asarray(found[name], np.float32)
        self._reached[name] += _bounded(self._reach.noise(feeds, clean, {name: error}))

    def shares(self) -> tuple[float | None, dict[str, float]]:
        """Return the noise that reaches the outputs in all (None: not measured) and each layer's share of it."""
        measured = self._probes > 0
        noise = {name: reached / max(self._probes, 1) for name, reached in self._reached.items()}
        if not measured:
            noise = {name: _bounded(total.relative**2) for name, total in self.born.items()}
        whole = sum(noise.values())
        return (whole if measured else None), {name: one / whole if whole else 0.0 for name, one in noise.items()}

    def weights(self, feeds: Feeds) -> dict[str, Array]:
        """Return the rounded weights by name in the quantized network."""
        names = [QUANTIZED + name for name in dict.fromkeys(self._weights)]
        if not names:
            return {}
        arrays = Simulator(restrict(self.joined.model, names), names, self._threads).run(feeds)
        return {name.removeprefix(QUANTIZED): array for name, array in zip(names, arrays, strict=True)}

    def _rounds(self, node: onnx.NodeProto) -> bool:
        return any(name in self.joined.rounded for name in node.input)

    def _has_rounded_weights(self, node: onnx.NodeProto) -> bool:
        return len(node.input) > 1 and self.joined.rounded.get(node.input[1]) == ()

    def _parts(self) -> Iterator[list[str]]:
        """Yield, for each float value that is looked at, what is fetched together with it."""
        for name in dict.fromkeys([*self.accumulated, *self.born, *self.activations]):
            if name in self.joined.floats:
                beside = [self.joined.paired.get(name, ""), self.joined.alone[name] if name in self.born else ""]
                yield [name, *filter(None, beside)]

    def _grouped(self) -> Iterator[list[str]]:
        group: list[str] = []
        held = 0
        for part in self._parts():
            size = 4 * len(part) * math.prod(max(length, 1) for length in self.joined.shapes.get(part[0], ()))
            if group and held + size > FETCH_BYTES:
                yield group
                group, held = [], 0
            group += part
            held += size
        if group:
            yield group


def _bounded(noise: float) -> float:
    return min(noise, MOST_NOISE) if math.isfinite(noise) else MOST_NOISE


def _activations(quantized: onnx.ModelProto) -> dict[str, ActivationDrift]:
    """Return a counter for each activation with one scale in all, by the name it has in the float network."""
    constants = {one.name: one for one in quantized.graph.initializer}
    source = {node.output[0]: node.input[0] for node in quantized.graph.node if node.op_type == Q}
    found = {}
    for node in quantized.graph.node:
        if node.op_type != DQ or node.input[0] in constants or not constants.keys() >= set(node.input[1:]):
            continue
        scale = numpy_helper.to_array(constants[node.input[1]])
        zero = numpy_helper.to_array(constants[node.input[2]]) if len(node.input) > 2 else np.zeros((), np.uint8)
        if scale.size == 1 and zero.dtype.kind in "iu":
            name = float_name(source.get(node.input[0], node.output[0]))
            found[name] = ActivationDrift(float(scale.reshape(())), int(zero.reshape(())), zero.dtype)
    return found
