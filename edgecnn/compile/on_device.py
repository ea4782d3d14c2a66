"""What only this device can make of a bundle: engines built here and kept in its cache, so that loading waits less.

The bundle stays as it is. It is opened first, which compares every digest; nothing is built or loaded of one that was
changed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgecnn.compile.tensorrt.by_trtexec import by_trtexec
from edgecnn.compile.tensorrt.trtexec_run import Command, run_here
from edgecnn.core.bundle import Artefact, Bundle, open_bundle
from edgecnn.core.errors import EngineError, InputError, MissingExtraError
from edgecnn.core.registry import BUILDERS, resolve


class BuiltHere(msgspec.Struct, frozen=True, kw_only=True):
    """One artefact as it is now ready on this device.

    Attributes:
        artefact, engine: its name and its engine's.
        by: what built it: the engine's own Python module, or `trtexec`.
        facts: what engine or tool say of it, the build's seconds and the plan's place among it.
    """

    artefact: str
    engine: str
    by: str
    facts: dict[str, Any]


def build_on_device(
    path: Path,
    *,
    artefact: str | None = None,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
    command: Command = run_here,
) -> tuple[BuiltHere, ...]:
    """Build every artefact of the bundle at `path` whose engine is built on its device, or the one called `artefact`.

    What is in the cache already is not built again. `options` go over those of the artefacts, and loading finds the
    engine again only under the same ones. `say` is told what is under way.

    Raises:
        BundleError: the bundle is damaged, or holds no such artefact.
        InputError: no artefact of it is built on a device, or an option is not known.
        MissingExtraError: neither the engine's Python module nor a tool that builds for it is here.
        EngineError: the engine refused the network; of several artefacts, the last one where it refused them all.
    """
    bundle = open_bundle(path)
    chosen = [bundle.artefact(artefact)] if artefact is not None else list(bundle.manifest.artefacts)
    ours = [one for one in chosen if one.engine in BUILDERS]
    if not ours:
        raise InputError(f"{path}: no artefact of it is built on a device ({', '.join(sorted(BUILDERS))} are)")
    built = []
    for one in ours:
        say(f"{one.name}: building for {one.engine} on this device, which can take minutes")
        try:
            built.append(_build(bundle, one, dict(options or {}), command))
        except EngineError as error:
            # A bundle may hold artefacts for several boards, of which this one builds its own.
            if len(ours) == 1 or (one is ours[-1] and not built):
                raise
            say(f"{one.name}: not built: {error}")
    return tuple(built)


def _build(bundle: Bundle, artefact: Artefact, options: dict[str, Any], command: Command) -> BuiltHere:
    asked = {**artefact.options, **options}
    try:
        open_engine = resolve("engine", artefact.engine)
    except MissingExtraError as error:
        if artefact.engine != "tensorrt":
            raise
        facts = by_trtexec(bundle, artefact, asked, command, error)
        return BuiltHere(artefact=artefact.name, engine=artefact.engine, by="trtexec", facts=facts)
    engine = open_engine(bundle.files_of(artefact), artefact.inputs, artefact.outputs, asked)
    try:
        return BuiltHere(artefact=artefact.name, engine=artefact.engine, by=artefact.engine, facts=engine.facts())
    finally:
        engine.close()
