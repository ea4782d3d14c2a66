"""Core ML, Apple's own engine: on macOS alone, by way of coremltools."""

import base64
import io
import platform
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Final, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.registry import Entry, import_entry
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import check_options, check_tensors, one_line, one_of, positive, still_open

_UNITS = {"all": "ALL", "cpu": "CPU_ONLY", "cpu_and_gpu": "CPU_AND_GPU", "cpu_and_npu": "CPU_AND_NE"}
_OPTIONS = {
    # Core ML has no such setting; whoever times engines alike gives it all the same.
    "threads": (positive, "a whole number above 0"),
    "units": (one_of(*_UNITS), ", ".join(_UNITS)),
}
# A zipped package of y = Relu(x), deflated: the device side has nothing that could make one.
_RELU = (
    "eNqdU89v0zAUjtMsy97QVszQRiVE54GQBk2zTWUrNwRMmsakCiTG1U2dzZDEUeJOVKPSjty4cUNCPXPiH+CIxIm/gzt37DTduqn8"
    "EI5sx37f+9777OfWbslaMIZt2Si/Wfhim4ah+4baiUSHhW4UJtR/RQ9Y/RGVtO6LyKVJEjL3oUjZ3pP6CJXPjoPfIpgH9LoCqw6Y"
    "yCp/PLGeqo3e+MbA9gf2OqxosgMuD7vtgtNXnFEohQgzNxPd1Gd4NuIhjyVLYxoO7Dtw849ORyzNuIhxqel6n2/8NB2EvyOwIspj"
    "/BXBosoMYyg7s2WzYoEy56OFp4dqNisDBKN//B5hlfc2WCkLuxi07xSUtLglMI/WJxGtLoEV04jhMtZrs+KATSyNruyAwzssllz2"
    "8KzmsmFoUEn1JnItFlzzBdc0TBEVvkc+IJhpd3nY2YkDgd8hPEcuQY4pkH1yDPdguVhdg0VyFa6MnVNtdE6XC8gMTBOlTZ0aPIB6"
    "sXkbbpEVWB73U4efiFipqI1dC54rHJQiYoLROldWjQb79gIZhu7XJ5TVHo15wDLpvsxEfAzVKgl4yLZFGlH5fJgmuV8la67neuSu"
    "tnPJIq38cSxTzjJl1W7KsOZ5WxvMX6vR5harNYLNZo16rFFrbgRem/qs3Ww3T9EKT7vyUKSa/WJZ54FyTIdlfsoTWaQxNFf3tIjq"
    "s4T5POA+za2nLvrSNPbc0zgzJ1QeTop5/imRHN5XYz8XnQoh86g7eREFnOWJ/5Nk6Ld2kblQ+v1bH7UTZPzfy78Y4OKtnwXYN/9S"
    "A63dKVtDTfV9UvOPkl79AhGUGZI="
)
_PACKAGE = "model.mlpackage"
_NAMES = "coreml.json"


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Core ML calls each tensor, and the float type that it computes in."""

    names: dict[str, str]
    float: str


@final
class CoreMlEngine:
    """A model in Core ML. Calls take turns: Core ML makes no promise of the same model in several threads."""

    def __init__(
        self,
        model: Any,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        names: Names,
        facts: dict[str, Any],
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        self.name: Final = "coreml"
        self.inputs = inputs
        self.outputs = outputs
        self._model: Any | None = model
        self._names = names.names
        self._facts = facts
        self._folder = folder
        self._lock = threading.Lock()

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: Core ML failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        # Core ML takes no bytes: pixels go in as float32.
        given = {self._names[name]: np.ascontiguousarray(feed, np.float32) for name, feed in feeds.items()}
        with self._lock:
            model = still_open(self.name, self._model)
            try:
                found = model.predict(given)
            except RuntimeError as error:
                raise EngineError(f"coreml: {one_line(error)}") from error
        return {
            spec.name: np.array(found[self._names[spec.name]]).astype(spec.dtype).reshape(spec.shape)
            for spec in self.outputs
        }

    def facts(self) -> dict[str, Any]:
        """Return version, the compute units that Core ML may use, and the float type of what is not INT8."""
        still_open(self.name, self._model)
        return {"engine": self.name, **self._facts}

    def close(self) -> None:
        """Give back the model and its files."""
        with self._lock:
            self._model = None
            self._folder.cleanup()


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> CoreMlEngine:
    """Load a zipped `.mlpackage`, which comes first in `files`, with its `coreml.json`.

    Options: `units` (all, cpu, cpu_and_gpu or cpu_and_npu; default all) and `threads`, which means nothing here.

    Raises:
        InputError: an option that is not known.
        EngineError: this is no macOS, or Core ML refused the model.
    """
    check_options("coreml", options, _OPTIONS)
    if platform.system() != "Darwin":
        raise EngineError("coreml runs on macOS and iOS alone; here use another artefact, or verify this one on a Mac")
    units = _UNITS[options.get("units", "all")]
    what = "engine 'coreml'"
    model_class = import_entry(Entry("coremltools.models:MLModel", "coreml"), what)
    compute_unit = getattr(import_entry(Entry("coremltools:ComputeUnit", "coreml"), what), units)
    folder = tempfile.TemporaryDirectory(prefix="edgecnn-coreml-")
    try:
        names = _unpack(files, Path(folder.name))
        model = model_class(str(Path(folder.name) / _PACKAGE), compute_units=compute_unit)
        _check(model.get_spec(), inputs, outputs, names)
    except EngineError:
        folder.cleanup()
        raise
    except Exception as error:
        folder.cleanup()
        raise EngineError(f"coreml refused the network: {one_line(error)}") from error
    facts = {"version": version("coremltools"), "device": units, "threads": None, "precision": names.float}
    return CoreMlEngine(model, inputs, outputs, names, facts, folder)


def probe() -> dict[str, bytes]:
    """Return the files of y = Relu(x), x and y float32 [1, 4]."""
    names = Names({"x": "x", "y": "y"}, "float32")
    return {"model.mlpackage.zip": zlib.decompress(base64.b64decode(_RELU)), _NAMES: msgspec.json.encode(names)}


def _unpack(files: Mapping[str, bytes], folder: Path) -> Names:
    """Write the package's files below `folder` and return what Core ML calls the tensors."""
    try:
        names = msgspec.json.decode(files[_NAMES], type=Names)
        archive = zipfile.ZipFile(io.BytesIO(next(iter(files.values()))))
    except (KeyError, msgspec.DecodeError, zipfile.BadZipFile) as error:
        raise EngineError(f"coreml: the package or its {_NAMES} is damaged: {one_line(error)}") from error
    for name in archive.namelist():
        parts = PurePosixPath(name).parts
        if parts[0] != _PACKAGE or ".." in parts:
            raise EngineError(f"coreml: the package holds '{name}', which lies outside of {_PACKAGE}")
        place = folder.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(archive.read(name))
    return names


def _check(spec: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], names: Names) -> None:
    """Raise `EngineError` unless the model's tensors are those the manifest lists; Core ML's types are its own."""
    for role, specs, found in (("input", inputs, spec.description.input), ("output", outputs, spec.description.output)):
        called = {feature: name for name, feature in names.names.items()}
        have = {called.get(one.name, one.name): tuple(one.type.multiArrayType.shape) for one in found}
        given = {one.name: one for one in specs}
        # Core ML may leave a result's shape open.
        shapes = {name: list(shape or given[name].shape) if name in given else [] for name, shape in have.items()}
        check_tensors("coreml", role, specs, {n: (s, given[n].dtype if n in given else "") for n, s in shapes.items()})
