"""Optimization profiles: the shapes that an input of free shape is built for."""

from typing import Any

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, refusal
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Profile


def add_profile(builder: Any, network: Any, config: Any, settings: BuildSettings) -> None:
    """Give `config` one profile for all inputs of free shape: that of the settings, else the shape the bundle lists.

    Raises:
        EngineError: an input is free and nothing says its shapes, or a profile does not fit its input.
    """
    free: dict[str, Profile] = {}
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(int(size) for size in tensor.shape)
        if min(shape, default=0) >= 0:
            if tensor.name in settings.profiles:
                raise EngineError(f"tensorrt: input '{tensor.name}' has the fixed shape {list(shape)}; give no profile")
            continue
        free[tensor.name] = _profile(tensor.name, shape, settings)
    if not free:
        return
    profile = made("optimization profile", builder.create_optimization_profile)
    for name, found in free.items():
        profile.set_shape(name, found.least, found.usual, found.most)
    mark = LOG.mark()
    if config.add_optimization_profile(profile) < 0:
        raise refusal("the optimization profile is not taken", mark)


def _profile(name: str, shape: tuple[int, ...], settings: BuildSettings) -> Profile:
    found = settings.profiles.get(name)
    if found is None and name in settings.shapes:
        found = Profile(*[settings.shapes[name]] * 3)
    if found is None:
        raise EngineError(f"tensorrt: input '{name}' is of free shape {list(shape)}; give its shapes as a profile")
    for wanted in (found.least, found.usual, found.most):
        fits = len(wanted) == len(shape) and all(fixed in {-1, size} for fixed, size in zip(shape, wanted, strict=True))
        if not fits:
            raise EngineError(f"tensorrt: input '{name}' is {list(shape)}; its profile says {list(wanted)}")
    if settings.dla is not None and found.least != found.most:
        raise EngineError(f"tensorrt: the DLA takes fixed shapes only, and input '{name}' has a range of them")
    return found
