"""The order of the stages, and the one loop that runs them. Nothing else knows what comes after what."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgecnn.core import atomic, evidence
from edgecnn.core.errors import GateError, InputError
from edgecnn.core.evidence import VerifyResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import Entry, choose, import_entry
from edgecnn.core.stage import Job, Stage
from edgecnn.core.store import Store, code_digest, stage_key

STAGES: dict[str, Entry] = {
    "data": Entry("edgecnn.data.stage:DataStage"),
    "train": Entry("edgecnn.train.stage:TrainStage", "train"),
    "compress": Entry("edgecnn.compress_model.stage:CompressStage", "compress"),
    "export": Entry("edgecnn.export.stage:ExportStage", "export"),
    "quantize": Entry("edgecnn.compress.quantize.stage:QuantizeStage", "quantize"),
    "qat": Entry("edgecnn.compress_model.qat_stage:QatStage", "compress"),
    "compile": Entry("edgecnn.compile.stage:CompileStage", "export"),
    "verify": Entry("edgecnn.verify.stage:VerifyStage"),
    "bench": Entry("edgecnn.bench.stage:BenchStage"),
    "seal": Entry("edgecnn.seal.stage:SealStage"),
    "report": Entry("edgecnn.report.stage:ReportStage", "report"),
}
PUBLISHED = {"seal": "bundle", "report": "report"}


@dataclass(frozen=True)
class Run:
    """Where each finished stage's result stands, and what the gates said (None when verify was not reached)."""

    stages: dict[str, Path]
    verify: VerifyResult | None

    def raise_for_gates(self) -> None:
        """Raise `GateError` with every sentence of a gate that failed."""
        if self.verify is not None and not self.verify.passed:
            raise GateError("; ".join(gate.text for gate in self.verify.gates if not gate.passed))


def run(recipe: Recipe, workdir: Path, *, start: str | None = None, until: str | None = None) -> Run:
    """Run the recipe's stages in order; finished ones are taken from `workdir`'s store.

    `start` makes that stage and the later ones anew, `until` is the last one run. The bundle and the report are
    published to `workdir/bundle` and `workdir/report`; after a failed gate the bundle is withheld.
    """
    for name in (start, until):
        if name is not None:
            choose("stage", STAGES, name)
    order = list(STAGES)
    if start and until and order.index(start) > order.index(until):
        raise InputError(f"--from {start} comes after --until {until}: nothing would be made anew")
    store = Store(workdir / "store")
    store.root.mkdir(parents=True, exist_ok=True)
    names = order[: order.index(until) + 1] if until else order
    stages: dict[str, Stage] = {name: import_entry(STAGES[name], f"stage '{name}'")() for name in names}
    done: dict[str, Path] = {}
    digests: dict[str, str] = {}
    fresh = False
    for number, (name, stage) in enumerate(stages.items(), 1):
        fresh = fresh or name == start
        inputs = {need: digests[need] for need in stage.needs}
        key = stage_key(code_digest(stage.code), inputs, stage.parameters(recipe))
        say = _teller(f"[{number}/{len(stages)}] {name:<9}")
        done[name] = _stage(store, stage, key, recipe, {need: done[need] for need in stage.needs}, fresh=fresh, say=say)
        digests[name] = store.digest(name, key)
    verdict = evidence.read(done["verify"] / "verify.json", VerifyResult) if "verify" in done else None
    result = Run(done, verdict)
    _publish(result, recipe, workdir)
    return result


def _stage(
    store: Store,
    stage: Stage,
    key: str,
    recipe: Recipe,
    inputs: Mapping[str, Path],
    *,
    fresh: bool,
    say: Callable[[str], None],
) -> Path:
    with store.lock(stage.name, key):
        found = store.find(stage.name, key)
        if found is not None and not fresh:
            say("done before")
            return found
        say("...")
        started = time.monotonic()
        partial = store.partial(stage.name, key)
        out = partial / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        stage.run(Job(recipe, inputs, out, partial))
        stage.ensures(out)
        folder = store.commit(stage.name, key, out)
        say(f"done in {time.monotonic() - started:.0f} s")
        return folder


def _publish(result: Run, recipe: Recipe, workdir: Path) -> None:
    """Copy bundle and report out of the store, and say in `run.json` where each stage's result stands."""
    passed = None if result.verify is None else result.verify.passed
    with atomic.locked(workdir / "store" / "locks" / "publish"):
        if passed is False:
            shutil.rmtree(workdir / PUBLISHED["seal"], ignore_errors=True)
        for stage, name in PUBLISHED.items():
            if stage not in result.stages or (stage == "seal" and passed is False):
                continue
            source = result.stages[stage] / "bundle" if stage == "seal" else result.stages[stage]
            with atomic.new_folder(workdir / name) as folder:
                shutil.copytree(source, folder, dirs_exist_ok=True)
        record: dict[str, Any] = {
            "recipe": msgspec.to_builtins(recipe),
            "passed": passed,
            "stages": {name: os.path.relpath(path, workdir) for name, path in result.stages.items()},
        }
        # A run up to an early stage does not forget what a whole one left.
        if list(result.stages) == list(STAGES) or not (workdir / "run.json").exists():
            atomic.write_bytes(workdir / "run.json", msgspec.json.format(msgspec.json.encode(record), indent=1))


def _teller(head: str) -> Callable[[str], None]:
    def say(text: str) -> None:
        sys.stderr.write(f"{head} {text}\n")
        sys.stderr.flush()

    return say
