"""The workbench: one float model, observed once, then quantized in any mix of INT8 and float, as often as asked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgecnn.compress.quantize.histogram import Histogram  # noqa: TC001 - a dict of them is annotated at run time
from edgecnn.compress.quantize.observers import observe
from edgecnn.compress.quantize.operands import WeightCache
from edgecnn.compress.quantize.placement import place
from edgecnn.compress.quantize.plan import Plan, make_plan
from edgecnn.compress.quantize.pooling import without_counted_padding
from edgecnn.compress.quantize.ranges import Method
from edgecnn.compress.quantize.replay import recorded_choice
from edgecnn.compress.quantize.scales import choose_scales, groups_of
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.simulate import Calibration
from edgecnn.compress.quantize.trials import Choice, Group, choose_ranges, group_range
from edgecnn.compress.quantize.uneven import uneven
from edgecnn.compress.quantize.units import Units, find_units
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import QuantizedTensor


@dataclass(frozen=True, slots=True)
class Mix:
    """A model in a mix of INT8 and float, which nodes and tensors are INT8 in it, and why the others are not."""

    model: onnx.ModelProto
    plan: Plan
    tensors: dict[str, QuantizedTensor]


class Workbench:
    """A float model and the histograms of all that its scheme may round.

    Attributes:
        model: the float model; every node carries a name of its own, every value its shape.
        scheme: the scheme.
        plan: what runs in INT8 if nothing is held back.
        units: its nodes, and what flows between them.
        frames: calibration frames that were observed.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        scheme: Scheme,
        calibration: Calibration,
        keep_float: Collection[str] = (),
        threads: int = 2,
        ranges: Method = "mse",
    ) -> None:
        """Plan and observe; `ranges` chooses the range of every group that `tune_ranges` has not.

        Raises:
            InputError: the scheme finds nothing to quantize in the model.
            DataError: no calibration frame, or one that gives NaN or infinity.
        """
        self._work = named(model)
        if not scheme.counted_padding:
            without_counted_padding(self._work)
        self.model, self.scheme = ir.to_proto(self._work), scheme
        self._keep_float, self._calibration, self._threads = tuple(keep_float), calibration, threads
        self.plan = make_plan(self._work, scheme, self._keep_float)
        if not self.plan.nodes:
            raise InputError(f"scheme {scheme.name} finds nothing to quantize: {_why(self.plan)}")
        self.units: Units = find_units(self._work, tuple(self.plan.nodes))
        self._histograms: dict[str, Histogram] = {}
        self._ranges: dict[Group, Choice] = {}
        self._recorded: set[Group] = set()
        self._method: Method = ranges
        self._weights = WeightCache()
        self.frames = 0
        self._observe(self.plan)
        self._part_uneven()

    def use_ranges(self, recorded: Mapping[str, QuantizedTensor]) -> tuple[int, int]:
        """Take recorded ranges for the groups whose tensors still take the values they took then.

        Returns how many groups took theirs, and how many groups there are.
        """
        groups = groups_of(self.plan, self.scheme, self._histograms)
        found = {group: recorded_choice(group, self._histograms, recorded) for group in groups}
        taken = {group: choice for group, choice in found.items() if choice is not None}
        self._ranges |= taken
        self._recorded.update(taken)
        return len(taken), len(groups)

    def tune_ranges(self, seconds: float) -> None:
        """Choose each group's range by what its rounding does to the network's outputs; takes about `seconds`.

        Groups that took a recorded range keep it.
        """
        groups = [group for group in groups_of(self.plan, self.scheme, self._histograms) if group not in self._recorded]
        if not groups:
            return
        found = choose_ranges(
            self.model, groups, self._histograms, self._calibration, budget_s=seconds, threads=self._threads
        )
        self._ranges |= dict(zip(groups, found, strict=True))

    def build(self, int8: Collection[str] | None = None) -> Mix:
        """Return the model with the units `int8` quantized, by default all of them; at least one must be."""
        held = () if int8 is None else tuple(set(self.plan.nodes) - set(int8))
        work = self._work.clone()
        plan = self.plan if not held else make_plan(work, self.scheme, (*self._keep_float, *held))
        self._observe(plan)
        chosen = choose_scales(plan, self.scheme, self._histograms, self._range_of)
        place(work, self.scheme, plan, {name: one.scale for name, one in chosen.items()}, self._weights)
        RemoveUnusedNodesPass()(work)
        return Mix(ir.to_proto(work), plan, {name: one.evidence for name, one in chosen.items()})

    def _range_of(self, group: Group) -> Choice:
        if group not in self._ranges:
            low, high = group_range(group, self._histograms, self._method)
            self._ranges[group] = Choice(low, high, self._method)
        return self._ranges[group]

    def _part_uneven(self) -> None:
        """Give the branches of a concatenation scales of their own where one scale would cost too much."""
        spans = {name: (seen.seen_min, seen.seen_max) for name, seen in self._histograms.items()}
        if parted := uneven(self._work, self.scheme, self.plan, spans):
            self._keep_float += tuple(parted)
            self.plan = make_plan(self._work, self.scheme, self._keep_float)
            self.units = find_units(self._work, tuple(self.plan.nodes))
            self._observe(self.plan)

    def _observe(self, plan: Plan) -> None:
        """Observe what the plan rounds and no plan before it did."""
        missing = tuple(name for name in plan.tensors if name not in plan.pixels and name not in self._histograms)
        if missing or not self.frames:
            found, self.frames = observe(self.model, missing, self._calibration, self._threads)
            self._histograms |= found


def named(model: onnx.ModelProto) -> ir.Model:
    """Return a copy of `model` on onnx_ir with shapes inferred, in which every node carries a name of its own."""
    work = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    taken: set[str] = set()
    for index, node in enumerate(work.graph):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}.{index}"
        taken.add(node.name)
    return work


def _why(plan: Plan) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in list(plan.left_in_float.items())[:3]) or "no such node"
