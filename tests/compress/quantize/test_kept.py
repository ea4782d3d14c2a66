"""Nodes kept in float: by name, by pattern, and never by a name that means none."""

import pytest
from small_nets import feeds, small_net

from edgecnn.compress.quantize.kept import Kept, check_kept
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.errors import InputError
from edgecnn.core.registry import resolve


def test_a_name_comes_before_a_pattern():
    kept = Kept(["/conv[1]", "/head/*"])
    assert kept.match("/conv[1]") == "/conv[1]"
    assert kept.match("/conv1") == "/conv[1]"
    assert kept.match("/head/fc") == "/head/*"
    assert kept.match("/neck/head/fc") is None


def test_every_pattern_has_to_mean_a_node():
    model = small_net(1, blocks=())
    check_kept(model, ())
    check_kept(model, ["Conv*", "Gemm9"])
    with pytest.raises(InputError, match=r"is called 'Covn4', to be kept in float \(did you mean 'Conv4'\?"):
        check_kept(model, ["Conv*", "Covn4"])


def test_quantize_refuses_a_misspelt_name():
    with pytest.raises(InputError, match="head"):
        quantize(small_net(1), resolve("scheme", "openvino_cpu"), feeds(2), Settings(keep_float=("head",)))
