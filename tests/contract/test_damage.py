"""What is no network, and a network that is not the manifest's: one line each, and the engine's name in front."""

import pytest
from contract_cases import CASES, REAL, files_of, frames, precisions

from edgecnn.core.errors import EngineError
from edgecnn.core.registry import resolve
from edgecnn.core.tensor import TensorSpec


def refused(name, files, inputs, outputs):
    with pytest.raises(EngineError) as caught:
        resolve("engine", CASES[name].engine)(files, inputs, outputs, dict(CASES[name].options))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(CASES[name].engine)
    return str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda data: data[: len(data) // 2], lambda _: b"junk" * 50],
    ids=["empty", "half", "junk"],
)
@pytest.mark.parametrize("name", REAL)
def test_what_is_no_network_is_one_clear_line(name, damage):
    network = frames(name, 7, 5)
    files = files_of(name, network)
    main = next(iter(files))
    refused(name, {**files, main: damage(files[main])}, network.inputs, network.outputs)


@pytest.mark.parametrize("name", REAL)
def test_every_file_that_is_missing_or_cut_short_is_noticed(name):
    network = frames(name, 33, 17, precisions(name)[-1])
    files = files_of(name, network, precisions(name)[-1])
    for missing in list(files)[1:]:
        refused(name, {key: data for key, data in files.items() if key != missing}, network.inputs, network.outputs)
        half = files[missing][: len(files[missing]) // 2]
        refused(name, {**files, missing: half}, network.inputs, network.outputs)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    ("role", "spec"),
    [
        ("input", TensorSpec("frame", (1, 8, 5, 3), "uint8")),
        ("input", TensorSpec("frame", (1, 7, 5, 3), "float32")),
        ("input", TensorSpec("picture", (1, 7, 5, 3), "uint8")),
        ("output", TensorSpec("what", (1, 5), "float32")),
        ("output", TensorSpec("whither", (1, 4), "float32")),
    ],
)
def test_a_network_that_is_not_the_manifests_is_refused(name, role, spec):
    network = frames(name, 7, 5)
    inputs = (spec,) if role == "input" else network.inputs
    outputs = (spec,) if role == "output" else network.outputs
    assert spec.name in refused(name, files_of(name, network), inputs, outputs)
