"""Post-training quantization side by side: `python benchmarks/quantization.py [--quick] [--out FILE.json]`.

Every contender gets the same float ONNX files and the same calibration frames, and quantizes in a process of its own.
Then all models of one engine take turns in one process; "x FP32" is the median over rounds of FP32's latency divided by
the contender's. Agreement and error are against FP32 on frames that no contender saw.

Of `--model NAME=FILE` the calibration frames come from `--calib NAME=FOLDER_OR_VIDEO` (may be repeated), in the colour
order BGR unless NAME is among `--rgb`; `--judge NAME=SCRIPT` measures its own agreement: `SCRIPT FILE --engine ENGINE`.

`--bundle NAME=BUNDLE --labels NAME=DATASET` takes the FP32 network of a bundle, as a recipe leaves one, and judges it
by its task's figure. "Points lost" are points of that figure, frame by frame against FP32, or else of agreement.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from networks import NETWORKS
from peers import CONTENDERS, GROUPS
from peers.work import Outcome, quantize_apart
from quantization_measure import FP32, Accuracy, accuracy, judged, latency, open_engine, run
from quantization_pairs import pair
from quantization_subjects import Subject, given, labelled, made_here, road_scenes
from quantization_verdicts import Figures, table, verdicts

from edgecnn.bench.interleave import Schedule
from edgecnn.core.errors import EdgecnnError

QUICK_NETWORKS = ("residual", "attention")
PACKAGES = ("onnxruntime", "openvino", "nncf", "onnx", "torch")
ACCURACY_ONLY = {"tensorrt rules"}


def subjects(options: argparse.Namespace, folder: Path) -> list[Subject]:
    """Return the models to quantize."""
    found = []
    for name, file in options.model:
        sources = [Path(path) for owner, path in options.calib if owner == name]
        judge = next((Path(path) for owner, path in options.judge if owner == name), None)
        counts = (options.frames, options.held_out)
        found.append(given(name, Path(file), sources, *counts, folder, rgb=name in options.rgb, judge=judge))
    for name, bundle in options.bundle:
        root = next((Path(path) for owner, path in options.labels if owner == name), None)
        if root is None:
            raise SystemExit(f"--bundle {name}=... needs --labels {name}=DATASET")
        counts = (options.frames, options.labelled)
        found.append(labelled(name, Path(bundle), root, options.format, *counts, folder))
    if options.networks:
        scenes = road_scenes(options.frames + options.held_out)
        found += [made_here(name, scenes, options.held_out, folder) for name in options.networks]
    return found


def compare(subject: Subject, group: str, options: argparse.Namespace, folder: Path) -> list[Figures]:
    """Quantize by every contender of the group, run all, and return their figures."""
    engine_name, shape = GROUPS[group], (1, *subject.held_out.shape[1:])
    reference = open_engine(engine_name, subject.model, shape, options.threads)
    wanted, engines, outcomes, found = run(reference, subject), {FP32: reference}, {}, {}
    for name, row in CONTENDERS.items():
        if row.group != group or not any(part in name for part in options.contenders):
            continue
        place = folder / f"{subject.name}-{name}".replace(" ", "_").replace(",", "")
        print(f"{subject.name}: {name} ...", file=sys.stderr, flush=True)
        outcome = quantize_apart(row, subject.model, subject.calibration, place, options.threads, options.search)
        try:
            if outcome.file is not None:
                opened = open_engine(engine_name, outcome.file, shape, options.threads)
                found[name] = accuracy(wanted, run(opened, subject), subject.truth)
                engines[name] = opened
        except (EdgecnnError, RuntimeError) as error:
            outcome = dataclasses.replace(outcome, error=f"does not run: {' '.join(str(error).split())[:140]}")
        outcomes[name] = outcome
    plan = Schedule(options.rounds, options.block, 0.5)
    ratios = {} if group in ACCURACY_ONLY or len(engines) == 1 else latency(engines, subject, plan)
    for engine in engines.values():
        engine.close()
    return [_figures(subject, group, name, outcome, found.get(name), ratios) for name, outcome in outcomes.items()]


def _figures(
    subject: Subject, group: str, name: str, outcome: Outcome, found: Accuracy | None, ratios: dict[str, Any]
) -> Figures:
    own = judged(subject, outcome.file, GROUPS[group]) if found is not None and outcome.file is not None else None
    return Figures(
        model=subject.name,
        group=group,
        contender=name,
        ours=CONTENDERS[name].ours,
        agreement=found.agreement if found else None,
        rel_error=found.rel_error if found else None,
        lost=found.lost if found else None,
        labelled=subject.truth is not None,
        judged=own,
        speedup=ratios.get(name),
        seconds=outcome.seconds,
        notes=(*outcome.notes, f"FAILED: {outcome.error}") if outcome.error else outcome.notes,
    )


def write(figures: list[Figures], options: argparse.Namespace, path: Path) -> None:
    """Write figures, verdicts and what they were measured on as JSON."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    record = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": versions,
        "options": {
            name: getattr(options, name) for name in ("threads", "frames", "held_out", "labelled", "rounds", "search")
        },
        "figures": [msgspec.to_builtins(dataclasses.asdict(one)) for one in figures],
        "verdicts": verdicts(figures),
    }
    path.write_text(json.dumps(record, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--model", "--calib", "--judge", "--bundle", "--labels"):
        parser.add_argument(flag, type=pair, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--rgb", action="append", default=[], metavar="NAME")
    parser.add_argument("--format", default="tusimple", help="of the labelled data sets")
    parser.add_argument("--labelled", type=int, default=200, help="labelled frames that figures are measured on")
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), help="of those made here (default: all)")
    parser.add_argument("--groups", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--contenders", nargs="*", default=[""], help="parts of names (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=100, help="calibration frames")
    parser.add_argument("--held-out", type=int, default=32, help="frames that errors are measured on")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--block", type=float, default=0.15, help="seconds a model and round")
    parser.add_argument("--search", type=float, default=40, metavar="SECONDS", help="that edgecnn's search may take")
    parser.add_argument("--quick", action="store_true", help="two networks, few frames and rounds")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.quick:
        options.frames, options.held_out, options.rounds, options.search = 32, 8, 5, 20
    if options.networks is None:
        options.networks = list(QUICK_NETWORKS) if options.quick else list(NETWORKS)
    return options


def main() -> int:
    """Compare and print; exit code 0 whatever the verdicts are: they are for reading."""
    options = _options()
    figures: list[Figures] = []
    try:
        with tempfile.TemporaryDirectory() as name:
            for subject in subjects(options, Path(name)):
                for group in options.groups:
                    figures += compare(subject, group, options, Path(name))
                    if options.out is not None:
                        write(figures, options, options.out)
    finally:
        # What was measured until a run is stopped is worth as much as at its end.
        print(table(figures), *(f"- {line}" for line in verdicts(figures)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
