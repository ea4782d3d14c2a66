"""Model: an opened bundle on an engine. A frame in, a result in the frame's own pixels out."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, final

from numpy.typing import NDArray

from edgecnn.core.bundle import Artefact, Bundle, open_bundle
from edgecnn.core.errors import BundleError, UnfitError
from edgecnn.core.results import Frame, Result
from edgecnn.runtime.choice import choose_artefact
from edgecnn.runtime.codec import Codec, codec_of
from edgecnn.runtime.engine import Engine
from edgecnn.runtime.preprocess import prepare


@final
class Model:
    """A network ready to run. Thread-safe: nothing here changes after loading, and engines are thread-safe.

    Attributes:
        bundle: where it came from, every digest checked.
        artefact: which of the bundle's artefacts is loaded.
        engine: the engine it runs on.
        codec: turns the network's outputs into results.
        frame_spec: what a frame becomes before the network; None where it takes no camera frames but `infer` alone.
        candidates: whether results hold what is not sure enough to act on, too.
    """

    def __init__(
        self, bundle: Bundle, artefact: Artefact, engine: Engine, codec: Codec, *, candidates: bool = False
    ) -> None:
        self.bundle = bundle
        self.artefact = artefact
        self.engine = engine
        self.codec = codec
        self.candidates = candidates
        self.frame_spec = bundle.manifest.frame
        self._input = artefact.inputs[0].name

    def __call__(self, frame: Frame) -> Result:
        """Return the result for `frame` (uint8 BGR [H, W, 3], any H and W), in pixels of that frame.

        Raises:
            TensorError: `frame` is no such array. The next good frame works.
            BundleError: the network takes no camera frames.
            EngineError: the engine failed.
        """
        return self.postprocess(self.infer(self.preprocess(frame)), frame.shape[1], frame.shape[0])

    def preprocess(self, frame: Frame) -> dict[str, NDArray[Any]]:
        """Return the network's input for `frame`: one uint8 array [1, H, W, 3] by name."""
        if self.frame_spec is None:
            wanted = "; ".join(f"'{spec.name}' {spec.describe()}" for spec in self.artefact.inputs)
            raise BundleError(f"{self.bundle.path}: takes no camera frames; call `infer` with {wanted}")
        return {self._input: prepare(frame, self.frame_spec)[None]}

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network alone, named tensors in and out; errors as those of `Engine.infer`."""
        return self.engine.infer(feeds)

    def postprocess(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Result:
        """Return what the network's outputs say of an original frame of `width` x `height` pixels."""
        result = self.codec.decode(outputs, width, height)
        return result if self.candidates else self.codec.sure(result)

    def close(self) -> None:
        """Give back the engine's memory and threads; `with load(...) as model:` does it by itself."""
        self.engine.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load(
    path: str | Path,
    *,
    engine: str | None = None,
    artefact: str | None = None,
    threads: int | None = None,
    candidates: bool = False,
) -> Model:
    """Open a bundle and load one of its artefacts into its engine.

    With nothing named, the fastest by the bundle's own measurements is taken among those whose engine is installed
    here and that passed their gates. One that turns out to be for another device than this is passed over.

    Args:
        path: a bundle folder or `.edge` file.
        engine: take the best artefact of this engine. `null` runs none: its outputs are zeros, to time the rest.
        artefact: take this artefact, even if it failed a gate.
        threads: engine threads; None leaves it to the artefact's options and the engine.
        candidates: results hold what is not sure enough to act on, too, as metrics that rank by score want it.

    Raises:
        BundleError: the bundle is damaged, tampered with or unsafe, or holds nothing fitting.
        MissingExtraError: no engine that it needs is installed; the message gives the command that installs one.
        EngineError: the engine refused the network; `UnfitError` where all that it holds is for other devices.
    """
    bundle = open_bundle(Path(path))
    codec = codec_of(bundle.manifest)
    unfit: dict[str, UnfitError] = {}
    while True:
        try:
            chosen, open_engine = choose_artefact(bundle, engine, artefact, unfit)
        except BundleError:
            if unfit:
                # Why the best one does not fit says more than that none does.
                raise next(iter(unfit.values())) from None
            raise
        _check_tensors(bundle, chosen, codec)
        options = dict(chosen.options) if engine != "null" else {}
        if threads is not None:
            options["threads"] = threads
        try:
            opened = open_engine(bundle.files_of(chosen), chosen.inputs, chosen.outputs, options)
        except UnfitError as error:
            if artefact is not None:
                raise
            unfit[chosen.name] = error
            continue
        return Model(bundle, chosen, opened, codec, candidates=candidates)


def _check_tensors(bundle: Bundle, artefact: Artefact, codec: Codec) -> None:
    """Raise `BundleError` unless the artefact takes the bundle's frame, if any, and gives what the codec decodes."""
    frame = bundle.manifest.frame
    wanted = ((1, frame.height, frame.width, 3), "uint8") if frame is not None else ((), "")
    if frame is not None and [(spec.shape, spec.dtype) for spec in artefact.inputs] != [wanted]:
        got = "; ".join(spec.describe() for spec in artefact.inputs) or "nothing"
        raise BundleError(
            f"{bundle.path}: artefact '{artefact.name}' takes {got}; one uint8 frame {list(wanted[0])} is expected"
        )
    given = {spec.name: spec.shape for spec in artefact.outputs}
    for spec in codec.outputs:
        if given.get(spec.name) != spec.shape:
            raise BundleError(
                f"{bundle.path}: artefact '{artefact.name}' gives no output '{spec.name}' of shape {list(spec.shape)}, "
                f"which codec '{bundle.manifest.decode.codec}' decodes"
            )
