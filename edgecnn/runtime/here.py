"""Does what is compiled for a target run on this machine, so that it can be judged and timed in its own engine?"""

import json
import platform
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from edgecnn.core.errors import EdgecnnError, line_of
from edgecnn.core.registry import TARGETS
from edgecnn.runtime.selftest import try_engine


def why_not_here(target: str) -> str:
    """Return in one line why what is compiled for `target`, a name of the registry, does not run here, or ""."""
    row = TARGETS[target]
    if row.arch not in ("", platform.machine()):
        return f"{target} is for {row.arch} and this machine is {platform.machine()}"
    return why_engine_not_here(row.engine, row.options)


def why_engine_not_here(engine: str, options: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return in one line why `engine` does not run on this machine as `options` tell it to; empty if it does.

    It is found out by running a tiny network in it, once in a process.
    """
    return _tried(engine, json.dumps(dict(options), sort_keys=True))


@cache
def _tried(engine: str, options: str) -> str:
    try:
        try_engine(engine, json.loads(options))
    except EdgecnnError as error:
        return line_of(error, 600)
    except Exception as error:  # noqa: BLE001 - an engine of another package may raise anything
        return f"{engine} does not load: {line_of(error)}"
    return ""
