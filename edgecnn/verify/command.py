"""Verification of a finished bundle on the machine at hand, as `edgecnn verify` asks for it."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from edgecnn.core.bundle import Artefact, open_bundle
from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.evidence import Gate, Verdict
from edgecnn.core.gate_rule import check
from edgecnn.core.recipe import VerifySection
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.recognise import recognise
from edgecnn.data.split import read_for
from edgecnn.runtime import load
from edgecnn.runtime.codec import codec_of
from edgecnn.verify.gates import gates
from edgecnn.verify.parity import parity
from edgecnn.verify.verify import tolerance_of, verify


def verify_bundle(
    bundle: Path, data: Path | None, form: str | None, max_drop: float, threads: int, rules: tuple[str, ...] = ()
) -> tuple[Gate, ...]:
    """Return the gates of every artefact whose engine is installed here; accuracy gates only where `data` is given.

    Without `form` the data set's format is the one that recognises it. `rules` are gates on figures and slices
    (`core/gate_rule.py`), judged on `data`.

    Raises:
        MissingExtraError: no artefact's engine is installed here.
        DataError: the data set is missing or broken.
    """
    settings = VerifySection(max_drop=max_drop, gates=rules)
    manifest = open_bundle(bundle).manifest
    if data is not None and not TASKS[manifest.task].metric:
        raise InputError(f"{bundle}: what its outputs mean is unknown, so labels can't judge them; leave out --data")
    if rules and data is None:
        raise InputError(f"gate '{rules[0]}' is judged on labels; give them with --data")
    for rule in rules:
        metric = TASKS[manifest.task].metric
        check(rule, {metric: resolve("metric", metric).higher_is_better})
    artefacts = [artefact for artefact in _runnable(manifest.artefacts) if _has_unit(bundle, artefact, threads)]
    if data is None:
        return gates([_parity_only(bundle, artefact, settings, threads) for artefact in artefacts], "", "", settings)
    codec = codec_of(manifest)
    samples = list(read_for(codec, recognise(data, form).name, data))
    names = [artefact.name for artefact in artefacts]
    with TemporaryDirectory() as folder:
        return verify(bundle, names, samples, settings, threads, Path(folder)).gates


def _parity_only(bundle: Path, artefact: Artefact, settings: VerifySection, threads: int) -> Verdict:
    tolerance = tolerance_of(artefact, settings)
    with closing(load(bundle, artefact=artefact.name, threads=threads)) as model:
        return Verdict(artefact.name, parity(model, tolerance), {})


def _has_unit(bundle: Path, artefact: Artefact, threads: int) -> bool:
    """Whether the GPU or NPU that the artefact asks for, if any, is in this machine."""
    if "device" not in artefact.options:
        return True
    try:
        load(bundle, artefact=artefact.name, threads=threads).close()
    except EngineError:
        return False
    return True


def _runnable(artefacts: tuple[Artefact, ...]) -> list[Artefact]:
    found: list[Artefact] = []
    missing: InputError | None = None
    for artefact in artefacts:
        try:
            resolve("engine", artefact.engine)
            found.append(artefact)
        except InputError as error:
            missing = error
    if not found and missing is not None:
        raise missing
    return found
