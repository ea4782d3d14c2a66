"""What flows between units is found along the graph, each node looked at once."""

import time

import numpy as np
import onnx_ir as ir
from correction_nets import Net, shuffle_net
from hypothesis import given, settings
from random_graphs import build, recipes

from edgecnn.compress.quantize.units import find_units
from edgecnn.compress.quantize.workbench import named
from edgecnn.export.prepare import prepare


def traced(value, numbers):
    """The unit that a value comes from, by walking back from it: plain, and slow on long chains."""
    while (node := value.producer()) is not None:
        if str(node.name) in numbers:
            return numbers[str(node.name)]
        taken = [one for one in node.inputs if one is not None and one.const_value is None]
        if not taken:
            return None
        value = taken[0]
    return None


def weighted(model):
    return tuple(str(node.name) for node in model.graph if node.op_type in {"Conv", "ConvTranspose", "Gemm", "MatMul"})


def check(proto):
    model = named(proto)
    names = weighted(model)
    numbers = {name: index for index, name in enumerate(names)}
    by_name = {str(value.name): value for node in model.graph for value in node.inputs if value is not None}
    units = find_units(model, names)
    wanted = set()
    for node in model.graph:
        reader = numbers.get(str(node.name))
        for value in node.inputs:
            if value is None or value.const_value is not None or value.dtype not in {None, ir.DataType.FLOAT}:
                continue
            first = node.inputs[0]
            passes = first is not None and traced(first, numbers) is not None and bool(node.outputs[0].uses())
            if reader is not None or not passes:
                wanted.add((traced(by_name[str(value.name)], numbers), reader))
    assert {(flow.source, flow.reader) for flow in units.flows} == {pair for pair in wanted if pair[0] != pair[1]}


def test_flows_are_those_that_walking_back_finds():
    check(shuffle_net(1))


@settings(max_examples=25, deadline=None)
@given(recipes())
def test_of_random_graphs_too(recipe):
    check(prepare(build(recipe)).model)


def chain(length):
    """A convolution, a chain of sums behind it, and another convolution."""
    net = Net(0)
    value = net.conv("x", 3, 4)
    for _ in range(length):
        value = net.add("Add", value, np.float32(1))
    return named(net.finish(net.conv(value, 4, 2)))


def test_time_grows_as_the_chain_does():
    taken = {}
    for length in (150, 1500):
        model, times = chain(length), []
        for _ in range(3):
            start = time.perf_counter()
            units = find_units(model, weighted(model))
            times.append(time.perf_counter() - start)
        taken[length] = min(times)
        assert [(flow.source, flow.reader) for flow in units.flows if flow.source is not None] == [(0, 1)]
    # Ten times the nodes; the square of that would be a hundred times the time.
    assert taken[1500] < 40 * taken[150]
