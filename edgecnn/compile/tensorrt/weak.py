"""TensorRT 8: weak typing. The file is float32, with Q/DQ or without, and flags say what the rest may run in."""

from typing import Any, Final, final

from edgecnn.core.errors import EngineError, UnfitError
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, trt
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings

MOST_OPSET: Final = 17


@final
class Weak:
    """The builder of 8.5 and 8.6, which knows no strong typing."""

    name: Final = "TensorRT 8"

    def check(self, builder: Any, settings: BuildSettings) -> None:
        """Raise `EngineError` if this TensorRT or this GPU can't do what was prepared."""
        prepared = settings.prepared
        if prepared.typing == "strong" or prepared.opset > MOST_OPSET:
            raise UnfitError(
                f"tensorrt: this artefact (opset {prepared.opset}, types as written) needs TensorRT 10, and here is "
                f"{trt.__version__}; compile for target 'tensorrt_8'"
            )
        if prepared.quantized and not builder.platform_has_fast_int8:
            raise UnfitError("tensorrt: this GPU has no INT8 units; take the fp16 or the fp32 artefact")
        if settings.dla is not None and prepared.quantized:
            raise EngineError("tensorrt: the DLA of this TensorRT takes no Q/DQ; take the fp16 artefact for it")
        if settings.dla is not None and prepared.precision == "fp32":
            raise EngineError("tensorrt: the DLA computes in FP16 or INT8; take the fp16 artefact for it")

    def network_flags(self, settings: BuildSettings) -> int:  # noqa: ARG002 - one face for all builders
        """Return the flags of a new network."""
        return 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)

    def parser(self, network: Any) -> Any:
        """Return a parser that fills `network`."""
        parser = made("ONNX parser", trt.OnnxParser, network, LOG)
        # As a layer and not a plugin, as later versions do: plans for other GPUs or versions can't hold plugins.
        parser.set_flag(trt.OnnxParserFlag.NATIVE_INSTANCENORM)
        return parser

    def words(self, error: Any) -> str:
        """Return what a parser's error says."""
        return f"{error.desc()} (node {error.node()})"

    def set_types(self, config: Any, network: Any, settings: BuildSettings) -> None:
        """Allow INT8 where there are Q/DQ, and FP16 beside it or where it was asked for."""
        prepared = settings.prepared
        quantized = has_pairs(network) if prepared.quantized is None else prepared.quantized
        if quantized:
            config.set_flag(trt.BuilderFlag.INT8)
        if quantized or prepared.precision == "fp16" or settings.dla is not None:
            config.set_flag(trt.BuilderFlag.FP16)


def has_pairs(network: Any) -> bool:
    """Whether a parsed network has Q or DQ."""
    pairs = {trt.LayerType.QUANTIZE, trt.LayerType.DEQUANTIZE}
    return any(network.get_layer(index).type in pairs for index in range(network.num_layers))
