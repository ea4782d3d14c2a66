"""TensorRT on an NVIDIA GPU: an engine built on this device, run with `execute_async_v3` as one CUDA graph.

A bundle carries ONNX, for a built engine belongs to one TensorRT, one GPU and one set of options. It is built when a
bundle is first loaded, or before by `edgecnn compile BUNDLE --on-device`, and kept in this device's cache.
"""

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, final

import msgspec
from numpy.typing import NDArray

from edgecnn.core import atomic
from edgecnn.core.errors import EngineError
from edgecnn.core.registry import BUILDERS, import_entry
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import still_open
from edgecnn.runtime.engines.tensorrt_cache import Kept, Key, cache_folder, kept_plan
from edgecnn.runtime.engines.tensorrt_cuda import cuda_versions, this_gpu
from edgecnn.runtime.engines.tensorrt_layers import layer_facts, layers_of, said_facts
from edgecnn.runtime.engines.tensorrt_run import LayerClock, Run
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, refusal, register_plugins, trt
from edgecnn.runtime.engines.tensorrt_settings import BuildPlan, BuildSettings, RunSettings, read_files, settings_of

NAME: Final = "tensorrt"
_LEAST_RUNS = 1


@final
class TensorRtEngine:
    """A deserialized engine and one execution context; `infer` may be called from many threads, one runs at a time.

    One context serves all threads: a second would take its own device memory and share the same GPU.
    """

    def __init__(
        self, loaded: "_Loaded", inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], running: RunSettings
    ) -> None:
        self.name: Final = NAME
        self.inputs = inputs
        self.outputs = outputs
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = loaded
        self._running = running
        self._run = Run(loaded.engine, inputs, outputs, graph=running.cuda_graph)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: TensorRT or CUDA failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        with self._lock:
            self._open()
            return self._run(feeds)

    def layer_times(self, feeds: Mapping[str, NDArray[Any]], runs: int = 20) -> dict[str, list[float]]:
        """Return milliseconds of each layer in each of `runs` inferences, in order of execution.

        Taken in a context of its own without a CUDA graph: a profiler makes the GPU wait between layers, so that their
        sum is above the latency of `infer`.

        Raises:
            TensorError, EngineError: as those of `infer`.
        """
        check_feeds(self.inputs, feeds)
        clock = LayerClock()
        with self._lock:
            # One context at a time: in TensorRT 8 two may not share an optimization profile.
            self._start(graph=False)
            try:
                self._run(feeds)
                self._run.profile(clock)
                for _ in range(max(runs, _LEAST_RUNS)):
                    self._run(feeds)
            finally:
                self._start(graph=self._running.cuda_graph)
        return clock.times_ms

    def facts(self) -> dict[str, Any]:
        """Return what TensorRT says of the engine after loading, and what building it brought to light."""
        with self._lock:
            loaded = self._open()
            inspector = made("inspector", loaded.engine.create_engine_inspector)
            told = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
            return {
                "engine": self.name,
                "version": trt.__version__,
                "device": loaded.key.gpu["name"],
                "compute_capability": loaded.key.gpu["compute_capability"],
                **cuda_versions(),
                "threads": self._running.threads,
                "precision": loaded.key.settings.prepared.precision or "as the file says",
                "tf32": loaded.key.settings.tf32,
                "cuda_graph": self._run.graph,
                "why_no_cuda_graph": self._run.why_no_graph,
                "plan": str(loaded.kept.place),
                "plan_bytes": loaded.kept.record.size_bytes,
                "built_now": loaded.kept.fresh,
                "build_seconds": loaded.kept.record.seconds,
                "build_notes": list(loaded.kept.record.notes),
                **layer_facts(layers_of(told)),
                **said_facts(loaded.kept.record.notes),
            }

    def close(self) -> None:
        """Give back context, buffers and engine."""
        with self._lock:
            self._shut()

    def _start(self, *, graph: bool) -> None:
        """Put a new execution context in the place of the one there is; without one the engine is closed."""
        loaded = self._open()
        self._run.close()
        try:
            self._run = Run(loaded.engine, self.inputs, self.outputs, graph=graph)
        except EngineError:
            self._shut()
            raise

    def _shut(self) -> None:
        if self._loaded is not None:
            self._run.close()
            self._loaded.close()
            self._loaded = None

    def _open(self) -> "_Loaded":
        return still_open(self.name, self._loaded)


@final
class _Loaded:
    """A deserialized engine with the runtime that must outlive it."""

    def __init__(self, key: Key, kept: Kept) -> None:
        self.key, self.kept = key, msgspec.structs.replace(kept, plan=b"")
        register_plugins()
        self._runtime = made("runtime", trt.Runtime, LOG)
        if key.settings.version_compatible:
            # Such a plan carries the runtime it was built with, as code of the host.
            self._runtime.engine_host_code_allowed = True
        if key.settings.dla is not None:
            self._runtime.DLA_core = key.settings.dla
        mark = LOG.mark()
        self.engine: Any = self._runtime.deserialize_cuda_engine(kept.plan)
        if self.engine is None:
            raise refusal("the built engine can't be loaded", mark)

    def close(self) -> None:
        """Give back the engine, then the runtime it came from."""
        self.engine = None
        self._runtime = None


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> TensorRtEngine:
    """Load the `.onnx` bytes that come first in `files`: from this device's cache, or built now, which takes minutes.

    Options that change what is built: `workspace_mib` (scratch memory of a layer, default 1024), `level` (0 to 5, how
    long kernels are searched for), `dla` (core to run on) with `gpu_fallback` (default true), `sparse` (2:4 kernels
    allowed), `tf32` (default false), `profiles` (of inputs with free shapes), `version_compatible`, `hardware` (`same`,
    `ampere+`, `same_compute_capability`) and `detailed` (default true: the inspector can tell of every layer). Others:
    `threads` of the builder, `cuda_graph` (default true), `timing_cache` (default true) and `cache` (folder).

    Raises:
        InputError: an option that is not known, or a value it does not take.
        EngineError: no GPU that works, TensorRT refused the network, or its tensors are not those given.
    """
    network, prepared = read_files(files)
    settings, running = settings_of(options, prepared, inputs)
    loaded = _load(network, settings, running)
    return TensorRtEngine(loaded, inputs, outputs, running)


def _load(network: bytes, settings: BuildSettings, running: RunSettings) -> _Loaded:
    key = Key(
        model_sha256=atomic.sha256_bytes(network),
        tensorrt=trt.__version__,
        gpu=msgspec.to_builtins(this_gpu()),
        settings=settings,
    )
    builder: BuildPlan = import_entry(BUILDERS[NAME], f"building for engine '{NAME}'")
    build = partial(_build, builder, network, settings, running.threads)
    folder = cache_folder(running.cache)
    kept = kept_plan(folder, key, build, timing_cache=running.timing_cache)
    try:
        return _Loaded(key, kept)
    except EngineError:
        if kept.fresh:
            raise
    # What its key says would fit does not: a library was exchanged under the same version.
    return _Loaded(key, kept_plan(folder, key, build, timing_cache=running.timing_cache, anew=True))


def _build(builder: BuildPlan, network: bytes, settings: BuildSettings, threads: int, timing_cache: bytes) -> Any:
    return builder(network, settings, timing_cache, threads)
