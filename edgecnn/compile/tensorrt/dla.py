"""The DLA of Xavier and Orin: what it takes, and what falls back to the GPU beside it, which is never left unsaid."""

from typing import Any

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_layers import FALLBACK
from edgecnn.runtime.engines.tensorrt_sdk import trt
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings


def place_on_dla(builder: Any, network: Any, config: Any, settings: BuildSettings) -> tuple[str, ...]:
    """Put `network` on the DLA core that was asked for; return a note on each layer that the GPU will run instead.

    Call it when all else of `config` is set: what the DLA can run depends on it.

    Raises:
        EngineError: there is no such core, or a layer can't run there and may not fall back.
    """
    core = settings.dla
    if core is None:
        return ()
    if core >= builder.num_DLA_cores:
        raise EngineError(
            f"tensorrt: this device has {builder.num_DLA_cores} DLA cores for TensorRT {trt.__version__}, not core "
            f"{core}; leave option 'dla' out to run on the GPU"
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    if settings.gpu_fallback:
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    unable = [layer.name for layer in layers if not config.can_run_on_DLA(layer)]
    if unable and not settings.gpu_fallback:
        raise EngineError(
            f"tensorrt: the DLA can't run {len(unable)} of {len(layers)} layers, first '{unable[0]}'; "
            "allow gpu_fallback"
        )
    return tuple(f"{FALLBACK} {name}" for name in unable)
