"""LayerShape: counts by hand, widths, and what is refused."""

import pytest

from edgecnn.core.layers import LayerShape


def conv(inputs: int, outputs: int, groups: int = 1, **more) -> LayerShape:
    sizes = {"kernel": (3, 3), "in_size": (8, 10), "out_size": (8, 10)} | more
    return LayerShape(op="conv", in_channels=inputs, out_channels=outputs, groups=groups, **sizes)


def test_counts_of_a_convolution():
    shape = conv(4, 6, stride=(2, 2), out_size=(4, 5))
    assert (shape.weights, shape.macs) == (4 * 6 * 9, 4 * 6 * 9 * 20)
    assert (shape.read, shape.written, shape.moved) == (320, 120, 320 + 120 + 216)


def test_counts_of_a_transposed_convolution_go_by_its_input():
    shape = LayerShape(
        op="conv_transpose",
        in_channels=4,
        out_channels=2,
        kernel=(2, 2),
        stride=(2, 2),
        in_size=(3, 3),
        out_size=(6, 6),
    )
    assert shape.macs == 4 * 2 * 4 * 9


def test_a_linear_layer_has_rows():
    shape = LayerShape(op="linear", in_channels=5, out_channels=7, in_size=(3, 1), out_size=(3, 1))
    assert (shape.macs, shape.text()) == (105, "linear 5>7 x3")


def test_groups_divide_weights_and_stay_as_wide():
    shape = conv(8, 16, groups=4)
    assert shape.weights == 8 * 4 * 9
    assert not shape.depthwise
    narrower = shape.with_groups(3)
    assert (narrower.in_channels, narrower.out_channels, narrower.groups) == (6, 12, 3)


def test_depthwise():
    assert conv(8, 8, groups=8).depthwise
    assert not conv(1, 8).depthwise
    assert conv(8, 8, groups=8, stride=(2, 2)).text() == "depthwise conv 8>8 3x3/2 @8x10"


@pytest.mark.parametrize("bad", [{"in_channels": 0}, {"groups": 3}, {"kernel": (0, 3)}])
def test_a_shape_that_no_layer_has_is_refused(bad):
    with pytest.raises(ValueError):
        LayerShape(**{"op": "conv", "in_channels": 4, "out_channels": 8} | bad)
