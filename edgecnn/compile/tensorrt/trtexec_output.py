"""What trtexec prints and writes: its summary, and the JSON of each query's times, of layers and of outputs."""

import json
import math
import re
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError

_NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_THROUGHPUT = re.compile(rf"Throughput: {_NUMBER} qps")
_METRIC = re.compile(
    r"(Latency|Enqueue Time|H2D Latency|GPU Compute Time|D2H Latency|End-to-End Host Latency): (min = .*)"
)
_PAIR = re.compile(rf"(min|max|mean|median|percentile\({_NUMBER}%\)) = {_NUMBER} ms")
_WALL = re.compile(rf"(Total Host Walltime|Total GPU Compute Time): {_NUMBER} s")
_WARNING = re.compile(r"\[W\] (\* .*)")
_ERROR = re.compile(r"\[E\] (?:\[TRT\] )?(.*)")


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the summary, in milliseconds; `percentiles` by per cent."""

    min: float
    max: float
    mean: float
    median: float
    percentiles: dict[float, float] = {}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """trtexec's performance summary.

    Attributes:
        throughput_qps: queries a second; a batch is one query.
        metrics: `Latency`, `Enqueue Time`, `H2D Latency`, `GPU Compute Time`, `D2H Latency`, as far as printed.
        wall_s: host time of all timed queries.
        warnings: what trtexec says of the measurement itself, such as a GPU clock that is not stable.
    """

    throughput_qps: float
    metrics: dict[str, Spread]
    wall_s: float
    warnings: tuple[str, ...] = ()


def summary_of(text: str) -> Summary:
    """Return the summary that stands in what trtexec printed.

    Raises:
        EngineError: there is none; the error carries trtexec's own errors.
    """
    throughput = _THROUGHPUT.search(text)
    metrics = {found[1]: _spread(found[2]) for found in _METRIC.finditer(text)}
    walls = {found[1]: float(found[2]) for found in _WALL.finditer(text)}
    if throughput is None or "GPU Compute Time" not in metrics:
        raise EngineError(f"tensorrt: trtexec printed no summary: {errors_of(text)}")
    return Summary(
        throughput_qps=float(throughput[1]),
        metrics=metrics,
        wall_s=walls.get("Total Host Walltime", math.nan),
        warnings=tuple(dict.fromkeys(found[1].strip() for found in _WARNING.finditer(text))),
    )


def errors_of(text: str) -> str:
    """Return trtexec's errors as one line; its last line where it named none."""
    errors = dict.fromkeys(found[1].strip() for found in _ERROR.finditer(text) if found[1].strip())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(errors)[:400] if errors else (lines[-1][:400] if lines else "it printed nothing")


def times_of(text: str) -> dict[str, NDArray[np.float64]]:
    """Return each query's times by name (`latencyMs`, `computeMs`, `h2dMs`, `d2hMs`, ...), float64 [queries].

    Raises:
        EngineError: it is not what `--exportTimes` writes.
    """
    rows = _rows(text, "times")
    names = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    if "computeMs" not in names:
        raise EngineError("tensorrt: trtexec's times hold no query with a 'computeMs'")
    return {name: np.array([float(row[name]) for row in rows]) for name in names}


def profile_of(text: str) -> tuple[int, dict[str, float]]:
    """Return over how many inferences layers were timed, and each layer's mean in milliseconds, in order of execution.

    Raises:
        EngineError: it is not what `--exportProfile` writes.
    """
    rows = _rows(text, "profile")
    counts = [row["count"] for row in rows if "count" in row]
    layers = {str(row["name"]): float(row["averageMs"]) for row in rows if "name" in row and "averageMs" in row}
    if len(counts) != 1 or not layers:
        raise EngineError("tensorrt: trtexec's profile holds no count of inferences or no layers")
    return int(counts[0]), layers


def outputs_of(text: str) -> dict[str, NDArray[np.float64]]:
    """Return the outputs by name, in their shapes, as decimals of about six digits.

    Raises:
        EngineError: it is not what `--exportOutput` writes.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for row in _rows(text, "outputs"):
        try:
            shape = tuple(int(size) for size in re.findall(r"\d+", str(row["dimensions"])))
            found[str(row["name"])] = np.array(row["values"], np.float64).reshape(shape)
        except (KeyError, ValueError, TypeError) as error:
            raise EngineError(f"tensorrt: an output of trtexec can't be read: {error!r}") from error
    return found


def _rows(text: str, what: str) -> list[dict[str, Any]]:
    try:
        # Python's reader takes `nan` and `inf` only as NaN and Infinity; C++ prints them in small letters.
        rows = json.loads(re.sub(r"(?<=[\s\[,:])(-?)(nan|inf)(?=[\s\],}])", _named, text))
    except ValueError as error:
        raise EngineError(f"tensorrt: trtexec's {what} are no JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise EngineError(f"tensorrt: trtexec's {what} are no list of records")
    return rows


def _named(found: re.Match[str]) -> str:
    return "NaN" if found[2] == "nan" else f"{found[1]}Infinity"


def _spread(text: str) -> Spread:
    told = {found[1]: (found[2], float(found[3])) for found in _PAIR.finditer(text)}
    plain = {name: told[name][1] if name in told else math.nan for name in ("min", "max", "mean", "median")}
    percentiles = {float(part): value for part, value in told.values() if part}
    return Spread(**plain, percentiles=percentiles)
