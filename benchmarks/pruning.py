"""Pruning side by side: `python benchmarks/pruning.py [--networks NAME ...] [--work DIR] [--out FILE.json]`.

edgecnn prunes each network for OpenVINO's clock; torch-pruning takes the same share of every layer until it is as fast.
Both get the same epochs of the same recovery training, taught by the original. Accuracy is the task's figure (TuSimple
accuracy, AP50) on held-out scenes, in the engine; "x original" is the median over interleaved rounds of the original's
FP32 time over the contender's. All that is finished is kept in `--work`, and a run cut short goes on there.

`--base NAME=FILE.safetensors` takes a trained network instead of training it here. NNCF is not among the peers: since
version 3 it prunes single weights only, which no engine here runs faster.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import msgspec
from pruning_contenders import ORIGINAL, OURS, PEER, Contest, contend
from pruning_measure import FP32, INT8, models, opened, race, scores
from pruning_qat import QatFigures, compare_qat, qat_verdict
from pruning_subjects import PLANS, Trained, trained
from pruning_verdicts import Figures, judged, table, verdicts

from edgecnn.bench.interleave import Schedule

QAT_OF = (ORIGINAL, OURS)
"""Whose INT8 form is trained too."""
PACKAGES = ("torch", "torch-pruning", "onnxruntime", "openvino", "onnx")


def compare(name: str, options: argparse.Namespace) -> tuple[list[Figures], list[QatFigures]]:
    """Let all contend on one network and return their figures, and what training of its INT8 form wins."""
    overrides = dict(pair.split("=", 1) for pair in options.set)
    rounds, epochs = options.rounds or PLANS[name].rounds, options.epochs or PLANS[name].epochs
    subject = trained(name, options.work, options.base.get(name), rounds=rounds, epochs=epochs, overrides=overrides)
    key = f"{rounds}-{epochs}-{_digest(subject, options)}"
    folder = options.work / "contest" / f"{name.replace(' ', '-').replace(',', '')}-{key}"
    contest = Contest(subject, folder, rounds, epochs, options.threads, options.seconds)
    made = contend(contest, longer=options.longer)
    wanted = (INT8,) if options.int8 else ()
    found = models(contest, made, {ORIGINAL: wanted, OURS: wanted, PEER: wanted})
    with opened(found, options.threads) as engines:
        scored = {key: scores(contest, engine) for key, engine in engines.items()}
        taken = race(contest, engines, Schedule(options.race, options.block, 0.5))
    trained_int8 = [compare_qat(contest, who, made[who].module, options.qat) for who in QAT_OF if options.qat]
    return judged(contest, made, scored, taken), trained_int8


def _digest(subject: Trained, options: argparse.Namespace) -> str:
    """Return a digest of weights, recipe and settings, which tells a contest from others."""
    told = hashlib.sha256(msgspec.json.encode([subject.recipe, options.threads, options.seconds], order="sorted"))
    for name, tensor in subject.subject.original.state_dict().items():
        told.update(name.encode() + tensor.numpy().tobytes())
    return told.hexdigest()[:8]


def write(found: list[Figures], qat: list[QatFigures], lines: list[str], options: argparse.Namespace) -> None:
    """Write figures, verdicts and what they were measured on as JSON."""
    record = {
        "figures": msgspec.to_builtins(found),
        "qat": msgspec.to_builtins(qat),
        "verdicts": lines,
        "asked": {name: value for name, value in vars(options).items() if name not in {"work", "base", "out"}},
        "threads": options.threads,
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    options.out.write_text(json.dumps(record, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", choices=list(PLANS), default=list(PLANS))
    parser.add_argument("--work", type=Path, default=Path("work/pruning"), help="for data, checkpoints and results")
    parser.add_argument("--base", action="append", default=[], metavar="NAME=FILE", help="a trained network's weights")
    parser.add_argument(
        "--rounds", type=int, help="cuts on the way, an epoch of recovery after each, if not as planned"
    )
    parser.add_argument("--epochs", type=int, help="of recovery at the end, if not as planned")
    parser.add_argument("--threads", type=int, default=2, help="of the engines")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one timing while edgecnn compresses")
    parser.add_argument("--race", type=int, default=20, help="rounds of the final race, all networks in turn")
    parser.add_argument("--block", type=float, default=0.2, help="seconds a network and round")
    parser.add_argument("--no-int8", dest="int8", action="store_false", help="FP32 alone")
    parser.add_argument("--no-longer", dest="longer", action="store_false", help="leave out the original, trained on")
    parser.add_argument("--qat", type=int, default=3, metavar="EPOCHS", help="of quantized networks; 0: leave it out")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a recipe's key, as in edgecnn")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    pairs = [text.partition("=") for text in options.base]
    for name, _, file in pairs:
        if name not in PLANS or not Path(file).is_file():
            parser.error(f"--base {name}={file}: no such network or file; networks: {', '.join(PLANS)}")
    options.base = {name: Path(file) for name, _, file in pairs}
    return options


def main() -> int:
    """Compare and print; exit code 0 whatever the verdicts are: they are for reading."""
    options = _options()
    found: list[Figures] = []
    qat: list[QatFigures] = []
    goals = {name: plan.goal for name, plan in PLANS.items()}
    try:
        for name in options.networks:
            figures, trained_int8 = compare(name, options)
            found, qat = found + figures, qat + trained_int8
            if options.out is not None:
                write(found, qat, _lines(found, qat, goals), options)
    finally:
        # What was measured until a run is stopped is worth as much as at its end.
        notes = {(f.network, f.contender): f.notes for f in found if f.precision == FP32}
        said = [f"{network}, {who}: {note}" for (network, who), all_ in notes.items() for note in all_]
        print(table(found), *(f"- {line}" for line in [*_lines(found, qat, goals), *said]), sep="\n")
    return 0


def _lines(found: list[Figures], qat: list[QatFigures], goals: dict[str, tuple[float, float, float]]) -> list[str]:
    return [*verdicts(found, goals), *map(qat_verdict, qat)]


if __name__ == "__main__":
    sys.exit(main())
