"""Plain tables from a name to where its code lives. Nothing is imported until a name is asked for.

Other packages add rows through entry points in the groups `edgecnn.engines`, `edgecnn.targets`, `edgecnn.metrics`, ...
"""

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, final

from edgecnn.core.errors import InputError, MissingExtraError

MOST_NAMES = 16


class Entry(NamedTuple):
    """Where a thing lives (`package.module:attribute`) and the extra of edgecnn that brings what it imports."""

    path: str
    extra: str = ""


class Task(NamedTuple):
    """Where each part of a task lives; every field but `figure` is a name in the table of the same kind.

    `figure` is the key of the metric's totals that gates and reports speak of. A part the task has not got is empty:
    `tensors`, what a network of unknown meaning gives, can be run and compared with FP32, not trained or drawn.
    """

    codec: str
    model: str
    loss: str
    metric: str
    figure: str
    drawing: str


class Target(NamedTuple):
    """An engine to compile for.

    Attributes:
        compiler: makes the engine's files of an ONNX file (`compile/compiled.py`).
        engine: runs them.
        scheme: how it is quantized; empty where it has no INT8 of ours.
        opset: the newest ONNX opset it reads.
        options: what the engine has to be told to run on the unit that this target is for.
        arch: the machine it is for (`x86_64`, `aarch64`); empty where any will do.
        fp16: how FP16 comes about: the `compiler` halves an FP32 file, or is given a `graph` of FP16; empty where the
            engine would compute in FP32 all the same.
    """

    compiler: Entry
    engine: str
    scheme: str
    opset: int
    options: Mapping[str, Any] = MappingProxyType({})
    arch: str = ""
    fp16: Literal["", "compiler", "graph"] = ""


@final
class Targets(MutableMapping[str, Target]):
    """Our rows, then those that other packages add by entry points of `edgecnn.targets`, each naming a `Target`.

    Theirs are looked for when a name is not ours, or when all are listed; none of them is imported before it is used.
    """

    def __init__(self, ours: Mapping[str, Target]) -> None:
        self._ours = dict(ours)

    def __getitem__(self, name: str) -> Target:
        """Return the row, or raise `KeyError`."""
        if name in self._ours:
            return self._ours[name]
        entry = _plugins("target")[name]
        found = import_entry(entry, f"target '{name}'")
        if not isinstance(found, Target):
            raise InputError(f"target '{name}': '{entry.path}' is no edgecnn.core.registry.Target")
        return found

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a row, without importing it."""
        return name in self._ours or name in _plugins("target")

    def __setitem__(self, name: str, row: Target) -> None:
        self._ours[name] = row

    def __delitem__(self, name: str) -> None:
        del self._ours[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._ours
        yield from (name for name in _plugins("target") if name not in self._ours)

    def __len__(self) -> int:
        return sum(1 for _ in self)


TASKS: dict[str, Task] = {
    "lanes": Task("lane_rows", "lane_rows", "lane_rows", "tusimple", "accuracy", "lanes"),
    "drive": Task("drive", "drive", "drive", "scene", "figure", "scene"),
    "pedestrians": Task("centres", "centre_ped", "centres", "people", "ap50", "objects"),
    "tensors": Task("tensors", "", "", "", "agreement", ""),
}
ENGINES: dict[str, Entry] = {
    "openvino": Entry("edgecnn.runtime.engines.openvino:open_engine", "openvino"),
    "onnxruntime": Entry("edgecnn.runtime.engines.onnxruntime:open_engine", "onnxruntime"),
    **{
        f"onnxruntime-{provider}": Entry(f"edgecnn.runtime.engines.onnxruntime:open_{provider}", "onnxruntime")
        for provider in ("tensorrt", "cuda", "openvino", "xnnpack", "qnn", "coreml")
    },
    "ncnn": Entry("edgecnn.runtime.engines.ncnn:open_engine", "ncnn"),
    "litert": Entry("edgecnn.runtime.engines.litert:open_engine", "litert"),
    "executorch": Entry("edgecnn.runtime.engines.executorch:open_engine", "executorch"),
    "tensorrt": Entry("edgecnn.runtime.engines.tensorrt:open_engine", "tensorrt"),
    "coreml": Entry("edgecnn.runtime.engines.coreml:open_engine", "coreml"),
    "null": Entry("edgecnn.runtime.engines.null:open_engine"),
}
HALVER = Entry("edgecnn.compress.quantize.half:to_half", "quantize")
"""Makes a graph of FP16 of one of FP32."""
BUILDERS: dict[str, Entry] = {"tensorrt": Entry("edgecnn.compile.tensorrt.build:build_plan", "tensorrt")}
"""By engine: what makes, on the device itself, the files that only this device loads."""
_OPENVINO = Entry("edgecnn.compile.openvino_from_onnx:compile_model", "openvino")
_ONNXRUNTIME = Entry("edgecnn.compile.onnxruntime_from_onnx:compile_model", "onnxruntime")
_TENSORRT: tuple[tuple[str, int, int, Literal["compiler", "graph"]], ...] = (
    ("tensorrt", 10, 20, "graph"),
    ("tensorrt_8", 8, 17, "compiler"),
    ("tensorrt_10", 10, 20, "graph"),
    # Its parser reads opset 25; nothing that edgecnn exports needs more than 20.
    ("tensorrt_11", 11, 20, "graph"),
)
_TARGETS: dict[str, Target] = {
    "openvino": Target(_OPENVINO, "openvino", "openvino_cpu", 20, fp16="compiler"),
    "onnxruntime": Target(_ONNXRUNTIME, "onnxruntime", "onnxruntime_x86", 20),
    "openvino_gpu": Target(_OPENVINO, "openvino", "openvino_gpu", 20, {"device": "GPU"}, fp16="compiler"),
    "openvino_npu": Target(_OPENVINO, "openvino", "openvino_npu", 20, {"device": "NPU"}, fp16="compiler"),
    "openvino-blob": Target(
        Entry("edgecnn.compile.openvino_blob_from_onnx:compile_model", "openvino"), "openvino", "openvino_cpu", 20
    ),
    "onnxruntime_avx2": Target(_ONNXRUNTIME, "onnxruntime", "onnxruntime_avx2", 20, arch="x86_64"),
    "onnxruntime_arm": Target(_ONNXRUNTIME, "onnxruntime", "onnxruntime_arm", 20, arch="aarch64"),
    "onnxruntime-mobile": Target(
        Entry("edgecnn.compile.onnxruntime_mobile_from_onnx:compile_model", "onnxruntime"),
        "onnxruntime",
        "onnxruntime_arm",
        20,
    ),
    **{
        name: Target(
            Entry(f"edgecnn.compile.tensorrt.from_onnx:compile_for_{version}", "quantize"),
            "tensorrt",
            f"tensorrt_{version}",
            opset,
            fp16=fp16,
        )
        for name, version, opset, fp16 in _TENSORRT
    },
    "onnxruntime-openvino": Target(_ONNXRUNTIME, "onnxruntime-openvino", "openvino_cpu", 20),
    "onnxruntime-xnnpack": Target(_ONNXRUNTIME, "onnxruntime-xnnpack", "xnnpack", 20),
    "onnxruntime-qnn": Target(_ONNXRUNTIME, "onnxruntime-qnn", "qnn", 20),
    "onnxruntime-tensorrt": Target(_ONNXRUNTIME, "onnxruntime-tensorrt", "tensorrt_8", 17),
    "onnxruntime-cuda": Target(
        Entry("edgecnn.compile.onnxruntime_float_from_onnx:compile_for_cuda", "onnxruntime"),
        "onnxruntime-cuda",
        "",
        20,
        fp16="graph",
    ),
    "onnxruntime-coreml": Target(
        Entry("edgecnn.compile.onnxruntime_float_from_onnx:compile_for_coreml", "onnxruntime"),
        "onnxruntime-coreml",
        "",
        20,
    ),
    "ncnn": Target(Entry("edgecnn.compile.ncnn_from_onnx:compile_model", "ncnn"), "ncnn", "ncnn", 20, fp16="compiler"),
    "executorch": Target(
        Entry("edgecnn.export.executorch_from_onnx:compile_model", "executorch"), "executorch", "executorch", 20
    ),
    "litert": Target(
        Entry("edgecnn.compile.litert_from_onnx:compile_model", "litert"), "litert", "litert", 20, fp16="compiler"
    ),
    "coreml": Target(
        Entry("edgecnn.compile.coreml_from_onnx:compile_model", "coreml"), "coreml", "coreml", 20, fp16="compiler"
    ),
}
TARGETS = Targets(_TARGETS)
CODECS: dict[str, Entry] = {
    "centres": Entry("edgecnn.runtime.codecs.centres:CentresCodec"),
    "drive": Entry("edgecnn.runtime.codecs.drive:DriveCodec"),
    "lane_rows": Entry("edgecnn.runtime.codecs.lane_rows:LaneRowsCodec"),
    "tensors": Entry("edgecnn.runtime.codecs.tensors:TensorsCodec"),
}
DRAWINGS: dict[str, Entry] = {
    name: Entry(f"edgecnn.runtime.drawing.{name}:draw") for name in ("lanes", "objects", "scene")
}
METRICS: dict[str, Entry] = {
    "bdd_boundary": Entry("edgecnn.metrics.bdd_lane:BddBoundary"),
    "bdd_mask": Entry("edgecnn.metrics.bdd_lane:BddMask"),
    "coco": Entry("edgecnn.metrics.coco:Coco"),
    "culane": Entry("edgecnn.metrics.culane:CULane"),
    "kitti": Entry("edgecnn.metrics.kitti:Kitti"),
    "miss_rate": Entry("edgecnn.metrics.miss_rate:MissRate"),
    "people": Entry("edgecnn.metrics.people:People"),
    "scene": Entry("edgecnn.metrics.scene:SceneMetric"),
    "tusimple": Entry("edgecnn.metrics.tusimple:TuSimple"),
}
FORMATS: dict[str, Entry] = {
    "bdd100k": Entry("edgecnn.data.formats.bdd100k:FORMAT"),
    "culane": Entry("edgecnn.data.formats.culane:FORMAT"),
    "llamas": Entry("edgecnn.data.formats.llamas:FORMAT"),
    "caltech": Entry("edgecnn.data.formats.caltech:FORMAT", "formats"),
    "citypersons": Entry("edgecnn.data.formats.citypersons:FORMAT"),
    "citypersons_mat": Entry("edgecnn.data.formats.citypersons_mat:FORMAT", "formats"),
    "coco": Entry("edgecnn.data.formats.coco:FORMAT", "formats"),
    "kitti": Entry("edgecnn.data.formats.kitti:FORMAT"),
    "pascal_text": Entry("edgecnn.data.formats.pascal_text:FORMAT"),
    "scenes": Entry("edgecnn.data.formats.scenes:FORMAT"),
    "tusimple": Entry("edgecnn.data.formats.tusimple:FORMAT"),
    "voc": Entry("edgecnn.data.formats.voc:FORMAT"),
}
MODELS: dict[str, Entry] = {
    "centre_ped": Entry("edgecnn.models.centre_ped:build", "train"),
    "drive": Entry("edgecnn.models.drive:build", "train"),
    "lane_rows": Entry("edgecnn.models.lane_rows:build", "train"),
    "ufld": Entry("edgecnn.models.ufld:build", "train"),
}
LOSSES: dict[str, Entry] = {
    "centres": Entry("edgecnn.train.losses.centres:loss", "train"),
    "drive": Entry("edgecnn.train.losses.drive:loss", "train"),
    "lane_rows": Entry("edgecnn.train.losses.lane_rows:loss", "train"),
}
SCHEMES: dict[str, Entry] = {
    name: Entry(f"edgecnn.compress.quantize.schemes.{name}:SCHEME", "quantize")
    for name in (
        "openvino_cpu",
        "openvino_gpu",
        "openvino_npu",
        "onnxruntime_x86",
        "onnxruntime_avx2",
        "onnxruntime_arm",
        "xnnpack",
        "tensorrt_8",
        "tensorrt_10",
        "tensorrt_11",
        "qnn",
        "coreml",
        "ncnn",
        "litert",
        "executorch",
    )
}

CRITERIA: dict[str, Entry] = {
    name: Entry(f"edgecnn.compress.prune.criteria.{name}:importance", "compress")
    for name in ("l1", "l2", "bn_scale", "taylor", "geometric_median", "fisher")
}

GROUPS = {
    "engine": ENGINES,
    "codec": CODECS,
    "drawing": DRAWINGS,
    "metric": METRICS,
    "format": FORMATS,
    "model": MODELS,
    "loss": LOSSES,
    "scheme": SCHEMES,
    "criterion": CRITERIA,
}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'? known: ...)`, to end an error about an unknown name.

    Of a long list only the closest names are told.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    if len(known) > MOST_NAMES:
        closest = difflib.get_close_matches(name, known, n=MOST_NAMES, cutoff=0.0)
        return f" ({hint}closest of {len(known)}: {', '.join(sorted(closest))})"
    return f" ({hint}known: {', '.join(known)})"


def choose(kind: str, table: Mapping[str, Any], name: str) -> Any:
    """Return the row of `table` called `name`, or raise `InputError` that names the nearest one."""
    if name not in table:
        raise InputError(f"unknown {kind} '{name}'{nearest(name, table)}")
    return table[name]


def known(kind: str) -> dict[str, Entry]:
    """Return the rows of `kind` (`engine`, `codec`, `metric`, ...), those of other packages included; ours win."""
    return {**_plugins(kind), **GROUPS[kind]}


def resolve(kind: str, name: str) -> Any:
    """Import and return what `name` stands for in the table of `kind`."""
    # Other packages' rows are read only for a name that is not ours: finding them costs more than most imports.
    table = GROUPS[kind] if name in GROUPS[kind] else known(kind)
    return import_entry(choose(kind, table, name), f"{kind} '{name}'")


def import_entry(entry: Entry, what: str) -> Any:
    """Import `entry`; a package that is not installed becomes `MissingExtraError` with the command that brings it."""
    module, _, attribute = entry.path.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "edgecnn":
            raise
        hint = f"pip install 'edgecnn[{entry.extra}]'" if entry.extra else f"pip install {error.name}"
        raise MissingExtraError(f"{what} needs the package '{error.name}', which is not installed: {hint}") from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise InputError(f"{what} should be '{entry.path}', but that module has no '{attribute}'") from error


def _plugins(kind: str) -> dict[str, Entry]:
    from importlib import metadata  # noqa: PLC0415 - a fifth of what loading a bundle imports, and rarely needed

    return {point.name: Entry(point.value) for point in metadata.entry_points(group=f"edgecnn.{kind}s")}
