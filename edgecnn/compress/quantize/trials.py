"""Ranges chosen by what they do to the network's outputs: one tensor quantized, the rest float, a few frames."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from edgecnn.compress.quantize.correction.walk import reads
from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.ranges import METHODS, Method, Range, find_range, noise_share, scale_and_zero, widen
from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.simulate import Calibration, Feeds, Simulator, Subset, open_session, output_error
from edgecnn.core.errors import DataError
from edgecnn.core.progress import bar

Array = NDArray[Any]
ALIKE = 0.02
"""Two ranges whose ends differ by less than this share of their span count as one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tensors that share a scale, and the format they are stored in."""

    tensors: tuple[str, ...]
    form: Format


@dataclass(frozen=True, slots=True)
class Choice:
    """The range chosen for a group, the method it came from, and each tried method's relative error of the outputs."""

    low: float
    high: float
    method: str
    errors: dict[str, float] = field(default_factory=dict)


def group_range(group: Group, histograms: Mapping[str, Histogram], method: Method) -> Range:
    """Return the least range that holds what `method` chooses for each tensor of the group."""
    spans = [find_range(histograms[name], method, group.form) for name in group.tensors]
    return widen(min(low for low, _ in spans), max(high for _, high in spans), group.form)


def choose_ranges(
    model: onnx.ModelProto,
    groups: Sequence[Group],
    histograms: Mapping[str, Histogram],
    calibration: Calibration,
    *,
    frames: int = 4,
    budget_s: float = 10.0,
    threads: int = 2,
) -> list[Choice]:
    """Return each group's range: of the methods' the one whose rounding alone disturbs the float outputs least.

    The groups that lose most to rounding come first; those still waiting after `budget_s` seconds get the `mse` range.
    `model` is float and names every tensor of the groups.

    Raises:
        DataError: there is no calibration frame.
        EngineError: ONNX Runtime refused the model or a frame.
    """
    ends = time.monotonic() + budget_s
    if not len(calibration):
        raise DataError("no calibration frame was given; choosing ranges needs at least one, better 4 or more")
    chosen = [Choice(*group_range(group, histograms, "mse"), "mse") for group in groups]
    losses = [
        max(noise_share(histograms[n], (choice.low, choice.high), group.form) for n in group.tensors)
        for group, choice in zip(groups, chosen, strict=True)
    ]
    trials = _Trials(model, list(Subset(calibration, frames)), threads)
    with bar("try ranges", len(groups)) as shown:
        for index in sorted(range(len(groups)), key=lambda i: -losses[i]):
            if time.monotonic() > ends:
                break
            chosen[index] = _best(trials, groups[index], histograms, chosen[index])
            shown.advance()
    return chosen


def _best(trials: "_Trials", group: Group, histograms: Mapping[str, Histogram], mse: Choice) -> Choice:
    distinct: dict[Method, Range] = {"mse": (mse.low, mse.high)}
    for method in METHODS:
        low, high = group_range(group, histograms, method)
        span = ALIKE * (high - low)
        if all(abs(low - a) > span or abs(high - b) > span for a, b in distinct.values()):
            distinct[method] = low, high
    if len(distinct) == 1:
        return mse
    errors = trials.errors(group, list(distinct.values()))
    method, (low, high) = min(zip(distinct.items(), errors, strict=True), key=lambda pair: pair[1])[0]
    return Choice(low, high, method, dict(zip(distinct, errors, strict=True)))


class _Trials:
    """The float model over a few frames; only what lies behind a tensor is run again when the tensor is rounded."""

    def __init__(self, model: onnx.ModelProto, frames: list[Feeds], threads: int) -> None:
        self.model, self.frames, self.threads = model, frames, threads
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.made = {name for node in model.graph.node for name in node.output if name}
        self.fed = {value.name for value in model.graph.input} - set(self.constants)
        self.float_names = [value.name for value in model.graph.output]
        self.whole = Simulator(model, [*self.float_names, *sorted(self.made - set(self.float_names))], threads)
        self.reference = [self.whole.run(feeds, self.float_names) for feeds in frames]

    def errors(self, group: Group, spans: Sequence[Range]) -> list[float]:
        """Return the outputs' relative error with the group stored in each of `spans`."""
        nodes, given = self._behind(group)
        outputs = [name for name in self.float_names if any(name in node.output for node in nodes)]
        if not outputs:
            return [0.0] * len(spans)
        fed = [self._values(given, feeds) for feeds in self.frames]
        session = open_session(self._piece(nodes, fed[0], outputs, group), self.threads)
        at = [self.float_names.index(name) for name in outputs]
        wanted = [[answers[i] for i in at] for answers in self.reference]
        found = []
        for low, high in spans:
            scale, zero = scale_and_zero(low, high, group.form)
            parameters = {"trial.scale": np.asarray(scale), "trial.zero": np.asarray(zero, group.form.dtype)}
            got = [list(session.run(outputs, {**values, **parameters})) for values in fed]
            found.append(output_error(wanted, got) * (len(outputs) / len(self.float_names)) ** 0.5)
        return found

    def _values(self, names: list[str], feeds: Feeds) -> dict[str, Array]:
        made = [name for name in names if name in self.made]
        return {
            **{name: np.asarray(feeds[name]) for name in names if name not in self.made},
            **dict(zip(made, self.whole.run(feeds, made) if made else [], strict=True)),
        }

    def _behind(self, group: Group) -> tuple[list[onnx.NodeProto], list[str]]:
        """Return the nodes that depend on the group, each reading rounded tensors, and the values they are given."""
        rounded = set(group.tensors)
        reached, nodes = set(rounded), []
        for node in self.model.graph.node:
            if any(name in reached for name in reads(node)):
                nodes.append(node)
                reached.update(node.output)
        inside = {name for node in nodes for name in node.output}
        # A subgraph also reads what it makes itself, which nobody can give it.
        given = {name for node in nodes for name in reads(node)} & (self.made | self.fed)
        return nodes, sorted((given | rounded) - inside)

    def _piece(
        self, nodes: list[onnx.NodeProto], given: Mapping[str, Array], outputs: list[str], group: Group
    ) -> onnx.ModelProto:
        """Return a model of `nodes` in which Q and DQ, their scale and zero point fed, stand behind the group."""
        waiting = dict.fromkeys(group.tensors)
        placed: list[onnx.NodeProto] = []
        for name in [name for name in group.tensors if name in given]:
            placed.extend(_rounding(name))
            del waiting[name]
        for node in nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [f"{name}.rounded" if name in group.tensors else name for name in node.input]
            placed.append(copy)
            for name in node.output:
                if name in waiting:
                    placed.extend(_rounding(name))
        used = {name for node in placed for name in reads(node)}
        zero = np.zeros((), group.form.dtype)
        fed = {**given, "trial.scale": np.zeros((), np.float32), "trial.zero": zero}
        graph = helper.make_graph(
            placed,
            "trial",
            [_info(name, array) for name, array in fed.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [tensor for name, tensor in self.constants.items() if name in used],
        )
        model = self.model
        return helper.make_model(
            graph, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions
        )


def _rounding(name: str) -> list[onnx.NodeProto]:
    parameters = ["trial.scale", "trial.zero"]
    return [
        helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}.stored"]),
        helper.make_node("DequantizeLinear", [f"{name}.stored", *parameters], [f"{name}.rounded"]),
    ]


def _info(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
