"""The files of an ncnn artefact: the network, its weights, and a description of what its blobs stand for.

ncnn names no tensors of the outside, has no batch axis, takes float32 alone, and trusts its files: it crashes on many a
damaged one. So the description says what the engine has to put in and take out, and what the files have to be.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from edgecnn.core.errors import EngineError, line_of

DESCRIPTION, PARAM, WEIGHTS = "model.json", "model.param", "model.bin"
FORMAT = 1


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input or output of the artefact.

    Attributes:
        name: what it is called outside.
        shape: its shape outside, frames included.
        dtype: its NumPy type outside; inside all is float32.
        blob: what it is called in the network.
        dims: the blob's dimensions, outermost first, of one frame.
        planar: the blob has channels first where the outside has them last.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    blob: str
    dims: tuple[int, ...]
    planar: bool = False


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in model.json.

    Attributes:
        inputs: of the network.
        outputs: of the network.
        frames: how many frames one call takes; they run one after another.
        precision: `fp32`, `fp16` or `int8`, as the weights are stored.
        int8_layers: how many layers compute in INT8.
        crc32: checksums of the network, its weights and, under this file's own name, of the rest of this file.
        format: of this file.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    frames: int
    precision: str
    int8_layers: int
    crc32: dict[str, int]
    format: int = FORMAT


def sealed(description: Description, param: bytes, weights: bytes) -> bytes:
    """Return model.json with the checksums of what it describes."""
    sums = {PARAM: zlib.crc32(param), WEIGHTS: zlib.crc32(weights)}
    found = replace(description, crc32=sums)
    own = zlib.crc32(msgspec.json.encode(found))
    return msgspec.json.encode(replace(found, crc32={DESCRIPTION: own, **sums})) + b"\n"


def opened(files: Mapping[str, bytes]) -> tuple[Description, bytes, bytes]:
    """Return the description, the network and the weights.

    Raises:
        EngineError: a file is missing, damaged or of another format.
    """
    missing = [name for name in (DESCRIPTION, PARAM, WEIGHTS) if name not in files]
    if missing:
        raise EngineError(f"ncnn: the artefact lacks {', '.join(missing)}; it has {', '.join(files) or 'no file'}")
    description = _described(files[DESCRIPTION])
    for name in (PARAM, WEIGHTS):
        if description.crc32.get(name) != zlib.crc32(files[name]):
            raise EngineError(f"ncnn: {name} is damaged (its checksum is not that of {DESCRIPTION}); compile it again")
    return description, files[PARAM], files[WEIGHTS]


def _described(data: bytes) -> Description:
    try:
        plain: Any = msgspec.json.decode(data)
        version = plain.get("format") if isinstance(plain, dict) else None
        if version != FORMAT:
            raise EngineError(f"ncnn: {DESCRIPTION} is of format {version}, and this edgecnn reads {FORMAT}")
        found = msgspec.json.decode(data, type=Description)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"ncnn: {DESCRIPTION} is damaged: {line_of(error)}; compile the model again") from error
    sums = {name: value for name, value in found.crc32.items() if name != DESCRIPTION}
    if found.crc32.get(DESCRIPTION) != zlib.crc32(msgspec.json.encode(replace(found, crc32=sums))):
        raise EngineError(f"ncnn: {DESCRIPTION} is damaged (its checksum is another); compile the model again")
    return found
