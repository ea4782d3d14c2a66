"""ncnn's `.param` and `.bin`, the same bytes every time, and beside them what their blobs stand for.

The network is translated here, not by a converter: names, layers and weights are then the same for the same model, and
INT8 has the integers and scales that the Q/DQ graph has, in the layout of ncnn's own quantizing tool.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx as onnx_package

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.ncnn.network import Network, Weight
from edgecnn.compile.ncnn.one_frame import one_frame
from edgecnn.compile.ncnn.source import Source
from edgecnn.compile.ncnn.tidy import INT8, ROUNDING, tidy
from edgecnn.compile.ncnn.translate import Port as Inner
from edgecnn.compile.ncnn.translate import Translation, translate
from edgecnn.compile.specs import tensor_specs
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines import ncnn as engine
from edgecnn.runtime.engines.ncnn_files import DESCRIPTION, PARAM, WEIGHTS, Description, Port, sealed

HALF_LARGEST = float(np.finfo(np.float16).max)


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Write `out`/model.json, model.param and model.bin, and see that ncnn runs them.

    Weights are halved to FP16 only for `fp16`. Layers compute in INT8 where the model has their input and weights
    behind Q/DQ as scheme `ncnn` places them; other Q/DQ is computed in float.

    Raises:
        EngineError: an operator that ncnn has not, or a network that it does not run.
        StageError: a shape of the model is not fixed.
    """
    try:
        files = artefact_files(onnx_package.load(onnx), precision)
    except EngineError as error:
        raise EngineError(f"{onnx.name}: {error}") from error
    for name, data in files.items():
        atomic.write_bytes(out / name, data)
    return CompiledFiles(tuple(out / name for name in files), {"ncnn": version("ncnn"), "onnx": version("onnx")})


def artefact_files(model: onnx_package.ModelProto, precision: Precision) -> dict[str, bytes]:
    """Return what `compile_model` writes, by name, the main file first."""
    inputs, outputs = tensor_specs(model)
    made, frames = _translated(model)
    network = made.network
    tidy(network)
    if precision == "fp16":
        _halve(network)
    blobs = zip(outputs, made.outputs, network.outputs, strict=True)
    described = Description(
        tuple(_port(spec, inner) for spec, inner in zip(inputs, made.inputs, strict=True)),
        tuple(_port(spec, Inner(inner.name, blob, inner.dims)) for spec, inner, blob in blobs),
        frames,
        precision,
        sum(bool(layer.parameters.get(INT8, 0)) for layer in network.layers if layer.kind in ROUNDING),
        {},
    )
    param, weights = network.text().encode(), network.weights()
    files = {DESCRIPTION: sealed(described, param, weights), PARAM: param, WEIGHTS: weights}
    _check_runs(files, inputs, outputs)
    return files


def _translated(model: onnx_package.ModelProto) -> tuple[Translation, int]:
    """Return the network of one frame and how many the model takes."""
    try:
        single, frames = one_frame(model)
    except EngineError as mixed:
        # What looks like frames may be rows of a matrix, which ncnn has.
        try:
            return translate(Source(model)), 1
        except EngineError:
            raise mixed from None
    return translate(Source(single)), frames


def _port(spec: TensorSpec, inner: Inner) -> Port:
    return Port(spec.name, spec.shape, spec.dtype, inner.blob, inner.dims, inner.planar)


def _halve(network: Network) -> None:
    """Store float weights in FP16 where they fit; others stay as they are."""
    for layer in network.layers:
        layer.weights = [
            Weight(weight.array.astype(np.float16), tagged=True) if _halves(weight) else weight
            for weight in layer.weights
        ]


def _halves(weight: Weight) -> bool:
    fits = weight.tagged and weight.array.dtype == np.float32
    return fits and bool(np.abs(weight.array).max(initial=0) <= HALF_LARGEST)


def _check_runs(files: dict[str, bytes], inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    """Raise unless ncnn loads the network and gives outputs of the right sizes."""
    loaded = engine.open_engine(files, inputs, outputs, {"threads": 1})
    try:
        loaded.infer({spec.name: np.zeros(spec.shape, spec.dtype) for spec in inputs})
    finally:
        loaded.close()
