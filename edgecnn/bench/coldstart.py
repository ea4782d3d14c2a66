"""Cold start: load and first inference in a fresh process, several times, with the memory that process took.

Also the program of that process: `python -m edgecnn.bench.coldstart BUNDLE ARTEFACT THREADS STARTED_NS`.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import edgecnn
from edgecnn.bench.statistics import percentile
from edgecnn.core.errors import EngineError
from edgecnn.core.measure import Measurement
from edgecnn.runtime import load
from edgecnn.runtime.golden import golden_feeds

TIMEOUT_S = 600.0
FRAME_SHAPE = (720, 1280, 3)
METHOD = "median of fresh processes, the bundle in the page cache; interval by order statistics"


def cold_start(bundle: Path, artefact: str, threads: int) -> dict[str, float]:
    """Start a process that loads the artefact and runs it once; returns figures by name with their unit.

    `cold_load_ms`: `load`, every digest checked. `first_inference_ms`: the first frame to its result.
    `cold_start_ms`: from starting Python to that result. `peak_memory_mib`: the most that was resident.

    Raises:
        EngineError: the process failed; the message ends in its last line.
    """
    arguments = (str(bundle.resolve()), artefact, str(threads), str(time.monotonic_ns()))
    # Run from where the package lies, so that the child imports this very one.
    home = Path(edgecnn.__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn.bench.coldstart", *arguments],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{artefact}: a fresh process did not load it within {TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise EngineError(f"{artefact}: a fresh process could not load and run it: {last}")
    return {str(name): float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def summarize(starts: list[dict[str, float]], *, on: str = "") -> dict[str, Measurement]:
    """Return the median of every figure over `starts` (at least 6) with its interval."""
    figures = {}
    for name in starts[0]:
        values = np.array([round(start[name] * 1e6) for start in starts], np.int64)
        taken = percentile(values, 0.5)
        figures[name] = Measurement(
            taken.value,
            name.rpartition("_")[2].replace("mib", "MiB"),
            taken.n,
            taken.low,
            taken.high,
            on=on,
            method=METHOD,
        )
    return figures


def peak_memory_mib() -> float:
    """Return the most memory this process had resident, in MiB; 0 where the kernel does not say.

    From `VmHWM`: `getrusage` would carry over the size of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def main(bundle: str, artefact: str, threads: str, started_ns: str) -> None:
    """Load, run once, and print the figures as one line of JSON."""
    before = time.monotonic_ns()
    model = load(bundle, artefact=artefact, threads=int(threads) or None)
    loaded = time.monotonic_ns()
    if model.frame_spec is None:
        model.infer(golden_feeds(model.bundle, model.artefact)[0])
    else:
        model(np.zeros(FRAME_SHAPE, np.uint8))
    done = time.monotonic_ns()
    model.close()
    figures = {
        "cold_load_ms": (loaded - before) / 1e6,
        "first_inference_ms": (done - loaded) / 1e6,
        "cold_start_ms": (done - int(started_ns)) / 1e6,
        "peak_memory_mib": peak_memory_mib(),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
