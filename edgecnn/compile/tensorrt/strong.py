"""TensorRT 10: strong typing. FP16 and INT8 stand in the file; only for the DLA are types still chosen by flags."""

from typing import Any, Final, final

from edgecnn.core.errors import EngineError, UnfitError
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, trt
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Prepared


@final
class Strong:
    """The builder of 10.x, which has both typings."""

    name: Final = "TensorRT 10"

    def check(self, builder: Any, settings: BuildSettings) -> None:  # noqa: ARG002 - one face for all builders
        """Raise `EngineError` if this TensorRT can't do what was prepared."""
        refuse_weak(settings.prepared, "tensorrt_10")
        if settings.dla is not None and settings.prepared.quantized:
            raise EngineError("tensorrt: the DLA of this TensorRT takes no Q/DQ; take the fp16 artefact for it")
        if settings.dla is not None and settings.prepared.precision == "fp32":
            raise EngineError("tensorrt: the DLA computes in FP16 or INT8; take the fp16 artefact for it")

    def network_flags(self, settings: BuildSettings) -> int:
        """Return the flags of a new network."""
        if settings.dla is not None:
            # trtexec of these versions sets the FP16 flag for the DLA, which a strongly typed network does not allow.
            return 0
        # The shift matters: unshifted, the value is taken for another flag, and the network is weakly typed.
        return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def parser(self, network: Any) -> Any:
        """Return a parser that fills `network`."""
        return made("ONNX parser", trt.OnnxParser, network, LOG)

    def words(self, error: Any) -> str:
        """Return what a parser's error says."""
        return named_words(error)

    def set_types(self, config: Any, network: Any, settings: BuildSettings) -> None:  # noqa: ARG002 - likewise
        """Set no flag but for the DLA: the network's types are those of the file."""
        if settings.dla is not None:
            config.set_flag(trt.BuilderFlag.FP16)


def refuse_weak(prepared: Prepared, target: str) -> None:
    """Raise `UnfitError` for a file whose FP16 only a flag could bring about."""
    if prepared.typing == "weak":
        raise UnfitError(
            "tensorrt: this artefact was prepared for TensorRT 8, whose flags choose types, and here is "
            f"{trt.__version__}; compile for target '{target}'"
        )


def named_words(error: Any) -> str:
    """Return what a parser's error says, with the node's name and operator, which 10 added."""
    return f"{error.desc()} (node {error.node()}, {error.node_operator()} '{error.node_name()}')"
