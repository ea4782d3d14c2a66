"""trtexec driven: a builder behind the same face as those of Python's TensorRT, and a stopwatch for what it built."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.tensorrt.trtexec import Trtexec, build_command, described, infer_command, time_command
from edgecnn.compile.tensorrt.trtexec_output import Summary, errors_of, outputs_of, profile_of, summary_of, times_of
from edgecnn.core.errors import EngineError, MissingExtraError
from edgecnn.runtime.engines.tensorrt_settings import MODEL, BuildSettings, Built

JETPACK: Final = "/usr/src/tensorrt/bin/trtexec"
"""Where JetPack's package libnvinfer-bin puts it, which no PATH has."""
LONGEST_BUILD_S, LONGEST_RUN_S, HELP_S = 7200, 900, 60
_NOTES = ("(Sparsity)", "[DlaLayer]", "[GpuLayer]", "[W] [TRT]")

Command = Callable[[Sequence[str], float], tuple[int, str]]
"""Runs a command within so many seconds and returns its exit status and what it printed."""


def run_here(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """Run `command` on this machine.

    Raises:
        EngineError: it can't be started, or is not done in time.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except OSError as error:
        raise EngineError(f"tensorrt: {command[0]} can't be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"tensorrt: {command[0]} was not done in {seconds:g} s") from error
    return done.returncode, done.stdout.decode(errors="replace")


def find_trtexec(command: Command = run_here) -> Trtexec:
    """Return the trtexec of this machine: `EDGECNN_TRTEXEC`, else the one in PATH, else JetPack's.

    Raises:
        MissingExtraError: there is none; the error says how to get it.
        EngineError: it does not answer as trtexec does.
    """
    path = os.environ.get("EDGECNN_TRTEXEC") or shutil.which("trtexec") or (JETPACK if Path(JETPACK).exists() else "")
    if not path:
        raise MissingExtraError(
            "neither Python's TensorRT nor trtexec is on this machine: on a Jetson sudo apt install libnvinfer-bin "
            f"(it lies in {JETPACK}), or name one in EDGECNN_TRTEXEC"
        )
    _, text = command((path, "--help"), HELP_S)
    return described(path, text)


@final
@dataclass(frozen=True, slots=True)
class Timed:
    """What trtexec measured of a plan: its summary, each query's times in milliseconds, each layer's mean time."""

    summary: Summary
    times_ms: dict[str, NDArray[np.float64]]
    layers_ms: dict[str, float]
    layers: str


@final
class TrtexecBuilder:
    """Builds, times and runs plans with a trtexec; `build` has the face of `BuildPlan`."""

    def __init__(self, tool: Trtexec, command: Command = run_here) -> None:
        self.tool = tool
        self._command = command

    def build(self, network: bytes, settings: BuildSettings, timing_cache: bytes, threads: int) -> Built:  # noqa: ARG002 - trtexec has no such option before 10
        """Build `network`, an ONNX file.

        Raises:
            EngineError: trtexec refused it, in its own words.
        """
        started = time.perf_counter()
        with TemporaryDirectory(prefix="edgecnn-trtexec-") as folder:
            model, plan, timing = (Path(folder) / name for name in (MODEL, "engine.plan", "timing.cache"))
            model.write_bytes(network)
            if timing_cache:
                timing.write_bytes(timing_cache)
            text = self._run(build_command(self.tool, settings, model, plan, timing), LONGEST_BUILD_S)
            if not plan.is_file() or not plan.stat().st_size:
                raise EngineError(f"tensorrt: trtexec wrote no engine: {errors_of(text)}")
            return Built(
                plan=plan.read_bytes(),
                timing_cache=timing.read_bytes() if timing.is_file() else b"",
                seconds=time.perf_counter() - started,
                notes=tuple(line.strip() for line in text.splitlines() if any(mark in line for mark in _NOTES)),
            )

    def time(self, plan: Path, settings: BuildSettings, seconds: int, *, transfers: bool = True) -> Timed:
        """Time `plan`; with `transfers`, queries copy their inputs to the GPU and their outputs back, as frames must.

        Raises:
            EngineError: trtexec failed, in its own words.
        """
        with TemporaryDirectory(prefix="edgecnn-trtexec-") as folder:
            times, profile, layers = (Path(folder) / name for name in ("times.json", "profile.json", "layers.json"))
            command = time_command(
                self.tool,
                settings,
                plan,
                times,
                seconds=seconds,
                profile=profile,
                layers=layers,
                transfers=transfers,
            )
            text = self._run(command, LONGEST_RUN_S + seconds)
            return Timed(
                summary_of(text),
                times_of(_text(times)),
                profile_of(_text(profile))[1],
                _text(layers) if layers.is_file() else "",
            )

    def infer(
        self, plan: Path, settings: BuildSettings, feeds: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[np.float64]]:
        """Run `plan` once; a process of its own, so this proves outputs and measures nothing.

        Raises:
            EngineError: trtexec failed, in its own words.
        """
        with TemporaryDirectory(prefix="edgecnn-trtexec-") as folder:
            files = {name: Path(folder) / f"input-{index}.bin" for index, name in enumerate(feeds)}
            for name, file in files.items():
                file.write_bytes(np.ascontiguousarray(feeds[name]).tobytes())
            outputs = Path(folder) / "outputs.json"
            self._run(infer_command(self.tool, settings, plan, files, outputs), LONGEST_RUN_S)
            return outputs_of(_text(outputs))

    def _run(self, command: Sequence[str], seconds: float) -> str:
        status, text = self._command(command, seconds)
        if status or "&&&& FAILED" in text:
            raise EngineError(f"tensorrt: trtexec failed: {errors_of(text)}")
        return text


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise EngineError(f"tensorrt: trtexec wrote no {path.name}: {error.strerror}") from error
