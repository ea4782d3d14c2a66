"""Whatever the network, pruning leaves one that runs, trains a step, comes back from its structure and exports."""

import copy

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_modules import SIDE, RandomNetwork, networks

from edgecnn.compress.prune.cut import cut
from edgecnn.compress.prune.groups import find_groups
from edgecnn.core.tensor import FrameSpec
from edgecnn.export.onnx_from_torch import export
from edgecnn.models.build import Normalise
from edgecnn.models.structure import rebuild, structure_of

EXAMPLE = (torch.zeros(1, 3, SIDE, SIDE),)
# An export takes seconds: a network that fails is named as it was drawn.
CALM = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "phases": [Phase.generate],
}


@st.composite
def cuts(draw):
    """Draw a network, what is kept of its groups, and the network without the rest."""
    network = draw(networks()).eval()
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    groups = find_groups(network, EXAMPLE).groups
    keep = {}
    for group in groups:
        count = draw(st.integers(1, group.channels))
        keep[group.name] = torch.randperm(group.channels, generator=generator)[:count]
    return network, groups, cut(network, EXAMPLE, keep)


def runs_and_trains(network, small):
    inputs = torch.randn(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert [one.shape for one in small(inputs)] == [one.shape for one in network(inputs)]
    step = copy.deepcopy(small).train()
    optimizer = torch.optim.SGD(step.parameters(), 1e-3)
    loss = sum(one.square().mean() for one in step(inputs))
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    assert all(parameter.isfinite().all() for parameter in step.parameters())


def comes_back(network, small):
    back = rebuild(network, structure_of(small, network)).eval()
    back.load_state_dict(small.state_dict())
    inputs = torch.randn(1, 3, SIDE, SIDE)
    assert all(torch.equal(one, other) for one, other in zip(back(inputs), small(inputs), strict=True))


def exports(small):
    frame = FrameSpec(width=SIDE, height=SIDE, color="rgb")
    normalise = Normalise((0.5,) * 3, (0.25,) * 3, "rgb")
    proto = export(small, frame, normalise, small.output_names, 20)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    found = session.run(None, {"image": pixels})
    with torch.no_grad():
        wanted = small((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-3, atol=1e-3 * max(1.0, float(other.abs().max())))


@given(cuts())
@settings(max_examples=12, **CALM)
def test_random_networks_run_train_and_come_back(drawn):
    network, _, small = drawn
    runs_and_trains(network, small)
    comes_back(network, small)


def test_one_pruned_network_of_many_blocks_exports():
    blocks = [("grouped", 16, "group", "prelu"), ("channels_last", 12, "batch", "relu"), ("gated", 16, "batch", "silu")]
    network = RandomNetwork(16, blocks, "flat").eval()
    groups = find_groups(network, EXAMPLE).groups
    found = {"body.0.0": 8, "body.1.0.0": 2, "body.2.0.up": 32, "body.2.1.0": 12, "body.3.0": 16, "one.0": 12}
    assert {group.name: group.channels for group in groups} == found
    exports(cut(network, EXAMPLE, {group.name: torch.arange(0, group.channels, 2) for group in groups}))


@pytest.mark.slow
@given(cuts())
@settings(max_examples=50, **CALM)
def test_fifty_random_networks_run_train_and_export(drawn):
    network, _, small = drawn
    runs_and_trains(network, small)
    comes_back(network, small)
    exports(small)


@pytest.mark.slow
@given(cuts())
@settings(max_examples=150, **CALM)
def test_something_is_nearly_always_left_to_prune(drawn):
    """Refusing everything would pass every other test here."""
    _, groups, _ = drawn
    assert groups
