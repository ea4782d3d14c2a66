"""The network as it was before its steps of compression, beside the artefacts that came of it."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from edgecnn.core.bundle import open_bundle
from edgecnn.core.registry import resolve
from edgecnn.runtime import Model
from edgecnn.runtime.codec import codec_of

UNCOMPRESSED: Final = "uncompressed"
ENGINE: Final = "onnxruntime"


def open_uncompressed(bundle: Path, file: Path, threads: int) -> Model:
    """Return the ONNX network in `file` as a model that takes and answers what the artefacts of `bundle` do.

    It runs in ONNX Runtime, whatever the recipe's targets: its figures are FP32's, which no engine changes much.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        EngineError: ONNX Runtime refuses the network.
    """
    opened = open_bundle(bundle)
    alike = opened.manifest.artefacts[0]
    artefact = replace(alike, name=UNCOMPRESSED, engine=ENGINE, precision="fp32", files=(), options={}, notes=())
    open_engine = resolve("engine", ENGINE)
    codec = codec_of(opened.manifest)
    engine = open_engine({file.name: file.read_bytes()}, alike.inputs, alike.outputs, {"threads": threads})
    return Model(opened, artefact, engine, codec, candidates=True)
