"""A network as ncnn's two files hold it: layers with numbered parameters in text, and their weights one behind another.

Format: ncnn's documentation, "param and model file structure". A weight is `tagged` where the layer reads any type and
a tag in front of the numbers tells which, and plain float32 where it does not.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

MAGIC = 7767517
TAGS = {"float32": 0, "float16": 0x01306B47, "int8": 0x000D4B38}
ARRAY_KEY = -23300
ALIGNED = 4

Parameter: TypeAlias = int | float | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """Numbers of a layer: float32, or where `tagged` also float16 or int8."""

    array: NDArray[Any]
    tagged: bool = False

    def stored(self) -> bytes:
        """Return the bytes as the file holds them."""
        data = np.ascontiguousarray(self.array).tobytes()
        tag = TAGS[self.array.dtype.name].to_bytes(ALIGNED, "little") if self.tagged else b""
        return tag + data + bytes(-len(data) % ALIGNED)


@dataclass(slots=True)
class Layer:
    """One layer: its kind in ncnn, the blobs it reads and writes, parameters by number, weights in ncnn's order."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    parameters: dict[int, Parameter] = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)

    def line(self) -> str:
        """Return the layer's line in the text file."""
        head = f"{self.kind:<24} {self.name} {len(self.inputs)} {len(self.outputs)}"
        given = [_written(key, value) for key, value in sorted(self.parameters.items())]
        return " ".join([head, *self.inputs, *self.outputs, *given])


@dataclass(slots=True)
class Network:
    """Layers in an order in which they can run, and the blobs to be asked for."""

    layers: list[Layer] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the `.param` file."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        lines = [str(MAGIC), f"{len(self.layers)} {blobs}", *(layer.line() for layer in self.layers)]
        return "\n".join(lines) + "\n"

    def weights(self) -> bytes:
        """Return the `.bin` file."""
        return b"".join(weight.stored() for layer in self.layers for weight in layer.weights)

    def readers(self) -> dict[str, list[Layer]]:
        """Return for each blob the layers that read it, a layer twice if it does so twice."""
        found: dict[str, list[Layer]] = {blob: [] for layer in self.layers for blob in layer.outputs}
        for layer in self.layers:
            for blob in layer.inputs:
                found[blob].append(layer)
        return found


def _written(key: int, value: Parameter) -> str:
    if isinstance(value, tuple):
        return f"{ARRAY_KEY - key}={','.join([str(len(value)), *(_number(entry) for entry in value)])}"
    return f"{key}={_number(value)}"


def _number(value: float) -> str:
    """Return a number as ncnn tells types apart: a float has a point or an exponent."""
    if isinstance(value, int | np.integer):
        return str(int(value))
    text = f"{float(np.float32(value)):.9g}"
    return text if "." in text or "e" in text else f"{text}.0"
