"""Which of a bundle's artefacts runs here: what was named, else the fastest that its engine and its gates allow."""

from collections.abc import Collection

from edgecnn.core.bundle import Artefact, Bundle
from edgecnn.core.errors import BundleError, InputError, MissingExtraError
from edgecnn.core.registry import ENGINES, resolve
from edgecnn.runtime.engine import OpenEngine

NULL = "null"


def choose_artefact(
    bundle: Bundle, engine: str | None, artefact: str | None, unfit: Collection[str] = ()
) -> tuple[Artefact, OpenEngine]:
    """Return an artefact of `bundle` and the opener of an engine that is installed here.

    Args:
        bundle: an opened bundle.
        engine: only artefacts of this engine; `null` opens any artefact and runs none of it.
        artefact: exactly this one, whether or not it passed its gates.
        unfit: names of artefacts that were tried and are for another device.

    Raises:
        InputError: no engine is called `engine`.
        BundleError: the bundle holds no fitting artefact, or every fitting one failed a gate.
        MissingExtraError: the engines of all fitting artefacts are not installed; it gives the commands.
    """
    opener = resolve("engine", engine) if engine is not None else None
    candidates: tuple[Artefact, ...]
    if artefact is not None:
        candidates = (bundle.artefact(artefact),)
        if engine not in (None, NULL, candidates[0].engine):
            raise BundleError(
                f"{bundle.path}: artefact '{artefact}' is for engine '{candidates[0].engine}', not '{engine}'"
            )
    else:
        candidates = tuple(one for one in _passed(bundle, engine) if one.name not in unfit)
        if not candidates:
            raise BundleError(f"{bundle.path}: what it holds is for other devices: {', '.join(unfit)}")
    if opener is not None:
        return candidates[0], opener
    return _first_installed(bundle, candidates)


def ranked(artefacts: tuple[Artefact, ...]) -> tuple[Artefact, ...]:
    """Return `artefacts` fastest first by a median latency they all have; the unmeasured follow, by registry order."""
    measured = [artefact for artefact in artefacts if artefact.latency]
    key = _common_median(measured)
    order = list(ENGINES)

    def rank(artefact: Artefact) -> tuple[float, int]:
        place = order.index(artefact.engine) if artefact.engine in order else len(order)
        return (artefact.latency[key].value if key in artefact.latency else float("inf"), place)

    return tuple(sorted(artefacts, key=rank))


def _common_median(measured: list[Artefact]) -> str:
    """Return the figure to rank by: a `...p50_ms` that every measured artefact has, single-stream before others."""
    if not measured:
        return ""
    common = set.intersection(*(set(artefact.latency) for artefact in measured))
    medians = sorted((key for key in common if key.endswith("p50_ms")), key=lambda k: ("single" not in k, len(k), k))
    return medians[0] if medians else ""


def _passed(bundle: Bundle, engine: str | None) -> tuple[Artefact, ...]:
    every = bundle.manifest.artefacts
    fitting = tuple(a for a in every if engine in (None, NULL, a.engine))
    if not fitting:
        found = ", ".join(sorted({a.engine for a in every})) or "none"
        raise BundleError(f"{bundle.path}: no artefact for engine '{engine}' (the bundle has: {found})")
    passed = ranked(tuple(a for a in fitting if a.passed is not False))
    if not passed:
        failed = ", ".join(a.name for a in fitting)
        raise BundleError(f"{bundle.path}: failed a gate: {failed}; to run one all the same, name it as the artefact")
    return passed


def _first_installed(bundle: Bundle, candidates: tuple[Artefact, ...]) -> tuple[Artefact, OpenEngine]:
    missing: dict[str, str] = {}
    for artefact in candidates:
        try:
            return artefact, resolve("engine", artefact.engine)
        except InputError as error:  # not installed, or known only to a newer edgecnn
            missing[artefact.engine] = str(error)
    raise MissingExtraError(f"{bundle.path}: nothing in it can run here: {'; '.join(missing.values())}")
