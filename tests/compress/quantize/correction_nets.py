"""Networks with what corrections meet: shuffles, depthwise triples, residual sums, pooling, a fully connected head."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 12


class Net:
    """Builds a float network over `x` [1, 3, SIZE, SIZE]."""

    def __init__(self, seed, spread=1.5):
        self.rng, self.spread = np.random.default_rng(seed), spread
        self.nodes, self.constants, self.count = [], [], 0

    def add(self, kind, *inputs, outputs=1, **attributes):
        """Add a node; arrays among `inputs` become constants. Returns a name, or several."""
        self.count += 1
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        made = [f"v{self.count}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=f"{kind}.{self.count}", **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape):
        """Random weights whose output channels differ in size."""
        size = np.exp(self.rng.normal(0, self.spread, (shape[0], *[1] * (len(shape) - 1))))
        return (self.rng.normal(size=shape) * size * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    def conv(self, x, inputs, outputs, kernel=3, groups=1, kind="Conv", **attributes):
        shape = (outputs, inputs // groups) if kind == "Conv" else (inputs, outputs // groups)
        bias = (0.1 * self.rng.normal(size=outputs)).astype(np.float32)
        attributes = {"pads": [kernel // 2] * 4, "group": groups, **attributes}
        return self.add(kind, x, self.weights(*shape, kernel, kernel), bias, **attributes)

    def finish(self, *names, opset=17):
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
            [onnx.ValueInfoProto(name=name) for name in names],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        return model


def shuffle_net(seed=0, spread=1.5):
    """A stem, a depthwise triple whose middle has no activation, a shuffle and a split, a residual sum, a head."""
    net = Net(seed, spread)
    x = net.add("Relu", net.conv("x", 3, 8, strides=[2, 2]))
    y = net.add("Relu", net.conv(x, 8, 8, kernel=1))
    y = net.conv(y, 8, 8, groups=8)
    y = net.add("Relu", net.conv(y, 8, 8, kernel=1))
    x = net.add("Concat", x, y, axis=1)
    x = net.add("Reshape", x, np.array([1, 2, 8, 6, 6]))
    x = net.add("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net.add("Reshape", x, np.array([1, 16, 6, 6]))
    left, right = net.add("Split", x, np.array([8, 8]), outputs=2, axis=1)
    right = net.add("LeakyRelu", net.conv(right, 8, 8), alpha=0.1)
    x = net.add("Add", left, right)
    x = net.add("PRelu", x, np.full((8, 1, 1), 0.2, np.float32))
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.conv(x, 8, 8, kernel=2, kind="ConvTranspose", strides=[2, 2], pads=[0] * 4)
    mask = net.add("Sigmoid", net.conv(x, 8, 4, kernel=1))
    pooled = net.add("Flatten", net.add("GlobalAveragePool", x))
    bias = net.rng.normal(size=5).astype(np.float32)
    return net.finish(mask, net.add("Gemm", pooled, net.weights(5, 8), bias, transB=1))


class Frames:
    """Seeded smooth frames for `x`, drawn anew each time."""

    def __init__(self, count, seed=0):
        self.count, self.seed = count, seed

    def __len__(self):
        return self.count

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        for _ in range(self.count):
            coarse = rng.normal(size=(1, 3, 4, 4)).repeat(3, 2).repeat(3, 3)
            yield {"x": (coarse + 0.2 * rng.normal(size=(1, 3, SIZE, SIZE))).astype(np.float32)}
