"""ncnn on the CPU, one frame at a time."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import ncnn
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import boolean, check_options, check_tensors, one_of, positive, still_open
from edgecnn.runtime.engines.ncnn_files import DESCRIPTION, PARAM, WEIGHTS, Description, Port, opened, sealed

_OPTIONS = {
    "threads": (positive, "a whole number above 0"),
    "precision": (one_of("fp32", "fp16", "bf16"), "fp32, fp16 or bf16"),
    "winograd": (boolean, "true or false"),
}
_PIXELS = {1: ncnn.Mat.PixelType.PIXEL_GRAY, 3: ncnn.Mat.PixelType.PIXEL_BGR, 4: ncnn.Mat.PixelType.PIXEL_RGBA}


@final
class NcnnEngine:
    """A network loaded into ncnn; `infer` may be called from many threads, each call has an extractor of its own."""

    def __init__(
        self,
        net: ncnn.Net,
        description: Description,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        self.name: Final = "ncnn"
        self.inputs = inputs
        self.outputs = outputs
        self._net: ncnn.Net | None = net
        self._description = description
        self._ports = {port.name: port for port in (*description.inputs, *description.outputs)}

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network, frame after frame; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: ncnn failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        net = self._open_net()
        frames = self._description.frames
        results = {spec.name: np.empty(spec.shape, np.float32) for spec in self.outputs}
        for index in range(frames):
            extractor = net.create_extractor()
            for spec in self.inputs:
                array = feeds[spec.name]
                frame = array[index] if frames > 1 else array
                port = self._ports[spec.name]
                _succeed(extractor.input(port.blob, _blob(port, frame)), f"took no input '{spec.name}'")
            for spec in self.outputs:
                status, blob = extractor.extract(self._ports[spec.name].blob)
                _succeed(status, f"failed on output '{spec.name}' (out of memory?)")
                whole = results[spec.name]
                target = whole[index] if frames > 1 else whole
                target[...] = self._read(spec, blob).reshape(target.shape)
        return results

    def facts(self) -> dict[str, Any]:
        """Return the settings in force."""
        option = self._open_net().opt
        return {
            "engine": self.name,
            "version": ncnn.__version__,
            "device": "CPU",
            "threads": option.num_threads,
            "precision": _in_force(option),
            "weights": self._description.precision,
            "int8_layers": self._description.int8_layers,
            "winograd": option.use_winograd_convolution,
        }

    def close(self) -> None:
        """Give back the network's memory."""
        self._net = None

    def _read(self, spec: TensorSpec, blob: ncnn.Mat) -> NDArray[Any]:
        array = np.array(blob)
        if array.size * self._description.frames != math.prod(spec.shape):
            raise EngineError(f"ncnn: output '{spec.name}' came as {list(array.shape)}, not {spec.describe()}")
        return array

    def _open_net(self) -> ncnn.Net:
        return still_open(self.name, self._net)


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> NcnnEngine:
    """Load what edgecnn compiled for ncnn: `model.json`, `model.param` and `model.bin`.

    Options: `threads` (int; default one a big physical core), `precision` (what activations are kept and computed in:
    fp32, fp16 or bf16 where the CPU has it; default fp32, and fp16 for weights stored so) and `winograd` (bool; default
    true: 3x3 convolutions by Winograd's algorithm, faster and a little less exact).

    Raises:
        InputError: an option that is not known.
        EngineError: the files are damaged, ncnn refused them, or the network's tensors are not those given.
    """
    check_options("ncnn", options, _OPTIONS)
    description, param, weights = opened(files)
    check_tensors("ncnn", "input", inputs, _tensors(description.inputs))
    check_tensors("ncnn", "output", outputs, _tensors(description.outputs))
    net = ncnn.Net()
    _set(net.opt, options, description)
    if net.load_param_mem(param.decode()) != 0:
        raise EngineError(f"ncnn refused the network: ncnn {ncnn.__version__} has not every layer that is in it")
    # Not `load_model_mem`: it keeps pointing into memory that Python gives back. The file is read whole.
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / WEIGHTS
        path.write_bytes(weights)
        if net.load_model(str(path)) != 0:
            raise EngineError(f"ncnn refused the network: its weights do not load in ncnn {ncnn.__version__}")
    return NcnnEngine(net, description, inputs, outputs)


def probe() -> dict[str, bytes]:
    """Return the files of y = Relu(x), x and y float32 [1, 4]."""
    param = b"7767517\n2 2\nInput x 0 1 x\nReLU y 1 1 x y\n"
    ports = (Port(name, (1, 4), "float32", name, (4,)) for name in ("x", "y"))
    described = Description((next(ports),), (next(ports),), 1, "fp32", 0, {})
    return {DESCRIPTION: sealed(described, param, b""), PARAM: param, WEIGHTS: b""}


def _set(option: ncnn.Option, options: Mapping[str, Any], description: Description) -> None:
    precision = options.get("precision", "fp16" if description.precision == "fp16" else "fp32")
    option.num_threads = options.get("threads", ncnn.get_physical_big_cpu_count())
    option.use_vulkan_compute = False
    option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = precision == "fp16"
    option.use_bf16_packed = option.use_bf16_storage = precision == "bf16"
    option.use_winograd_convolution = options.get("winograd", True)


def _in_force(option: ncnn.Option) -> str:
    if option.use_fp16_arithmetic:
        return "fp16" if ncnn.cpu_support_arm_asimdhp() else "fp32"
    return "bf16" if option.use_bf16_storage else "fp32"


def _blob(port: Port, frame: NDArray[Any]) -> ncnn.Mat:
    """Return one frame as the blob that the network takes."""
    if port.planar:
        height, width, channels = frame.shape[-3:]
        if frame.dtype == np.uint8 and channels in _PIXELS:
            pixels = np.ascontiguousarray(frame).reshape(height, width, channels)
            return ncnn.Mat.from_pixels(pixels, _PIXELS[channels], width, height)
        frame = frame.reshape(height, width, channels).transpose(2, 0, 1)
    # A blob made of an array borrows its memory without holding on to it, so that the array has to outlive the copy.
    array = np.ascontiguousarray(frame, np.float32).reshape(port.dims)
    return ncnn.Mat(array).clone()


def _succeed(status: int, what: str) -> None:
    if status != 0:
        raise EngineError(f"ncnn {what}: status {status}")


def _tensors(ports: tuple[Port, ...]) -> dict[str, tuple[list[Any], str]]:
    return {port.name: (list(port.shape), port.dtype) for port in ports}
