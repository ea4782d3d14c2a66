"""The work behind `edgecnn infer`: frames through a model, results as JSON lines, overlays as pictures or video."""

import itertools
import json
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeAlias, final

import numpy as np

from edgecnn.cli.overlay import Overlay, open_overlay
from edgecnn.core.errors import EdgecnnError, InputError
from edgecnn.core.progress import bar
from edgecnn.core.registry import TASKS, choose, resolve
from edgecnn.core.results import Frame, Result
from edgecnn.data.frames import FrameSource
from edgecnn.runtime.model import Model
from edgecnn.runtime.stream import FrameStream

RESULTS = "results.jsonl"

Rows: TypeAlias = Generator[tuple[dict[str, Any], Frame | None], None, None]


@final
class TimedModel:
    """A model that remembers how long the parts of its last call took, in milliseconds."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.ms: dict[str, float] = {}

    def __call__(self, frame: Frame) -> Result:
        """Return the model's result and keep `pre`, `engine` and `post`."""
        start = time.perf_counter()
        feeds = self._model.preprocess(frame)
        fed = time.perf_counter()
        outputs = self._model.infer(feeds)
        run = time.perf_counter()
        result = self._model.postprocess(outputs, frame.shape[1], frame.shape[0])
        end = time.perf_counter()
        self.ms = {"pre": (fed - start) * 1e3, "engine": (run - fed) * 1e3, "post": (end - run) * 1e3}
        return result


def run(model: Model, source: FrameSource, out: Path, *, limit: int | None, overlay: bool) -> dict[str, Any]:
    """Run `model` over at most `limit` frames of `source`, write what is asked for below `out`, return a summary.

    Files get their final names only when they are whole. A camera that fails, or Ctrl-C on one, ends the run, and what
    it gave until then is kept; the failure is raised after that.

    Raises:
        InputError: the results or the overlay can't be written.
        BundleError: the network takes no camera frames.
        DataError: a frame can't be read.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: results can't be written there ({error.strerror}); choose another --out") from error
    timed, summary = TimedModel(model), _summary_head(model, source)
    if overlay and not TASKS[summary["task"]].drawing:
        overlay = False
        summary["notes"].append(f"nothing was drawn: what the outputs of a '{summary['task']}' network mean is unknown")
    partial = out / f".{RESULTS}.tmp"
    spent: list[dict[str, float]] = []
    try:
        with partial.open("w", encoding="utf-8") as lines, _overlay(source, out, wanted=overlay) as pictures:
            rows = _rows(timed, source, summary, limit, drawn=overlay)
            failure = _write(rows, lines, pictures, timed, spent, keep=source.kind == "camera")
        partial.replace(out / RESULTS)
    finally:
        partial.unlink(missing_ok=True)
    if failure is not None:
        raise failure
    if limit is None and source.count is not None and len(spent) < source.count:
        summary["notes"].append(f"{source.name}: {len(spent)} of {source.count} frames could be read; is it cut off?")
    medians = {part: round(float(np.median([ms[part] for ms in spent])), 4) for part in (spent[0] if spent else ())}
    files = [RESULTS, *(pictures.files if pictures is not None else ())]
    return summary | {"frames": len(spent), "median_ms": medians, "out": str(out), "files": files}


def _write(
    rows: Rows,
    lines: IO[str],
    pictures: Overlay | None,
    timed: TimedModel,
    spent: list[dict[str, float]],
    *,
    keep: bool,
) -> EdgecnnError | None:
    """Write rows and pictures to the end; with `keep`, Ctrl-C ends it and an error after the first row is returned."""
    try:
        with closing(rows):
            for row, drawn in rows:
                lines.write(json.dumps(row) + "\n")
                spent.append(timed.ms)
                if pictures is not None and drawn is not None:
                    pictures.add(row["frame"], drawn)
    except KeyboardInterrupt:
        if not keep:
            raise
    except EdgecnnError as error:
        if not (keep and spent):
            raise
        return error
    return None


def _rows(timed: TimedModel, source: FrameSource, summary: dict[str, Any], limit: int | None, *, drawn: bool) -> Rows:
    """Yield each frame's row of JSON and, if wanted, the frame drawn on, under a progress bar."""
    drawing = choose("task", TASKS, summary["task"]).drawing
    draw = resolve("drawing", drawing) if drawing and drawn else None
    with bar("infer", limit or source.count or 0) as shown, closing(_results(timed, source, summary)) as results:
        for place, frame, result in itertools.islice(results, limit):
            ms = {part: round(value, 4) for part, value in timed.ms.items()}
            row = {"source": source.name, **place, "ms": ms, "result": result.to_json()}
            label = f"{summary['artefact']} {ms['engine']:.1f} ms"
            yield row, draw(frame, result, label=label) if draw is not None else None
            shown.advance(1, f"{sum(ms.values()):.1f} ms")


def _results(
    timed: TimedModel, source: FrameSource, summary: dict[str, Any]
) -> Generator[tuple[dict[str, Any], Frame, Result], None, None]:
    """Yield (name, index and age of a frame, the frame, its result); a camera goes through `FrameStream`."""
    if source.kind != "camera":
        for index, (name, frame) in enumerate(source):
            yield {"frame": name, "index": index}, frame, timed(frame)
        return
    stream = FrameStream(timed, source)
    try:
        with stream:
            for item in stream:
                yield (
                    {"frame": item.name, "index": item.index, "age_ms": round(item.age_ms, 3)},
                    item.frame,
                    item.result,
                )
    finally:
        summary["camera"] = asdict(stream.counts)


def _overlay(source: FrameSource, out: Path, *, wanted: bool) -> AbstractContextManager[Overlay | None]:
    return open_overlay(source, out) if wanted else nullcontext()


def _summary_head(model: Model, source: FrameSource) -> dict[str, Any]:
    return {
        "bundle": str(model.bundle.path),
        "task": model.bundle.manifest.task,
        "source": source.name,
        "artefact": model.artefact.name,
        "engine": model.engine.name,
        "notes": [],
    }
