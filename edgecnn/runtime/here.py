"""Does what is compiled for a target run on this machine, so that it can be judged and timed in its own engine?"""

import platform
from functools import cache

from edgecnn.core.errors import EdgecnnError, line_of
from edgecnn.core.registry import TARGETS
from edgecnn.runtime.selftest import try_engine


@cache
def why_not_here(target: str) -> str:
    """Return in one line why what is compiled for `target`, a name of the registry, does not run here; "" if it does.

    It is found out by running a tiny network in the target's engine, on the unit that the target is for.
    """
    row = TARGETS[target]
    if row.arch not in ("", platform.machine()):
        return f"{target} is for {row.arch} and this machine is {platform.machine()}"
    try:
        try_engine(row.engine, row.options)
    except EdgecnnError as error:
        return line_of(error)
    except Exception as error:  # noqa: BLE001 - an engine of another package may raise anything
        return f"{row.engine} does not load: {line_of(error)}"
    return ""
