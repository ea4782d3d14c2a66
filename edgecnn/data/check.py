"""Read all of a data set, count what it holds and list what is wrong."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.data.check_sample import Finding, findings, parts
from edgecnn.data.formats.format import Fault, Format, picture_kind
from edgecnn.data.formats.table import Table, temporary_table
from edgecnn.data.recognise import recognise
from edgecnn.data.sample import PictureError, Sample, image_bytes, image_size, read_image

MOST_LISTED = 20
# Sizes, tags and classes are listed by name; a set where each picture has its own must not fill the memory.
_MOST_NAMES = 1000


@dataclass(slots=True)
class Report:
    """What a data set holds and what is wrong with it.

    Attributes:
        root: its folder.
        form: its format.
        frames: labels that could be read.
        empty: those with neither a lane line nor an object.
        lanes: lane lines in all; None where the labels say nothing of lanes.
        objects: objects by class; None where the labels say nothing of objects.
        ignored: objects that are to be ignored.
        tags: frames by tag.
        sizes: frames by size, as "1280x720".
        counts: how often each kind of thing is wrong.
        listed: the first of each kind.
        shown: some samples, evenly drawn from the whole set.
    """

    root: Path
    form: str
    frames: int = 0
    empty: int = 0
    lanes: int | None = None
    objects: Counter[str] | None = None
    ignored: int = 0
    tags: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    listed: dict[str, list[Finding]] = field(default_factory=dict)
    shown: list[Sample] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How much is wrong in all."""
        return self.counts.total()

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers."""
        return {
            "folder": str(self.root),
            "format": self.form,
            "frames": self.frames,
            "empty": self.empty,
            "lanes": self.lanes,
            "objects": None if self.objects is None else dict(self.objects),
            "ignored": self.ignored,
            "tags": dict(self.tags),
            "sizes": dict(self.sizes),
            "wrong": {
                kind: {
                    "count": count,
                    "listed": [{"where": one.where, "text": one.text} for one in self.listed[kind]],
                }
                for kind, count in self.counts.items()
            },
        }


def count(form: Format, root: Path, labels: tuple[str, ...] = ()) -> int:
    """Return how many entries a data set has, without a look at its pictures beyond their sizes."""
    return sum(1 for _ in form.entries(root, labels))


def check(
    root: Path,
    form: str | None = None,
    labels: tuple[str, ...] = (),
    *,
    most: int = MOST_LISTED,
    keep: int = 0,
    reach: Callable[[int], None] | None = None,
) -> Report:
    """Read every label and open every picture of the data set in `root`; go on behind what is wrong.

    Memory does not grow with the data set.

    Args:
        root: its folder.
        form: its format; by default the one that recognises the folder.
        labels: label files relative to `root`; by default all of them.
        most: how many of each kind of fault are listed; the others are counted.
        keep: how many samples to draw at random into `Report.shown`.
        reach: called with the number of entries done.

    Raises:
        DataError: no format recognises the folder, or a label file can't be opened.
    """
    root = Path(root)
    read_by = recognise(root, form)
    report = Report(root, read_by.name)
    # The same pictures each time: what was seen once can be looked at again.
    rng = random.Random(0)  # noqa: S311 - no secret
    done = 0
    with temporary_table() as seen:
        for done, entry in enumerate(read_by.entries(root, labels), 1):
            found = [entry_fault(entry)] if isinstance(entry, Fault) else _look_at(entry, report, seen)
            for one in found:
                report.counts[one.kind] += 1
                listed = report.listed.setdefault(one.kind, [])
                listed += [one] if len(listed) < most else []
            if isinstance(entry, Sample):
                _keep(entry, report, keep, rng)
            if reach is not None:
                reach(done)
    if not done:
        report.counts["no entries"] = 1
        report.listed["no entries"] = [Finding("no entries", str(root), "the label files hold no entry")]
    return report


def entry_fault(fault: Fault) -> Finding:
    """Return what an entry that can't be read is listed as."""
    return Finding(fault.kind, fault.where, fault.text)


def _look_at(sample: Sample, report: Report, seen: Table) -> list[Finding]:
    _count(sample, report)
    found = [Finding(remark.kind, sample.where, remark.text) for remark in sample.remarks]
    found += findings(sample.truth, sample.where)
    again = _repeated("duplicate picture", f"{sample.image}: labelled before, at", str(sample.image), sample, seen)
    try:
        height, width = read_image(sample.image).shape[:2]
        digest = hashlib.blake2b(image_bytes(sample.image), digest_size=16).hexdigest()
        if (width, height) != (sample.truth.width, sample.truth.height):
            told = f"{width}x{height} pixels, the label speaks of {sample.truth.width}x{sample.truth.height}"
            found.append(Finding("picture size", sample.where, f"{sample.image}: {told}"))
        again = again or _repeated(
            "duplicate content", f"{sample.image}: has the same bytes as the picture at", digest, sample, seen
        )
        if sample.masks is not None and image_size(sample.masks) != (width, height):
            found.append(Finding("mask size", sample.where, f"{sample.masks}: not of its picture's size"))
    except PictureError as error:
        found.append(Finding(picture_kind(error), sample.where, str(error)))
    return found + again


def _repeated(kind: str, text: str, key: str, sample: Sample, seen: Table) -> list[Finding]:
    """Return a finding where the table `seen` has `key` already, and put it there otherwise."""
    found = seen.get(key.encode())
    if found:
        return [Finding(kind, sample.where, f"{text} {found[0].decode()}")]
    seen.put([(key.encode(), sample.where.encode())])
    return []


def _count(sample: Sample, report: Report) -> None:
    lanes, objects = parts(sample.truth)
    report.frames += 1
    report.empty += not ((lanes and lanes.lines) or (objects is not None and len(objects)))
    _add(report.sizes, f"{sample.truth.width}x{sample.truth.height}")
    for tag in sample.tags:
        _add(report.tags, tag)
    if lanes is not None:
        report.lanes = (report.lanes or 0) + len(lanes.lines)
    if objects is not None:
        report.objects = Counter() if report.objects is None else report.objects
        report.ignored += int(objects.ignored.sum())
        for label in objects.labels.tolist():
            _add(report.objects, objects.names[label] if 0 <= label < len(objects.names) else str(label))


def _add(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_NAMES else "others"] += 1


def _keep(sample: Sample, report: Report, most: int, rng: random.Random) -> None:
    """Keep each sample so far with the same chance (Vitter, 1985, algorithm R)."""
    if len(report.shown) < most:
        report.shown.append(sample)
    elif most and (place := rng.randrange(report.frames)) < most:
        report.shown[place] = sample
