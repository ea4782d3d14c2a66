"""System: what is measured, as three callables over frames that the benchmark never looks into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class System:
    """One way from a frame to a result.

    Attributes:
        name: how samples and figures call it; unique in a session.
        pre: frame to the engine's feeds.
        engine: feeds to outputs.
        post: outputs and the frame they came from to a result.
        frames: at least one frame; queries go through them in order, each block from the first again.
        max_queries: most queries a block makes, 0 for no bound; for systems so fast that samples would pile up.
    """

    name: str
    pre: Callable[[Any], Any]
    engine: Callable[[Any], Any]
    post: Callable[[Any, Any], Any]
    frames: Sequence[Any]
    max_queries: int = 0
