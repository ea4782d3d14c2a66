"""Small accidents that happen to graphs: each takes a model and a generator and returns a mutant, or None.

A mutant may be invalid; whoever asks for it sorts that out.
"""

import onnx
from onnx import numpy_helper

POINTWISE = ("Relu", "Sigmoid", "Tanh", "Elu", "Softplus", "Neg", "Abs", "Exp", "Sqrt", "Softsign", "Selu", "Identity")


def drop_node(model, rng):
    """Let the readers of a node read what it read."""
    mutant, node = _copy_and_pick(model, rng, lambda node: len(node.output) == 1 and node.input)
    if node is None or node.output[0] in _outside(mutant):
        return None
    _redirect(mutant, node.output[0], node.input[0])
    mutant.graph.node.remove(node)
    return mutant


def double_node(model, rng):
    """Compute one value twice, and let one reader read the copy."""
    mutant, node = _copy_and_pick(model, rng, lambda node: len(node.output) == 1 and node.op_type != "Constant")
    if node is None:
        return None
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.output[0], copy.name = f"{node.output[0]}_again", ""
    readers = [
        (reader, i) for reader in mutant.graph.node for i, name in enumerate(reader.input) if name == node.output[0]
    ]
    if not readers:
        return None
    reader, index = readers[rng.integers(len(readers))]
    reader.input[index] = copy.output[0]
    mutant.graph.node.insert(list(mutant.graph.node).index(node) + 1, copy)
    return mutant


def swap_function(model, rng):
    """Make one pointwise function another."""
    mutant, node = _copy_and_pick(model, rng, lambda node: node.op_type in POINTWISE)
    if node is None:
        return None
    node.op_type = POINTWISE[rng.integers(len(POINTWISE))]
    del node.attribute[:]
    return mutant


def insert_function(model, rng):
    """Put a pointwise function behind a node."""
    mutant, node = _copy_and_pick(model, rng, lambda node: len(node.output) == 1 and node.op_type != "Constant")
    if node is None or node.output[0] in _outside(mutant):
        return None
    name = f"{node.output[0]}_behind"
    _redirect(mutant, node.output[0], name)
    function = onnx.helper.make_node(POINTWISE[rng.integers(len(POINTWISE))], [node.output[0]], [name])
    mutant.graph.node.insert(list(mutant.graph.node).index(node) + 1, function)
    return mutant


def change_opset(model, rng):
    """Claim another opset for the same nodes."""
    mutant = _copy(model)
    mutant.opset_import[0].version = int(rng.integers(9, 27))
    return mutant


def rename(model, rng):
    """Give every value an odd name; a quarter of them keep theirs. Subgraphs follow."""
    mutant = _copy(model)
    kept = {value.name for value in [*mutant.graph.input, *mutant.graph.output]} | {""}
    odd = ("/layer.0/conv/Conv_output_0", "x:0", "a b", "model/bn^1", "é", "v1.scale", "stored", "dequantized")
    names = sorted({name for node in mutant.graph.node for name in [*node.input, *node.output]} - kept)
    for number, name in enumerate(names):
        if rng.integers(4):
            _rename_value(mutant.graph, name, f"{odd[rng.integers(len(odd))]}.{number}")
    del mutant.graph.value_info[:]
    return mutant


def share_weights(model, rng):
    """Let two nodes with weights of one shape read the same."""
    mutant = _copy(model)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in mutant.graph.initializer}
    users = [node for node in mutant.graph.node if len(node.input) > 1 and len(shapes.get(node.input[1], ())) > 1]
    pairs = [(a, b) for a in users for b in users if a is not b and shapes[a.input[1]] == shapes[b.input[1]]]
    if not pairs:
        return None
    first, second = pairs[rng.integers(len(pairs))]
    second.input[1] = first.input[1]
    return mutant


def blow_up_channel(model, rng):
    """Make one output channel of a convolution thirty times as large: an outlier."""
    mutant = _copy(model)
    kernels = [tensor for tensor in mutant.graph.initializer if len(tensor.dims) == 4]
    if not kernels:
        return None
    kernel = kernels[rng.integers(len(kernels))]
    values = numpy_helper.to_array(kernel).copy()
    values[rng.integers(len(values))] *= 30
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))
    return mutant


def kill_channel(model, rng):
    """Make all weights of one output channel zero, as pruning does."""
    mutant = _copy(model)
    kernels = [tensor for tensor in mutant.graph.initializer if len(tensor.dims) == 4]
    if not kernels:
        return None
    kernel = kernels[rng.integers(len(kernels))]
    values = numpy_helper.to_array(kernel).copy()
    values[rng.integers(len(values))] = 0
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))
    return mutant


def give_out_more(model, rng):
    """Make the result of any node an output as well."""
    mutant, node = _copy_and_pick(model, rng, lambda node: len(node.output) == 1 and node.op_type != "Constant")
    if node is None or node.output[0] in _outside(mutant):
        return None
    known = {value.name: value for value in onnx.shape_inference.infer_shapes(mutant).graph.value_info}
    if node.output[0] not in known:
        return None
    mutant.graph.output.append(known[node.output[0]])
    return mutant


MUTATIONS = {
    function.__name__: function
    for function in (
        drop_node,
        double_node,
        swap_function,
        insert_function,
        change_opset,
        rename,
        share_weights,
        blow_up_channel,
        kill_channel,
        give_out_more,
    )
}


def _copy(model):
    mutant = onnx.ModelProto()
    mutant.CopyFrom(model)
    return mutant


def _copy_and_pick(model, rng, fits):
    mutant = _copy(model)
    found = [node for node in mutant.graph.node if fits(node)]
    return mutant, found[int(rng.integers(len(found)))] if found else None


def _outside(model) -> set[str]:
    return {value.name for value in model.graph.output}


def _redirect(model, old: str, new: str) -> None:
    for node in model.graph.node:
        _rename_in(node, old, new, outputs=False)


def _rename_value(graph, old: str, new: str) -> None:
    for node in graph.node:
        _rename_in(node, old, new, outputs=True)
    for value in [*graph.initializer, *graph.input]:
        if value.name == old:
            value.name = new


def _rename_in(node, old: str, new: str, *, outputs: bool) -> None:
    for names in (node.input, node.output) if outputs else (node.input,):
        for index, name in enumerate(names):
            if name == old:
                names[index] = new
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            _rename_in(inner, old, new, outputs=False)
