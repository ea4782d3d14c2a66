"""What makes the network ncnn's own: nothing unused, activations inside the layers before, one reader a blob."""

from edgecnn.compile.ncnn.network import Layer, Network, Weight

CONVOLUTIONS = frozenset({"Convolution", "ConvolutionDepthWise"})
HOSTS = CONVOLUTIONS | {"Deconvolution", "DeconvolutionDepthWise", "InnerProduct"}
ROUNDING = CONVOLUTIONS | {"InnerProduct"}
"""Layers that have an INT8 form."""
ACTIVATIONS = {"ReLU": 1, "Clip": 3, "Sigmoid": 4, "Mish": 5, "HardSwish": 6}
LEAKY, PRODUCT = 2, 2
INT8, GIVES_INT8 = 8, 100
"""The parameter that says a layer has scales, and what is added to it where one of them is that of its result."""


def tidy(network: Network) -> None:
    """Bring `network` into the form that ncnn takes and runs best, in place."""
    join_swish(network)
    drop_unused(network)
    fuse_activations(network)
    pass_on_int8(network)
    split_readers(network)


def drop_unused(network: Network) -> None:
    """Remove layers whose results nobody reads; inputs stay."""
    wanted, kept = set(network.outputs), []
    for layer in reversed(network.layers):
        if layer.kind == "Input" or wanted.intersection(layer.outputs):
            wanted.update(layer.inputs)
            kept.append(layer)
    network.layers = kept[::-1]


def join_swish(network: Network) -> None:
    """Say the product of a value and its sigmoid as one layer."""
    sigmoids = {layer.outputs[0]: layer.inputs[0] for layer in network.layers if layer.kind == "Sigmoid"}
    for layer in network.layers:
        if layer.kind != "BinaryOp" or layer.parameters != {0: PRODUCT}:
            continue
        for one, other in (layer.inputs, layer.inputs[::-1]):
            if sigmoids.get(one) == other:
                layer.kind, layer.inputs, layer.parameters = "Swish", [other], {}
                break


def fuse_activations(network: Network) -> None:
    """Let convolutions and products apply the activation function that alone reads them."""
    readers = network.readers()
    gone: set[str] = set()
    for layer in network.layers:
        if layer.kind not in HOSTS or 9 in layer.parameters:
            continue
        [blob] = layer.outputs
        found = _activation(readers[blob][0]) if len(readers[blob]) == 1 and blob not in network.outputs else None
        if found is None:
            continue
        kind, numbers = found
        layer.parameters[9] = kind
        if numbers:
            layer.parameters[10] = numbers
        gone.add(readers[blob][0].name)
        layer.outputs = readers[blob][0].outputs
    network.layers = [layer for layer in network.layers if layer.name not in gone]


def _activation(layer: Layer) -> tuple[int, tuple[float, ...]] | None:
    """Return ncnn's number of a fused activation function and its parameters; None if `layer` is none."""
    if layer.kind not in ACTIVATIONS:
        return None
    numbers = tuple(float(value) for _, value in sorted(layer.parameters.items()) if not isinstance(value, tuple))
    if layer.kind == "ReLU" and any(numbers):
        return LEAKY, numbers
    return ACTIVATIONS[layer.kind], () if layer.kind == "ReLU" else numbers


def pass_on_int8(network: Network) -> None:
    """Let an INT8 convolution round its result itself where all that reads it are INT8 convolutions of one scale."""
    readers = network.readers()
    for layer in network.layers:
        if layer.kind not in CONVOLUTIONS or INT8 not in layer.parameters or layer.outputs[0] in network.outputs:
            continue
        following = readers[layer.outputs[0]]
        if not all(reader.kind in CONVOLUTIONS and INT8 in reader.parameters for reader in following):
            continue
        scales = [_before(reader) for reader in following]
        if scales and all(scale.array == scales[0].array for scale in scales):
            layer.parameters[INT8] = GIVES_INT8 + 1
            layer.weights.append(scales[0])


def _before(layer: Layer) -> Weight:
    # The factor of its input stands behind weights, bias and the weights' factors.
    return layer.weights[2 + int(bool(layer.parameters[5]))]


def split_readers(network: Network) -> None:
    """Give every reader of a blob a copy of its own, the caller who asks for it included."""
    readers = network.readers()
    found: list[Layer] = []
    for layer in network.layers:
        found.append(layer)
        for blob in layer.outputs:
            asked = [index for index, name in enumerate(network.outputs) if name == blob]
            uses = [(reader.inputs, index) for reader in _once(readers[blob]) for index in _places(reader, blob)]
            uses += [(network.outputs, index) for index in asked]
            if len(uses) < 2 and not (asked and layer.kind == "Input"):
                continue
            copies = [f"{blob}.{number}" for number in range(len(uses))]
            found.append(Layer("Split", f"{blob}.split", [blob], copies))
            for (names, index), copy in zip(uses, copies, strict=True):
                names[index] = copy
    network.layers = found


def _once(layers: list[Layer]) -> list[Layer]:
    return list({layer.name: layer for layer in layers}.values())


def _places(layer: Layer, blob: str) -> list[int]:
    return [index for index, name in enumerate(layer.inputs) if name == blob]
