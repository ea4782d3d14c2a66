"""A converted model as one file, the same bytes every time: a zip of the .mlpackage folder that Xcode takes."""

import io
import json
import tempfile
import uuid
import zipfile
from pathlib import Path
from typing import Any

from edgecnn.compile.coreml.sdk import Model_pb2
from edgecnn.core.atomic import sha256_bytes

FOLDER = "model.mlpackage"
SPEC, WEIGHTS = "com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights/weight.bin"
_DATE = "com.github.apple.coremltools.conversion_date"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def package_parts(converted: Any) -> tuple[Any, bytes]:
    """Return the specification of coremltools' model `converted`, without the day it was made, and its weights file."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / FOLDER
        converted.save(str(place))
        spec = Model_pb2.Model.FromString((place / "Data" / SPEC).read_bytes())
        weights = place / "Data" / WEIGHTS
        data = weights.read_bytes() if weights.exists() else b""
    spec.description.metadata.userDefined.pop(_DATE, None)
    _number(spec.mlProgram.functions["main"])
    return spec, data


def _number(function: Any) -> None:
    """Name what is neither input nor output by its place: the converter's own names vary from run to run."""
    block = function.block_specializations[function.opset]
    kept = {value.name for value in function.inputs} | set(block.outputs)
    names = {name: name for name in kept}
    for operation in block.operations:
        for value in operation.outputs:
            names.setdefault(value.name, f"v{len(names)}")
    for operation in block.operations:
        bound = [one for argument in operation.inputs.values() for one in argument.arguments if one.HasField("name")]
        for value in (*operation.outputs, *bound):
            value.name = names[value.name]
        if "name" in operation.attributes:
            operation.attributes["name"].immediateValue.tensor.strings.values[:] = [operation.outputs[0].name]


def zipped(spec: Any, weights: bytes) -> bytes:
    """Return the package as a zip: stored, in one order, of one date, with names that follow from its content."""
    model = spec.SerializeToString(deterministic=True)
    files = {SPEC: (model, "CoreML Model Specification"), WEIGHTS: (weights, "CoreML Model Weights")}
    entries = {}
    for path, (data, what) in files.items():
        if data:
            key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{path} {len(data)} {sha256_bytes(data)}"))
            entries[key] = {"author": "com.apple.CoreML", "description": what, "name": Path(path).name, "path": path}
    root = next(key for key, entry in entries.items() if entry["path"] == SPEC)
    # Apple's own name of the weights' entry is that of their folder.
    for entry in entries.values():
        if entry["path"] == WEIGHTS:
            entry |= {"name": "weights", "path": str(Path(WEIGHTS).parent)}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, (data, _) in files.items():
            if data:
                archive.writestr(zipfile.ZipInfo(f"{FOLDER}/Data/{path}", _EPOCH), data)
        text = json.dumps(manifest, indent=2, sort_keys=True)
        archive.writestr(zipfile.ZipInfo(f"{FOLDER}/Manifest.json", _EPOCH), text)
    return buffer.getvalue()
