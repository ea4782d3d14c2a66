"""Every model on every engine that runs here, in one table: `python benchmarks/targets.py [--work DIR] [--out FILE]`.

Each cell is a process of its own: the float ONNX file is quantized for the target (INT8), compiled, opened and run on
held-out frames. "Error" and "agreement" are against FP32 in ONNX Runtime; "engine" is how far the target lies from the
very graph it was given, Q and DQ computed as they are written. Errors are ||a - b|| / ||b|| of the worst output.
Tolerances: FP32 within 0.001 of the reference; INT8 no further from its graph than that graph is from FP32 (or 0.02),
or itself no further from FP32 than that.

With `--own` each INT8 artefact is also set beside the engine's own quantizer's: same frames, same judge, same engine.

`--bundle NAME=BUNDLE --labels NAME=DATASET [--format NAME=FORMAT]` takes the FP32 network of a bundle and judges it by
its task's figure; `--model NAME=FILE --calib NAME=FOLDER_OR_VIDEO` takes an ONNX file. With `--work` a stopped run goes
on where it was.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from quantization_measure import Accuracy, accuracy
from quantization_pairs import pair
from quantization_subjects import Subject
from targets_cell import GRAPH, OURS, OWN, Job, Ran, run_apart
from targets_subjects import FAMILIES, OPSET, RECIPES, subjects
from targets_table import Cell, Rival, rivals_table, summary, table

from edgecnn.core.errors import EdgecnnError
from edgecnn.core.registry import TARGETS
from edgecnn.export.prepare import prepare

ENGINES = ("onnxruntime", "openvino", "ncnn", "executorch", "litert")
FLOAT_TOLERANCE, LEAST_TOLERANCE = 1e-3, 0.02

Outputs = list[dict[str, NDArray[Any]]]


class Bench:
    """A model and the folder of its cells."""

    def __init__(self, subject: Subject, folder: Path, options: argparse.Namespace) -> None:
        self._subject, self._options = subject, options
        self._folder = folder / subject.name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held_out = self._folder / "held-out.npz"
        self._model = self._folder / "model.onnx"
        model = prepare(onnx.load(subject.model), opset=OPSET).model
        onnx.save(model, self._model)
        np.savez(self._held_out, **{model.graph.input[0].name: subject.held_out})
        self._reference = self.outputs("onnxruntime", "fp32", GRAPH)[1]

    def cell(self, target: str, precision: str) -> Cell:
        """Return the target's row in a precision."""
        name = self._subject.name
        ran, got = self.outputs(target, precision, OURS)
        if got is None or self._reference is None:
            return Cell(name, target, precision, ran.error or "no reference")
        found, tolerance, apart = self._accuracy(got), FLOAT_TOLERANCE, None
        if precision == "int8":
            _, graph = self.outputs(target, precision, GRAPH)
            if graph is not None:
                apart = accuracy(graph, got, None).rel_error
                tolerance = max(LEAST_TOLERANCE, accuracy(self._reference, graph, None).rel_error)
        within = min(found.rel_error, apart if apart is not None else found.rel_error) <= tolerance
        return Cell(
            name,
            target,
            precision,
            error=found.rel_error,
            agreement=found.agreement,
            apart=apart,
            tolerance=tolerance,
            within=within,
            int8_nodes=ran.int8_nodes,
            kib=ran.kib,
            seconds=ran.seconds,
        )

    def rival(self, target: str) -> Rival:
        """Return the target's INT8, its rounding learned, beside that of the engine's own quantizer."""
        name, learn = self._subject.name, self._options.learn
        (ran, ours), (own_ran, own) = self.outputs(target, "int8", OURS, learn), self.outputs(target, "int8", OWN)
        if ours is None or own is None or self._reference is None:
            told = [f"edgecnn: {ran.error}"] if ran.error else []
            return Rival(name, target, "; ".join([*told, f"own quantizer: {own_ran.error}"] if own_ran.error else told))
        truth = self._subject.truth
        return Rival(
            name,
            target,
            ours=self._accuracy(ours).lost,
            own=self._accuracy(own).lost,
            worse=accuracy(own, ours, truth).lost if truth is not None else None,
            figure=truth.task if truth is not None else "agreement",
        )

    def outputs(self, target: str, precision: str, maker: str, seconds: float = 0.0) -> tuple[Ran, Outputs | None]:
        """Return what became of a cell and its outputs; those of an earlier run where they lie there."""
        name = "-".join([target, precision, maker, *(["learned"] if seconds else [])])
        place = self._folder / name
        job = Job(
            str(self._model),
            str(self._subject.calibration),
            str(self._held_out),
            target,
            precision,
            maker,
            seconds,
            str(place),
        )
        record = place / "ran.json"
        if record.is_file():
            ran = Ran(**json.loads(record.read_text()))
        else:
            print(f"{self._subject.name}: {name} ...", file=sys.stderr, flush=True)
            ran = run_apart(job, self._options.timeout)
            record.write_text(json.dumps(dataclasses.asdict(ran)))
        if ran.error:
            return ran, None
        with np.load(job.outputs) as stored:
            arrays = dict(stored)
        count = len(self._subject.held_out)
        return ran, [{key: each[i : i + 1] for key, each in arrays.items()} for i in range(count)]

    def _accuracy(self, got: Outputs) -> Accuracy:
        assert self._reference is not None  # noqa: S101 - asked for where there is one
        return accuracy(self._reference, got, self._subject.truth)


def run(options: argparse.Namespace, folder: Path) -> Iterator[Cell | Rival]:
    """Yield the rows, a model after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject in subjects(options, folder):
        try:
            bench = Bench(subject, folder, options)
        except EdgecnnError as error:
            yield from (Cell(subject.name, target, "fp32", str(error)) for target in options.targets)
            continue
        for target in options.targets:
            if target not in TARGETS:
                yield Cell(subject.name, target, "fp32", "no such target is known here")
                continue
            for precision in ("fp32", "int8"):
                yield bench.cell(target, precision)
            if subject.name in options.own:
                yield bench.rival(target)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--model", "--calib", "--bundle", "--labels", "--format"):
        parser.add_argument(flag, type=pair, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rgb", action="append", default=[], metavar="NAME")
    parser.add_argument("--own", nargs="*", default=[], metavar="NAME", help="models to set beside engines' quantizers")
    parser.add_argument("--learn", type=float, default=30.0, metavar="S", help="seconds of learnt rounding for --own")
    parser.add_argument("--networks", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument(
        "--recipes", nargs="*", default=[], help=f"networks with fresh weights, as {', '.join(RECIPES)}"
    )
    parser.add_argument("--targets", nargs="*", default=list(ENGINES))
    parser.add_argument("--frames", type=int, default=48, help="calibration frames")
    parser.add_argument("--held-out", type=int, default=16, help="frames that errors are measured on")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds a cell may take")
    parser.add_argument("--work", type=Path, help="folder of the cells, kept")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    return parser.parse_args()


def main() -> int:
    """Print the tables; exit code 1 if an artefact is outside its tolerance."""
    options = _options()
    rows: list[Cell | Rival] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for row in run(options, (options.work or Path(scratch)).resolve()):
                rows.append(row)
                if options.out is not None:
                    options.out.write_text(json.dumps([msgspec.to_builtins(one) for one in rows], indent=1) + "\n")
        finally:
            # What was measured until a run is stopped is worth as much as at its end.
            cells = [row for row in rows if isinstance(row, Cell)]
            rivals = [row for row in rows if isinstance(row, Rival)]
            print(table(cells), *summary(cells), *([rivals_table(rivals)] if rivals else []), sep="\n")
    return int(any(cell.within is False for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
