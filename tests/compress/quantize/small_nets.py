"""Random small float networks in ONNX, for the quantizer's tests."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 13, 17


class Builder:
    """Adds layers to a network over uint8 frames; each method takes and returns a value's name."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.count = [], {}, 0

    def node(self, kind, inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(kind, inputs, [f"v{self.count}"], name=f"{kind}{self.count}", **attributes))
        return f"v{self.count}"

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def pixels(self, mean):
        """Transpose, cast, subtract the mean (one number, or one a channel)."""
        x = self.node("Transpose", ["image"], perm=[0, 3, 1, 2])
        x = self.node("Cast", [x], to=TensorProto.FLOAT)
        shape = (1, -1, 1, 1) if np.ndim(mean) else ()
        return self.node("Sub", [x, self.constant(np.float32(mean).reshape(shape))])

    def conv(self, x, inputs, outputs, kernel=3, stride=1, groups=1, *, bias=True, scale=1.0):
        shape = (outputs, inputs // groups, kernel, kernel)
        weights = self.rng.normal(size=shape) * scale * np.sqrt(2 / np.prod(shape[1:]))
        weights *= self.rng.uniform(0.3, 3, (outputs, 1, 1, 1))
        names = [x, self.constant(weights.astype(np.float32))]
        if bias:
            names.append(self.constant(self.rng.normal(size=outputs).astype(np.float32) * 0.1))
        pads = [kernel // 2] * 4
        return self.node("Conv", names, strides=[stride] * 2, pads=pads, kernel_shape=[kernel] * 2, group=groups)

    def gemm(self, x, inputs, outputs, *, transposed=True):
        weights = (self.rng.normal(size=(outputs, inputs)) * np.sqrt(2 / inputs)).astype(np.float32)
        bias = self.rng.normal(size=outputs).astype(np.float32) * 0.1
        names = [x, self.constant(weights if transposed else weights.T.copy()), self.constant(bias)]
        return self.node("Gemm", names, transB=int(transposed))

    def finish(self, value, opset=20):
        self.nodes[-1].output[0] = "y"
        assert value == f"v{self.count}"
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model, full_check=True)
        return model


def small_net(
    seed, *, mean=(103.5, 116.0, 123.7), blocks=("residual", "concat", "down"), groups=1, transposed=True, opset=20
):
    """A stem, some blocks, and a head of two fully connected layers."""
    b = Builder(seed)
    x = b.node("Relu", [b.conv(b.pixels(mean), 3, 8, kernel=5, stride=2, scale=1 / 64)])
    channels, height, width = 8, -(-HEIGHT // 2), -(-WIDTH // 2)
    for kind in blocks:
        if kind == "residual":
            y = b.node("Relu", [b.conv(x, channels, channels, groups=groups)])
            x = b.node("Relu", [b.node("Add", [b.conv(y, channels, channels, bias=False), x])])
        elif kind == "down":
            main = b.conv(b.node("Relu", [b.conv(x, channels, channels, stride=2)]), channels, channels)
            short = b.conv(x, channels, channels, kernel=1, stride=2)
            x = b.node("Relu", [b.node("Add", [main, short])])
            height, width = -(-height // 2), -(-width // 2)
        elif kind == "concat":
            left = b.node("Relu", [b.conv(x, channels, channels)])
            pooled = b.node("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
            x = b.node("Concat", [left, pooled], axis=1)
            channels *= 2
        elif kind == "pool":
            x = b.node("GlobalAveragePool", [x])
            height = width = 1
    flat = b.node("Flatten", [x], axis=1)
    hidden = b.node("Relu", [b.gemm(flat, channels * height * width, 12, transposed=transposed)])
    return b.finish(b.gemm(hidden, 12, 7, transposed=transposed), opset)


def frames(count, seed=0):
    """Smooth random frames, uint8 [count, HEIGHT, WIDTH, 3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 5, 6, 3)).repeat(3, 1).repeat(3, 2)[:, :HEIGHT, :WIDTH]
    return np.clip(coarse + rng.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)


def feeds(count, seed=0):
    """The same as named inputs, one frame each."""
    return [{"image": frame[None]} for frame in frames(count, seed)]


def answers(model, batch):
    """ONNX Runtime's answers, one row a frame."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        # It rounds a bias that the model keeps in float, at a scale that float16 may not hold.
        disabled_optimizers=["WeightBiasQuantization"],
    )
    return np.concatenate([session.run(None, {"image": frame[None]})[0] for frame in batch])


def relative_error(got, want):
    """||got - want|| / ||want||."""
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))
