"""One cell of the target table in a process of its own: quantize, compile, open, run. What crashes is a row."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.errors import EdgecnnError
from edgecnn.core.registry import TARGETS, import_entry, resolve

GRAPH, OWN, OURS = "graph", "own", "edgecnn"
"""Who quantizes: edgecnn and the target computes; edgecnn and the graph is computed as written; the engine."""
THREADS = 1
LAST_WORDS = 200
APART = get_context("forkserver")
APART.set_forkserver_preload(["targets_cell", "torch"])


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A cell.

    Attributes:
        model: float ONNX file, prepared.
        calibration, held_out: .npz files with arrays [N, ...] by input name.
        target: by the registry's name.
        precision: fp32 or int8.
        maker: who quantizes.
        seconds: for learning the rounding; 0 for none, with least squares ranges.
        place: an empty folder for the cell.
    """

    model: str
    calibration: str
    held_out: str
    target: str
    precision: str
    maker: str
    seconds: float
    place: str

    @property
    def outputs(self) -> Path:
        """Where the outputs lie, [M, ...] by name."""
        return Path(self.place) / "outputs.npz"


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """What came of a cell: `error` in one line or empty, how many nodes are in INT8, seconds to make it, its size."""

    error: str = ""
    int8_nodes: int = 0
    seconds: float = 0.0
    kib: float = 0.0


def run_apart(job: Job, timeout_s: float) -> Ran:
    """Run the cell in a process of its own, which may crash or hang."""
    place = Path(job.place)
    place.mkdir(parents=True, exist_ok=True)
    record = place / "ran.json"
    # A process of the fork server has the imports, which cost most of a cell, and none of the threads.
    process = APART.Process(target=_child, args=(job, record))
    process.start()
    process.join(timeout_s)
    if process.is_alive():
        process.kill()
        process.join()
        return Ran(f"not done after {timeout_s:.0f} s")
    if process.exitcode or not record.is_file():
        told = (place / "stderr.txt").read_text(errors="replace").strip().splitlines()
        return Ran(f"its process ended with {process.exitcode}: {told[-1][:LAST_WORDS] if told else 'no word'}")
    return Ran(**json.loads(record.read_text()))


def _child(job: Job, record: Path) -> None:
    with (Path(job.place) / "stderr.txt").open("w") as said:
        os.dup2(said.fileno(), sys.stderr.fileno())
        try:
            ran = work(job)
        except EdgecnnError as error:
            ran = Ran(str(error))
        record.write_text(json.dumps(dataclasses.asdict(ran)))


def feeds_of(file: str) -> list[dict[str, NDArray[Any]]]:
    """Return the frames of an .npz file."""
    with np.load(file) as stored:
        arrays = dict(stored)
    count = len(next(iter(arrays.values())))
    return [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(count)]


def work(job: Job) -> Ran:
    """Do what the job says in this process."""
    start = time.perf_counter()
    model, nodes = onnx.load(job.model), 0
    place = Path(job.place)
    called: dict[str, str] = {}
    if job.maker == OWN:
        import targets_own  # noqa: PLC0415 - brings every quantizer there is

        files, (inputs, outputs) = targets_own.quantized(job, feeds_of(job.calibration)), tensor_specs(model)
        called = targets_own.output_names(job, files, [spec.name for spec in outputs])
        specs = inputs, tuple(msgspec.structs.replace(spec, name=called[spec.name]) for spec in outputs)
    else:
        if job.precision == "int8":
            model, nodes = _rounded_once(job, model)
        source = place / "source.onnx"
        onnx.save(model, source)
        specs = tensor_specs(model)
        files = {source.name: source.read_bytes()} if job.maker == GRAPH else _compiled(job, source)
    took = time.perf_counter() - start
    engine = _open(job, files, specs)
    answers = [engine.infer(feeds) for feeds in feeds_of(job.held_out)]
    names = {theirs: ours for ours, theirs in called.items()}
    stacked = {names.get(name, name): np.concatenate([one[name] for one in answers]) for name in answers[0]}
    np.savez(job.outputs, **stacked)
    engine.close()
    return Ran("", nodes, round(took, 1), round(sum(map(len, files.values())) / 1024, 1))


def _rounded_once(job: Job, model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """Quantize, or take what another cell of the same scheme left beside this one."""
    scheme = TARGETS[job.target].scheme
    kept = Path(job.place).parent / f"{scheme}{'-learned' if job.seconds else ''}.onnx"
    if not kept.is_file():
        rounded, count = _rounded(job, model)
        rounded.doc_string = str(count)
        temporary = kept.with_suffix(".tmp")
        onnx.save(rounded, temporary)
        temporary.replace(kept)
    found = onnx.load(kept)
    return found, int(found.doc_string)


def _rounded(job: Job, model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    scheme = resolve("scheme", TARGETS[job.target].scheme)
    learned = job.seconds > 0
    settings = Settings("auto" if learned else "mse", threads=THREADS, correct=learned, seconds=job.seconds or 1.0)
    rounded, report = quantize(model, scheme, feeds_of(job.calibration), settings)
    return rounded, len(report.quantized)


def _compiled(job: Job, source: Path) -> dict[str, bytes]:
    compile_model = import_entry(TARGETS[job.target].compiler, f"target '{job.target}'")
    made = compile_model(source, Path(job.place) / "artefact", job.precision)
    return {file.name: file.read_bytes() for file in made.files}


def _open(job: Job, files: Mapping[str, bytes], specs: tuple[Any, Any]) -> Any:
    if job.maker == GRAPH:
        # Q and DQ in float, as the graph has them: what any engine's INT8 is measured against.
        return resolve("engine", "onnxruntime")(files, *specs, {"threads": THREADS, "integer_kernels": False})
    row = TARGETS[job.target]
    return resolve("engine", row.engine)(files, *specs, {"threads": THREADS, **row.options})
