"""An artefact built, proven against its golden vectors and timed by trtexec, where Python has no TensorRT."""

import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.compile.tensorrt.trtexec_run import Command, TrtexecBuilder, find_trtexec
from edgecnn.core import atomic
from edgecnn.core.bundle import GOLDEN, Artefact, Bundle
from edgecnn.core.errors import EngineError, MissingExtraError
from edgecnn.runtime.engines.tensorrt_cache import Kept, Key, cache_folder, kept_plan
from edgecnn.runtime.engines.tensorrt_layers import layer_facts, layers_of, said_facts
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Built, read_files, settings_of
from edgecnn.runtime.golden import golden, golden_feeds

TIMED_S = 10
_BOARD = Path("/proc/device-tree/model")


def by_trtexec(
    bundle: Bundle, artefact: Artefact, options: Mapping[str, Any], command: Command, why: MissingExtraError
) -> dict[str, Any]:
    """Return what building and running `artefact` here brought to light; the plan is kept in the device's cache.

    `golden_rel_error` is the mean over golden frames of ||out - golden|| / ||golden|| for each output, of numbers that
    trtexec prints with six digits. Latency counts the copies to and from the GPU.

    Raises:
        MissingExtraError: there is no trtexec either; `why` says what else would do.
        EngineError: trtexec refused the network, in its own words.
    """
    try:
        builder = TrtexecBuilder(find_trtexec(command), command)
    except MissingExtraError as error:
        raise MissingExtraError(f"{why}; {error}") from why
    network, prepared = read_files(bundle.files_of(artefact))
    settings, running = settings_of(options, prepared, artefact.inputs)
    version, board = builder.tool.version, _board()
    key = Key(model_sha256=atomic.sha256_bytes(network), tensorrt=f"trtexec {version}", gpu=board, settings=settings)
    build = partial(_build, builder, network, settings, running.threads)
    kept = kept_plan(cache_folder(running.cache), key, build, timing_cache=running.timing_cache)
    return {
        "engine": artefact.engine,
        "version": version,
        "device": board,
        "plan": str(kept.file),
        "plan_bytes": kept.record.size_bytes,
        "built_now": kept.fresh,
        "build_seconds": kept.record.seconds,
        "golden_rel_error": _golden_errors(bundle, artefact, builder, kept, settings),
        **said_facts(kept.record.notes),
        **_times(builder, kept, settings),
    }


def _build(builder: TrtexecBuilder, network: bytes, settings: BuildSettings, threads: int, timing: bytes) -> Built:
    return builder.build(network, settings, timing, threads)


def _times(builder: TrtexecBuilder, kept: Kept, settings: BuildSettings) -> dict[str, Any]:
    timed = builder.time(kept.file, settings, TIMED_S)
    facts: dict[str, Any] = {"queries": len(timed.times_ms["computeMs"])}
    for name, key in (("latency", "latencyMs"), ("gpu_compute", "computeMs")):
        if key in timed.times_ms:
            facts |= {f"{name}_p{part}_ms": float(np.percentile(timed.times_ms[key], part)) for part in (50, 90, 99)}
    facts |= {"throughput_qps": timed.summary.throughput_qps, "warnings": list(timed.summary.warnings)}
    return {**facts, "layers_ms": timed.layers_ms, **(layer_facts(layers_of(timed.layers)) if timed.layers else {})}


def _golden_errors(
    bundle: Bundle, artefact: Artefact, builder: TrtexecBuilder, kept: Kept, settings: BuildSettings
) -> dict[str, float]:
    if GOLDEN not in bundle.manifest.files:
        return {}
    _, wanted = golden(bundle)
    errors: dict[str, list[float]] = {spec.name: [] for spec in artefact.outputs if spec.name in wanted}
    for frame, feeds in enumerate(golden_feeds(bundle, artefact)):
        outputs = builder.infer(kept.file, settings, feeds)
        for name, found in errors.items():
            exact = wanted[name][frame].astype(np.float64).reshape(-1)
            got = outputs.get(name, np.empty(0)).reshape(-1)
            if got.shape != exact.shape:
                raise EngineError(f"tensorrt: trtexec gave output '{name}' in {got.size} numbers, not {exact.size}")
            found.append(float(np.linalg.norm(got - exact)) / max(float(np.linalg.norm(exact)), 1e-12))
    return {name: float(np.mean(found)) for name, found in errors.items() if found}


def _board() -> str:
    try:
        return _BOARD.read_bytes().decode(errors="replace").strip("\0 \n")
    except OSError:
        return f"{platform.node()} {platform.machine()}"
