"""Average pooling whose padding counts, as a depthwise convolution."""

import numpy as np
import onnx
import onnx_ir as ir
from scheme_graphs import Graph, feeds_of

from edgecnn.compress.quantize.pooling import without_counted_padding
from edgecnn.compress.quantize.simulate import outputs


def test_a_pad_in_front_of_a_pool_that_pads_itself_is_left_alone():
    g = Graph()
    x = g("Pad", ["x", g.const(np.array([0, 0, 1, 1, 0, 0, 1, 1]))])
    x = g("AveragePool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    model = onnx.shape_inference.infer_shapes(g.model(g.conv(x)))
    work = ir.from_proto(model)
    without_counted_padding(work)
    made = ir.to_proto(work)
    assert [node.op_type for node in made.graph.node] == ["Pad", "Conv", "Conv"]
    feeds = list(feeds_of(model))[:1]
    for got, want in zip(outputs(made, feeds)[0], outputs(model, feeds)[0], strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4)
