"""One network for lanes and people beside a network for each: `python benchmarks/drive.py --drive BUNDLE ...`.

All three bundles are run on the same labelled frames and raced in turn, engine alone, an artefact at a time. Printed
are the lane accuracy and the AP50 that the one network loses, paired by frame, and its time over that of both others.

The bundles are those of `edgecnn run` on recipes/drive-quickstart.yaml and on both files in benchmarks/drive_recipes,
which train the single networks on the same frames from the same start, together for as many epochs as the one network.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.core.results import Frame, Scene
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import read_for
from edgecnn.metrics.people import People
from edgecnn.metrics.tusimple import TuSimple
from edgecnn.runtime import load
from edgecnn.runtime.model import Model
from edgecnn.runtime.race import times
from edgecnn.verify.accuracy import drop

KINDS = ("drive", "lanes", "pedestrians")
MOST_OF_BOTH, MOST_POINTS = 0.65, 1.5
RESAMPLES = 1000


def compare(bundles: dict[str, Path], artefact: str, data: Path, threads: int, seconds: float) -> list[str]:
    """Return the lines on one artefact, as `onnxruntime-fp32`."""
    with ExitStack() as stack:
        models = {
            kind: stack.enter_context(closing(load(path, artefact=artefact, threads=threads, candidates=True)))
            for kind, path in bundles.items()
        }
        samples = list(read_for(models["drive"].codec, recognise(data).name, data))
        lines = [_time_line(models, read_image(samples[0].image), seconds)]
        lines += _loss_lines(models, samples)
    return [f"{artefact}: {line}" for line in lines]


def _time_line(models: dict[str, Model], frame: Frame, seconds: float) -> str:
    taken = times([(models[kind].engine, models[kind].preprocess(frame)) for kind in KINDS], seconds, alone=True)
    shares = taken[:, 0] / taken[:, 1:].sum(1)
    rng = np.random.default_rng(0)
    drawn = np.median(shares[rng.integers(0, len(shares), (RESAMPLES, len(shares)))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    share = float(np.median(shares))
    met = "yes" if share <= MOST_OF_BOTH else "NO"
    return (
        f"{share:.3f} [{low:.3f}, {high:.3f}] of the time of both, n = {len(shares)} rounds "
        f"(at most {MOST_OF_BOTH}: {met})"
    )


def _loss_lines(models: dict[str, Model], samples: Sequence[Sample]) -> list[str]:
    lanes, people = TuSimple(), People()
    rows: dict[str, list[Any]] = {"lanes": [], "lanes alone": [], "people": [], "people alone": []}
    for sample in samples:
        frame, truth = read_image(sample.image), sample.truth
        both, alone, found = (models[kind](frame) for kind in KINDS)
        assert isinstance(both, Scene)  # noqa: S101 - what the codec of drive gives
        assert isinstance(truth, Scene)  # noqa: S101 - what that codec takes of a label
        if truth.lanes.lines:  # TuSimple gives frames without lines an accuracy of 0 whatever is found
            rows["lanes"].append(lanes.score(both.lanes, truth.lanes))
            rows["lanes alone"].append(lanes.score(alone, truth.lanes))
        rows["people"].append(people.score(both.objects, truth.objects))
        rows["people alone"].append(people.score(found, truth.objects))
    told = []
    for name, metric, figure in (("lanes", lanes, "accuracy"), ("people", people, "ap50")):
        lost = drop(metric, rows[f"{name} alone"], rows[name], figure, "")
        own, apart = (metric.totals(rows[key])[figure] for key in (name, f"{name} alone"))
        met = "yes" if lost.value <= MOST_POINTS else "NO"
        told.append(
            f"{figure} {own:.4f} against {apart:.4f} alone, {lost.text()} lost, n = {len(rows[name])} frames "
            f"(at most {MOST_POINTS}: {met})"
        )
    return told


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=Path, required=True, metavar="BUNDLE")
    parser.add_argument("--data", type=Path, required=True, help="labelled frames with lanes and people")
    parser.add_argument("--artefact", action="append", help="repeatable; default: all of the drive bundle")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each race")
    options = parser.parse_args()
    bundles = {kind: getattr(options, kind) for kind in KINDS}
    with closing(load(bundles["drive"], threads=options.threads)) as model:
        names = options.artefact or [one.name for one in model.bundle.manifest.artefacts]
    for name in names:
        for line in compare(bundles, name, options.data, options.threads, options.seconds):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
