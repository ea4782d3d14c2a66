"""The first layer where an engine departs from what the graph says.

Prefixes of the graph, each ending at another value, are compiled for the engine and run in it, and compared with the
same value simulated as the graph says. Halving finds a value that departs after one that agrees; going up its inputs
from there finds a node that departs though all it reads agrees.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.opened import open_in
from edgecnn.compress.quantize.simulate import Simulator
from edgecnn.compress.quantize.submodel import restrict
from edgecnn.core.bundle import Artefact, Bundle, open_bundle
from edgecnn.core.errors import EngineError, InputError, StageError
from edgecnn.core.registry import TARGETS
from edgecnn.export.load_onnx import load_model
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.runtime.golden import golden_feeds
from edgecnn.verify.parity import relative_errors

FRAMES = 2
ROUNDING = frozenset({"QuantizeLinear", "DequantizeLinear"})

Feeds: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Departure:
    """Where an engine departs.

    Attributes:
        node, op: name and ONNX operator of the first node that does.
        error: ||engine - graph|| / ||graph|| of its result.
        output, output_error: the graph's output that is furthest off, and how far.
        tried: how many prefixes were compiled and run.
    """

    node: str
    op: str
    error: float
    output: str
    output_error: float
    tried: int

    def text(self) -> str:
        """Return it in words."""
        return (
            f"departs first at {self.op} '{self.node}': {self.error:.2g} off what the graph says, though all it reads "
            f"agrees; output '{self.output}' is {self.output_error:.2g} off ({self.tried} prefixes compiled and run)"
        )


def departs(bundle: Path, artefact: str, source: Path | None, threads: int) -> str:
    """Return in a sentence where an artefact of a bundle departs, or why that can't be told.

    `source` is the ONNX file that it was compiled from; without it the bundle's own is taken, where it holds one that
    says the same.

    Raises:
        InputError: `source` is no model that can be read.
    """
    opened = open_bundle(bundle)
    chosen = opened.artefact(artefact)
    target = _target(chosen)
    if target is None:
        return f"edgecnn has no compiler for engine '{chosen.engine}', so the layer is not known"
    model = _source(opened, chosen, source)
    if model is None:
        return "to name the layer, give the ONNX file that it was compiled from: --source MODEL.onnx"
    inputs, _ = tensor_specs(model)
    if {spec.name: spec.shape for spec in inputs} != {spec.name: spec.shape for spec in chosen.inputs}:
        told = "; ".join(f"'{spec.name}' {spec.describe()}" for spec in inputs)
        return f"the layer is not known: the source takes other inputs than the artefact ({told})"
    bound = chosen.parity.tolerance if chosen.parity is not None else 1e-3
    feeds = golden_feeds(opened, chosen)[:FRAMES]
    try:
        found = first_departure(model, target, feeds, bound, threads)
    except EngineError as error:
        return f"the layer is not known: {error}"
    if found is None:
        return (
            f"compiled anew here no output is more than {bound:.2g} off what the graph says: it is the network's own "
            "rounding, or the artefact was made of another model or by another version"
        )
    return found.text()


def first_departure(
    model: onnx.ModelProto, target: str, feeds: Sequence[Feeds], bound: float, threads: int
) -> Departure | None:
    """Return the first node whose result is more than `bound` off in `target`'s engine; None where no output is.

    Raises:
        EngineError: the engine refuses the model, or so many of its prefixes that nothing can be told.
    """
    search = _Search(model, target, feeds, threads)
    names = [value.name for value in model.graph.output]
    whole = {name: error for name in names if (error := search.error(name)) is not None}
    if not whole:
        raise EngineError(f"{target}: its engine takes no part of the model")
    output, output_error = max(whole.items(), key=lambda item: item[1])
    if output_error <= bound:
        return None
    departing = search.halve(output, bound)
    while (before := search.departing_input(departing, bound)) is not None:
        departing = before
    node = search.maker(departing)
    error = search.error(departing)
    return Departure(
        node.name or departing, node.op_type, error or 0.0, output, output_error, sum(1 for _ in search.errors)
    )


@dataclass(slots=True)
class _Search:
    """Errors of a model's values in an engine, each found once."""

    model: onnx.ModelProto
    target: str
    feeds: Sequence[Feeds]
    threads: int
    errors: dict[str, float | None] = field(default_factory=dict)
    _infos: dict[str, onnx.ValueInfoProto] = field(default_factory=dict)
    _makers: dict[str, onnx.NodeProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        work = ir.from_proto(self.model)
        infer_shapes(work)
        known = ir.to_proto(work).graph
        infos = (*known.value_info, *known.output)
        self._infos = {info.name: info for info in infos if _fixed_float(info)}
        self._makers = {name: node for node in self.model.graph.node for name in node.output if name}

    def error(self, name: str) -> float | None:
        """Return how far a value is off in relation to its size; None where its prefix can't be run."""
        if name not in self.errors:
            self.errors[name] = self._measured(name)
        return self.errors[name]

    def halve(self, output: str, bound: float) -> str:
        """Return a value, in the order of execution before or at `output`, that departs after one that agrees."""
        order = self._order(output)
        low, high = -1, len(order) - 1
        while high - low > 1:
            places = sorted(range(low + 1, high), key=partial(_distance, (low + high) // 2))
            place = next((one for one in places if self.error(order[one]) is not None), None)
            if place is None:
                break
            low, high = (low, place) if (self.error(order[place]) or 0.0) > bound else (place, high)
        return order[high]

    def departing_input(self, name: str, bound: float) -> str | None:
        """Return a value that the maker of `name` reads and that departs; None where all agree."""
        for read in self.maker(name).input:
            if read in self._infos and read in self._makers and (self.error(read) or 0.0) > bound:
                return str(read)
        return None

    def maker(self, name: str) -> onnx.NodeProto:
        """Return the node that gives `name`."""
        return self._makers[name]

    def _order(self, output: str) -> list[str]:
        part = restrict(self.model, [output])
        fed = {value.name for value in part.graph.input}
        found = []
        for node in part.graph.node:
            # What depends on no input, such as weights behind Q/DQ, is no layer's result.
            if fed.intersection(node.input):
                fed.update(node.output)
                found += [name for name in node.output[:1] if name in self._infos]
        return found

    def _measured(self, name: str) -> float | None:
        if name not in self._infos:
            return None
        part = restrict(self.model, [name])
        del part.graph.output[:]
        part.graph.output.append(self._infos[name])
        used = {read for node in part.graph.node for read in node.input}
        inputs = [value for value in part.graph.input if value.name in used]
        del part.graph.input[:]
        part.graph.input.extend(inputs)
        feeds = [{value.name: fed[value.name] for value in inputs} for fed in self.feeds]
        simulator = Simulator(part, (), self.threads)
        wanted = [{name: simulator.run(fed)[0]} for fed in feeds]
        try:
            with closing(open_in(self.target, part, self.threads)) as engine:
                found = [engine.infer(fed) for fed in feeds]
        except (EngineError, InputError, StageError):
            return None
        return relative_errors(found, wanted)[name]


def _distance(middle: int, place: int) -> int:
    return abs(place - middle)


def _fixed_float(info: onnx.ValueInfoProto) -> bool:
    tensor = info.type.tensor_type
    fixed = all(dim.HasField("dim_value") for dim in tensor.shape.dim)
    return fixed and tensor.HasField("shape") and tensor.elem_type == onnx.TensorProto.FLOAT


def _target(artefact: Artefact) -> str | None:
    """Return the target that an artefact was compiled for: the one that it is named after, else its engine's first."""
    named = artefact.name.rpartition("-")[0]
    rows = [name for name, row in TARGETS.items() if row.engine == artefact.engine]
    if named in rows:
        return str(named)
    return rows[0] if rows else None


def _source(bundle: Bundle, artefact: Artefact, source: Path | None) -> onnx.ModelProto | None:
    if source is not None:
        return load_model(source, quantized=True)
    alike = [artefact, *(one for one in bundle.manifest.artefacts if one.precision == artefact.precision == "fp32")]
    for one in alike:
        if one.files[0].endswith(".onnx"):
            model: onnx.ModelProto = onnx.load_from_string(bundle.read(one.files[0]))
            return model
    return None
