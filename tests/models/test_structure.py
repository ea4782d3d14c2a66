import copy

import msgspec
import pytest
import torch
from prune_networks import EXAMPLE, NETWORKS
from safetensors.torch import load, save
from torch import nn

from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import find_groups
from edgecnn.core.errors import InputError
from edgecnn.core.structure import PlainLayer, Structure, Widths
from edgecnn.models.answers import tensors
from edgecnn.models.structure import rebuild, structure_of


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def written_and_read(structure):
    return msgspec.json.decode(msgspec.json.encode(structure), type=Structure)


def pruned(name):
    network = NETWORKS[name]().eval()
    groups = find_groups(network, EXAMPLE).groups
    keep = {group.name: torch.randperm(group.channels)[: max(1, group.channels // 2)] for group in groups}
    return network, cut(network, EXAMPLE, keep)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pruned_network_comes_back_from_code_structure_and_weights(name):
    network, small = pruned(name)
    structure = written_and_read(structure_of(small, network))
    weights = load(save({key: value.clone() for key, value in small.state_dict().items()}))
    back = rebuild(NETWORKS[name]().eval(), structure)
    back.load_state_dict(weights)
    inputs = torch.randn(2, 3, 16, 16)
    for one, other in zip(tensors(back(inputs)), tensors(small(inputs)), strict=True):
        assert torch.equal(one, other)
    assert structure_of(back, network) == structure


def test_nothing_changed_is_an_empty_structure():
    network = NETWORKS["dense"]()
    assert structure_of(copy.deepcopy(network), network) == Structure()
    assert msgspec.json.encode(Structure()) == b'{"layers":{},"factored":{},"parameters":{}}'


def factored():
    """Return a network, and one with two of its layers split and then cut."""
    network = NETWORKS["flattened"]().eval()
    split = copy.deepcopy(network)
    split.hidden = nn.Sequential(nn.Linear(48, 6, bias=False), nn.Linear(6, 20))
    split.deep[0] = nn.Sequential(
        nn.Conv2d(16, 5, (3, 1), padding=(1, 0), bias=False), nn.Conv2d(5, 12, (1, 3), padding=(0, 1), bias=False)
    )
    groups = {group.name: group.channels for group in find_groups(split, EXAMPLE).groups}
    assert groups == {"stem.0": 16, "deep.0.0": 5, "deep.0.1": 12, "hidden.0": 6, "hidden.1": 20}
    return network, cut(split, EXAMPLE, {name: torch.arange(n - 1) for name, n in groups.items()})


def test_split_layers_are_pruned_and_come_back():
    network, small = factored()
    structure = written_and_read(structure_of(small, network))
    assert structure.factored["hidden"] == (PlainLayer("linear", 44, 5), PlainLayer("linear", 5, 19, bias=True))
    back = rebuild(network, structure).eval()
    back.load_state_dict(small.state_dict())
    inputs = torch.randn(2, 3, 16, 16)
    assert torch.equal(back(inputs), small(inputs))


def test_what_a_structure_can_not_say():
    network = NETWORKS["dense"]()
    other = copy.deepcopy(network)
    other.head = nn.Linear(16, 7)
    with pytest.raises(InputError, match="can't be cut to 16 inputs, 7 outputs"):
        structure_of(other, network)
    other.head = nn.Sequential(nn.Linear(16, 2), nn.ReLU(), nn.Linear(2, 5))
    with pytest.raises(InputError, match="a ReLU in place of a layer"):
        structure_of(other, network)
    other.head = nn.Bilinear(16, 16, 5)
    with pytest.raises(InputError, match="its structure can't be kept"):
        structure_of(other, network)


LINE = PlainLayer("linear", 16, 5)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (Structure(layers={"nowhere": Widths(1, 1)}), "no module 'nowhere'"),
        (Structure(layers={"block": Widths(1, 1)}), "'block' is a Grouped, with nothing to cut"),
        (Structure(layers={"head": Widths(17, 5)}), "'head' has 16 inputs, 5 outputs and 1 groups"),
        (Structure(layers={"head": Widths(10**12, 5)}), "can't be cut to 1000000000000 inputs"),
        (Structure(layers={"head": Widths(16, 5, 2)}), "can't be cut to 16 inputs, 5 outputs and 2 groups"),
        (Structure(layers={"stem.1": Widths(7, 8)}), "can't be cut to 7 inputs, 8 outputs"),
        (Structure(layers={"block.two.0": Widths(23, 24, 12)}), "can't be cut to 23 inputs, 24 outputs and 12 groups"),
        (Structure(layers={"block.two.0": Widths(22, 22, 12)}), "can't be cut to 22"),
        (Structure(factored={"nowhere": (LINE,)}), "no module 'nowhere'"),
        (Structure(factored={"stem.1": (LINE,)}), "'stem.1' is a BatchNorm2d, which is not split"),
        (Structure(factored={"head": ()}), "in place of 'head' can't stand"),
        (Structure(factored={"head": (LINE, LINE)}), "in place of 'head' can't stand"),
        (
            Structure(factored={"head": (PlainLayer("linear", 16, 10**9), PlainLayer("linear", 10**9, 5))}),
            "can't stand",
        ),
        (Structure(factored={"head": (PlainLayer("conv", 16, 5),)}), "a conv can't stand in place of 'head'"),
        (Structure(factored={"stem.0": (PlainLayer("conv", 3, 16, kernel=(3,)),)}), "a conv can't stand"),
        (
            Structure(factored={"stem.0": (PlainLayer("conv", 3, 16, 1, (3, 3), (0, 1), (0, 0), (1, 1)),)}),
            "in place of 'stem.0' is not sound",
        ),
        (
            Structure(factored={"stem.0": (PlainLayer("conv", 3, 16, 2, (1, 1), (1, 1), (0, 0), (1, 1)),)}),
            "in place of 'stem.0' is not sound",
        ),
        (
            Structure(factored={"stem.0": (PlainLayer("conv", 3, 16, 1, (1, 1), (2, 2), "same", (1, 1)),)}),
            "in place of 'stem.0' padding='same' is not supported",
        ),
        (Structure(parameters={"nothing": (3,)}), "no bare parameter 'nothing'"),
        (Structure(parameters={"head.weight": (3, 3)}), "no bare parameter 'head.weight'"),
        (Structure(parameters={"block.scale": (17, 1, 1)}), "of shape [16, 1, 1] can't be cut to [17, 1, 1]"),
        (Structure(parameters={"block.scale": (16,)}), "can't be cut to [16]"),
    ],
)
def test_a_structure_that_does_not_fit_is_one_line(structure, message):
    name = "layer_scale" if structure.parameters else "grouped_blocks"
    with pytest.raises(InputError) as error:
        rebuild(NETWORKS[name](), structure)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"layers": {"head": {"inputs": 0, "outputs": 5}}}',
        b'{"layers": {"head": {"inputs": -3, "outputs": 5}}}',
        b'{"layers": {"head": {"inputs": 1.5, "outputs": 5}}}',
        b'{"factored": {"head": [{"kind": "rnn", "inputs": 1, "outputs": 1}]}}',
        b'{"parameters": {"block.scale": [0]}}',
        b'{"module": "os:system"}',
    ],
)
def test_a_file_that_is_no_structure(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Structure)


def test_a_layer_of_one_parameter_that_had_many():
    network = NETWORKS["prelu"]()
    small = cut(network, EXAMPLE, {"block.one": torch.tensor([3])})
    assert structure_of(small, network).layers["block.norm"] == Widths(1, 1)
    back = rebuild(network, structure_of(small, network))
    assert back.block.norm.weight.shape == (1,)
