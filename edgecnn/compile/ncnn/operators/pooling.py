"""Pooling over windows and over whole pictures."""

from edgecnn.compile.ncnn.builder import Builder
from edgecnn.compile.ncnn.operators.windows import Window, picture, window
from edgecnn.compile.ncnn.source import Node

MAX, AVERAGE = 0, 1
TO_THE_END, AS_IT_FITS = 0, 1


def pool(b: Builder, node: Node) -> None:
    """MaxPool without indices and AveragePool, over one or two dimensions."""
    x = b.value(node)
    channels, height, width = picture(node, x.shape)
    look = window(node, tuple(node.get("kernel_shape", ())), height, width)
    if look.dilations != (1, 1):
        raise node.refuse(f"dilations {list(look.dilations)}; ncnn pools over neighbours only")
    if len(node.outputs) > 1:
        raise node.refuse("it gives indices as well")
    shape = b.source.shape(node, node.outputs[0])
    out = (channels, shape[2] if len(shape) == 4 else 1, shape[-1])
    whole = _mode(node, look, (height, width), out[1:])
    counted = int(node.get("count_include_pad", 0))
    if node.kind == "AveragePool" and whole == TO_THE_END and counted:
        raise node.refuse("its padding counts, and its last window goes beyond it (ceil_mode)")
    parameters = {
        0: AVERAGE if node.kind == "AveragePool" else MAX,
        1: look.kernel[1],
        11: look.kernel[0],
        2: look.strides[1],
        12: look.strides[0],
        3: look.pads[1],
        13: look.pads[0],
        14: look.pads[3],
        15: look.pads[2],
        5: whole,
        6: counted,
    }
    [made] = b.emit("Pooling", [b.view(x, (channels, height, width))], parameters, name=node.outputs[0])
    b.put(node.outputs[0], made, out)


def _mode(node: Node, look: Window, sizes: tuple[int, int], out: tuple[int, ...]) -> int:
    """Return how ncnn has to fit windows in to give the size that ONNX says."""
    room = [sizes[axis] + look.pads[axis] + look.pads[axis + 2] - look.kernel[axis] for axis in range(2)]
    if all(room[axis] // look.strides[axis] + 1 == out[axis] for axis in range(2)):
        return AS_IT_FITS
    if all(-(-room[axis] // look.strides[axis]) + 1 == out[axis] for axis in range(2)):
        return TO_THE_END
    raise node.refuse(f"its windows end otherwise than ncnn's, which has no size {list(out)} here")


def pool_all(b: Builder, node: Node) -> None:
    """GlobalAveragePool and GlobalMaxPool."""
    x = b.value(node)
    channels, height, width = picture(node, x.shape)
    parameters = {0: MAX if node.kind == "GlobalMaxPool" else AVERAGE, 4: 1}
    [made] = b.emit("Pooling", [b.view(x, (channels, height, width))], parameters, name=node.outputs[0])
    b.put(node.outputs[0], made, (channels,))
