"""What TensorRT made of a network: the inspector's JSON and what the builder said, read for where and how layers run.

The inspector of TensorRT 8 and 10 lists `Bindings` as names, that of 11 `I/O Tensors` as records; without detailed
profiling a layer is its name alone.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from edgecnn.core.errors import EngineError

_SPARSITY = re.compile(r"\(Sparsity\) (Found|Chose) (\d+) layer")
_PLACED = re.compile(r"\[(DlaLayer|GpuLayer|GpuFallback)\] *(.+)")
_PLACES = {"DlaLayer": "on_dla", "GpuLayer": "on_gpu", "GpuFallback": "dla_fallback"}
FALLBACK = "[GpuFallback]"
"""What edgecnn's builders put before a layer that the DLA can't run, beside TensorRT's own marks."""


def layers_of(text: str) -> list[dict[str, Any]]:
    """Return the layers that the inspector's JSON lists, in order of execution; of each at least its `Name`.

    Raises:
        EngineError: the text is no such JSON.
    """
    try:
        told = json.loads(text)
        layers = told["Layers"] if isinstance(told, dict) else told
        return [layer if isinstance(layer, dict) else {"Name": str(layer)} for layer in layers]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"tensorrt: the inspector's answer can't be read: {error!r}") from error


def layer_facts(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return how many layers there are, of which types, on the DLA, and with kernels for sparse weights.

    Types, DLA and sparse kernels are told of engines built with `detailed` only.
    """
    every = list(layers)
    detailed = [layer for layer in every if "LayerType" in layer]
    facts: dict[str, Any] = {"layers": len(every)}
    if detailed:
        facts["layer_types"] = dict(sorted(Counter(str(layer["LayerType"]) for layer in detailed).items()))
        facts["layers_on_dla"] = sum("dla" in str(layer["LayerType"]).lower() for layer in detailed)
        facts["sparse_layers"] = sum("sparse" in str(layer.get("TacticName", "")).lower() for layer in detailed)
    return facts


def said_facts(lines: Iterable[str]) -> dict[str, Any]:
    """Return what a builder said in passing: layers eligible for and given sparse kernels, layers by place."""
    facts: dict[str, Any] = {}
    for line in lines:
        if found := _SPARSITY.search(line):
            facts[f"sparse_{'eligible' if found[1] == 'Found' else 'chosen'}"] = int(found[2])
        elif found := _PLACED.search(line):
            facts.setdefault(_PLACES[found[1]], []).append(found[2].strip())
    return facts
