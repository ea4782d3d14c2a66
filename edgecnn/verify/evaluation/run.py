"""The whole of an evaluation, as `edgecnn eval` asks for it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecnn.core.bundle import MANIFEST
from edgecnn.core.errors import DataError, InputError, MissingExtraError
from edgecnn.core.eval_evidence import EvalResult
from edgecnn.core.evidence import Gate
from edgecnn.core.gate_rule import check
from edgecnn.core.measure import Measurement
from edgecnn.core.progress import bar
from edgecnn.core.registry import Entry, import_entry, known, nearest, resolve
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import read
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import Sample, read_image
from edgecnn.runtime import load
from edgecnn.runtime.codec import Codec
from edgecnn.verify.accuracy import figures
from edgecnn.verify.evaluation.answers import OBJECTS, Answers, kind_of
from edgecnn.verify.evaluation.curves import curves
from edgecnn.verify.evaluation.fitting import Judged, fitting
from edgecnn.verify.evaluation.read_answers import DataSet, read_answers
from edgecnn.verify.evaluation.tables import counted, tables
from edgecnn.verify.evaluation.worst import worst
from edgecnn.verify.slice_gates import slice_gate

PYCOCOTOOLS: Final = Entry("edgecnn.verify.evaluation.pycocotools_figures:figures", "eval")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be evaluated on what.

    Attributes:
        source: a bundle, or predictions.
        data: folder of the labelled data set.
        form: its format; empty for the one that recognises it.
        labels: its label files, relative to it; empty for all.
        metrics: names; empty for all that fit.
        rules: gates (`core/gate_rule.py`).
        artefact, threads: of a bundle: which artefact (empty: the best here), and engine threads.
    """

    source: Path
    data: Path
    form: str = ""
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    artefact: str = ""
    threads: int = 2


def evaluate(question: Question, out: Path | None = None) -> EvalResult:
    """Return every figure with its interval, by condition, and gates; the worst frames go below `out`.

    Raises:
        InputError: an argument is wrong, or a gate can't be read.
        DataError: the data set or the predictions are broken, or don't belong together.
        MissingExtraError: the bundle's engine is not installed here.
    """
    _check_names(question)
    form = recognise(question.data, question.form or None).name
    samples = list(read(form, question.data, question.labels))
    if not samples:
        raise DataError(f"{question.data}: holds no picture")
    answers, codec = _answers(question, DataSet(question.data, form, question.labels, samples))
    judged = fitting(answers, samples, question.metrics, codec)
    rules = [check(rule, {one.metric.name: one.metric.higher_is_better for one in judged}) for rule in question.rules]
    with bar("figures", 0) as shown:
        found = {one.metric.name: figures(one.metric, one.scores, answers.source) for one in judged}
        conditions = tables(judged, answers.source, shown.advance)
        gates = tuple(_gate(rule, judged, answers.source) for rule in rules)
    objects, lines = counted(judged)
    whole = next((one for one in judged if one.kind == answers.kind), judged[0])
    return EvalResult(
        source=answers.source,
        data=str(question.data),
        form=form,
        frames=len(samples),
        objects=objects,
        lines=lines,
        figures=found,
        lower_is_better=_lower(judged),
        published=_published(judged),
        conditions=conditions,
        curves=curves(judged),
        gates=gates,
        gallery=worst(judged, whole, out, answers.source) if out is not None else (),
        drawing=kind_of(whole.results[0]),
        notes=(*answers.notes, *_undefined(judged, found)),
    )


def _check_names(question: Question) -> None:
    for name in question.metrics:
        if name not in known("metric"):
            raise InputError(f"unknown metric '{name}'{nearest(name, known('metric'))}")
    every = {name: resolve("metric", name).higher_is_better for name in known("metric")} if question.rules else {}
    for rule in question.rules:
        check(rule, every)


def _answers(question: Question, data: DataSet) -> tuple[Answers, Codec | None]:
    if not question.source.exists():
        raise InputError(f"{question.source}: no such file or folder; give a bundle or predictions")
    if question.source.suffix == ".edge" or (question.source / MANIFEST).is_file():
        return _run(question, data.samples)
    return read_answers(question.source, data), None


def _run(question: Question, samples: Sequence[Sample]) -> tuple[Answers, Codec]:
    chosen = question.artefact or None
    results = []
    with closing(load(question.source, artefact=chosen, threads=question.threads, candidates=True)) as model:
        with bar("running", len(samples)) as shown:
            for sample in samples:
                results.append(model(read_image(sample.image)))
                shown.advance()
        source = f"{question.source.name} {model.artefact.name}"
    return Answers(kind_of(results[0]), source, results), model.codec


def _gate(rule: Any, judged: Sequence[Judged], source: str) -> Gate:
    metrics = {one.metric.name: one.metric for one in judged}
    name, _, figure = rule.figure.rpartition(".")
    own = next(one for one in judged if name in {"", one.metric.name} and figure in one.metric.higher_is_better)
    return slice_gate(rule, source, own.results, own.samples, {own.metric.name: metrics[own.metric.name]})


def _lower(judged: Sequence[Judged]) -> tuple[str, ...]:
    return tuple(
        f"{one.metric.name}.{name}"
        for one in judged
        for name, higher in one.metric.higher_is_better.items()
        if not higher
    )


def _published(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Return pycocotools' own figures where objects are judged by COCO and it is installed."""
    own = next((one for one in judged if one.metric.name == "coco" and one.kind == OBJECTS), None)
    if own is None:
        return {}
    try:
        told = import_entry(PYCOCOTOOLS, "COCO's own figures")
    except MissingExtraError:
        return {}
    pairs = [(result, sample.truth) for result, sample in zip(own.results, own.samples, strict=True)]
    return {"pycocotools": told(pairs)}


def _undefined(judged: Sequence[Judged], found: Mapping[str, Mapping[str, Measurement]]) -> list[str]:
    notes = []
    for one in judged:
        absent = [name for name in one.metric.higher_is_better if name not in found[one.metric.name]]
        if absent:
            verb = "speaks" if len(absent) == 1 else "speak"
            notes.append(f"{one.metric.name}: the labels hold nothing that {', '.join(absent)} {verb} of")
        bare = sum(isinstance(sample.truth, Lanes) and not sample.truth.lines for sample in one.samples)
        if bare and one.metric.name == "tusimple":
            notes.append(
                f"tusimple: {bare} frames have no labelled line; the published evaluator gives them accuracy 0"
            )
    return notes
