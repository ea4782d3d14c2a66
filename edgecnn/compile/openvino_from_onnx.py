"""OpenVINO IR, the same bytes every time."""

import re
from pathlib import Path

import onnx as onnx_package
import openvino

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.parted_convolutions import part_convolutions
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of

FILE = "model.xml"


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Write `out`/model.xml and `out`/model.bin. Weights are halved to FP16 only for `fp16`."""
    out.mkdir(parents=True, exist_ok=True)
    core = openvino.Core()
    try:
        source = onnx_package.load(onnx)
        # `openvino.convert_model` would write the path of its input into the IR and report its use over the network.
        model = core.read_model(source.SerializeToString() if part_convolutions(source) else onnx)
        _name_reproducibly(model)
        openvino.save_model(model, out / FILE, compress_to_fp16=precision == "fp16")
        core.compile_model(core.read_model(out / FILE), "CPU")
    except Exception as error:  # a parser's errors and OpenVINO's share no base with a name
        raise EngineError(f"OpenVINO refused {onnx.name}: {line_of(error)}") from error
    files = (out / FILE, (out / FILE).with_suffix(".bin"))
    return CompiledFiles(files, {"openvino": openvino.__version__})


def _name_reproducibly(model: openvino.Model) -> None:
    """Rename what OpenVINO named by a counter that runs on from one model to the next in the same process."""
    for index, node in enumerate(model.get_ordered_ops()):
        if re.fullmatch(rf"{node.get_type_name()}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}.{index}")
    model.set_friendly_name("edgecnn")
