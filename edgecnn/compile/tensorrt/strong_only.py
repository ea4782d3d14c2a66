"""TensorRT 11: strong typing alone. No flag of a precision, no calibrator and no weak network is left."""

from typing import Any, Final, final

from edgecnn.compile.tensorrt.strong import named_words, refuse_weak
from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, trt
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings


@final
class StrongOnly:
    """The builder of 11.x."""

    name: Final = "TensorRT 11"

    def check(self, builder: Any, settings: BuildSettings) -> None:  # noqa: ARG002 - one face for all builders
        """Raise `EngineError` if this TensorRT can't do what was prepared."""
        refuse_weak(settings.prepared, "tensorrt_11")
        if settings.dla is not None and settings.prepared.precision == "fp32":
            raise EngineError("tensorrt: the DLA computes in FP16 or INT8; take the fp16 artefact for it")

    def network_flags(self, settings: BuildSettings) -> int:  # noqa: ARG002 - likewise
        """Return the flags of a new network: none, for every network is strongly typed."""
        return 0

    def parser(self, network: Any) -> Any:
        """Return a parser that fills `network`."""
        return made("ONNX parser", trt.OnnxParser, network, LOG)

    def words(self, error: Any) -> str:
        """Return what a parser's error says."""
        return named_words(error)

    def set_types(self, config: Any, network: Any, settings: BuildSettings) -> None:
        """Set nothing: types are those of the file, and there are no flags for them."""
