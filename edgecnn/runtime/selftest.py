"""A first sign of life from an engine: one ReLU, loaded and run through the same code that runs a bundle.

An engine that loads ONNX is given one; any other's file offers `probe` (`runtime/engine.py`), which gives its own.
"""

import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.core.errors import EdgecnnError, EngineError, MissingExtraError, line_of
from edgecnn.core.registry import known, resolve
from edgecnn.core.tensor import TensorSpec

if TYPE_CHECKING:
    from edgecnn.runtime.engine import Probe

# An ONNX file of one node, y = Relu(x), x and y float32 [1, 4], opset 13. Written out in bytes because the device side
# has no onnx package; tests/runtime/test_selftest.py makes the same bytes with it.
RELU_ONNX = bytes.fromhex(
    "08083a3f0a0c0a0178120179220452656c75120570726f62655a130a0178120e0a0c080112080a0208010a020804"
    "62130a0179120e0a0c080112080a0208010a02080442040a00100d"
)
INPUTS = (TensorSpec("x", (1, 4), "float32"),)
OUTPUTS = (TensorSpec("y", (1, 4), "float32"),)
LONGEST_S = 90.0
"""A driver that hangs must not hang what asks whether it works; building an engine on a small board takes a while."""
_LONGEST = 600
_ANSWER = "edgecnn-selftest "


def try_engine(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Load and run one ReLU in the engine `name` (any but `null`, which computes nothing) and return its version.

    `options` are the engine's, such as the unit it shall run on.

    Raises:
        MissingExtraError: the engine's package is not installed; the message gives the command.
        EngineError: the engine is there and does not work.
    """
    opener = resolve("engine", name)
    engine = opener(_files(name), INPUTS, OUTPUTS, {"threads": 1, **options})
    try:
        x = np.array([[-2.0, -0.5, 0.0, 3.5]], np.float32)
        y = engine.infer({"x": x})["y"]
        version = str(engine.facts().get("version", ""))
    finally:
        engine.close()
    if not np.array_equal(y, np.maximum(x, 0)):
        raise EngineError(f"{name} computes ReLU({x.tolist()}) as {y.tolist()}; reinstall it")
    return version


def try_engine_apart(name: str, longest_s: float = LONGEST_S, options: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Do what `try_engine` does in a process of its own, which a crash of the engine or its driver takes down alone.

    Raises:
        MissingExtraError: the engine's package is not installed; the message gives the command.
        EngineError: the engine is there and does not work, does not load, crashes, or gives no answer in `longest_s`.
    """
    code = f"from edgecnn.runtime.selftest import answer; answer({name!r}, {dict(options)!r})"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=longest_s)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{name}: no answer within {longest_s:g} s; its driver may hang") from error
    # An engine may print whatever it likes before and after.
    lines = done.stdout.decode(errors="replace").splitlines()
    found = next((line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)), None)
    if found is None:
        raise EngineError(f"{name}: took its process down ({_ending(done.returncode, done.stderr)}); reinstall it")
    said = json.loads(found)
    if "missing" in said:
        raise MissingExtraError(said["missing"])
    if "error" in said:
        raise EngineError(said["error"])
    return str(said["version"])


def answer(name: str, options: Mapping[str, Any]) -> None:
    """Print what `try_engine` says of the engine `name` as one marked line: the other half of `try_engine_apart`."""
    try:
        said = {"version": try_engine(name, options)}
    except MissingExtraError as error:
        said = {"missing": line_of(error, _LONGEST)}
    except EdgecnnError as error:
        said = {"error": line_of(error, _LONGEST)}
    except Exception as error:  # noqa: BLE001 - an engine of another package may raise anything
        # Mostly a wheel whose shared libraries this system lacks.
        said = {"error": f"does not load: {line_of(error)}"}
    sys.stdout.write(f"\n{_ANSWER}{json.dumps(said)}\n")
    sys.stdout.flush()


def _files(name: str) -> Mapping[str, bytes]:
    module = importlib.import_module(known("engine")[name].path.partition(":")[0])
    probe: Probe | None = vars(module).get("probe")
    return {"relu.onnx": RELU_ONNX} if probe is None else probe()


def _ending(code: int, stderr: bytes) -> str:
    if code < 0:
        return signal.Signals(-code).name
    last = stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"exit code {code}" + (f": {last[0][:200]}" if last else "")
