"""What makes a scene one with people: its ground, what stands there, and who."""

import math
from dataclasses import dataclass

import numpy as np

from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.street.backdrop import Backdrop, sample_backdrop
from edgecnn.data.road.street.crowd import Someone, sample_crowd
from edgecnn.data.road.street.floor import Finish, sample_finish
from edgecnn.data.road.street.furniture import Item, sample_furniture
from edgecnn.data.road.street.parked import sample_parked
from edgecnn.data.road.street.place import Place
from edgecnn.data.road.street.section import Section, sample_plain, sample_square, sample_street
from edgecnn.data.road.traffic import Vehicle


@dataclass(frozen=True, slots=True)
class Street:
    """A scene's ground, what stands on it and its people; of an open road, only people.

    `beyond` is the ground behind the pavements; `backdrop` the wall behind everything, if there is one.
    """

    section: Section
    finish: Finish
    beyond: Finish
    parked: tuple[Vehicle, ...]
    items: tuple[Item, ...]
    people: tuple[Someone, ...]
    backdrop: Backdrop | None

    @property
    def end_m(self) -> float:
        """Return how far the ground goes before a wall ends it."""
        return self.backdrop.along if self.backdrop else math.inf


def sample_section(rng: np.random.Generator, kind: str, *, worn: bool) -> Section:
    """Return the ground of a street, a square or a plain scene."""
    if kind == "street":
        return sample_street(rng, worn=worn)
    return sample_square(rng) if kind == "square" else sample_plain(rng)


def people_street(
    streams: dict[str, np.random.Generator],
    section: Section,
    camera: Camera,
    alignment: Alignment,
    traffic: tuple[Vehicle, ...],
) -> Street:
    """Return what stands on `section` and who is there."""
    floors = streams["floors"]
    parked = sample_parked(streams["parked"], section)
    items = sample_furniture(streams["furniture"], section)
    backdrop = sample_backdrop(streams["backdrop"]) if section.kind == "plain" else None
    place = Place(camera, alignment, section, (*traffic, *parked), items, backdrop.along if backdrop else math.inf)
    crowd = sample_crowd(streams["crowd"], place)
    if backdrop:
        items = tuple(item for item in items if item.along < backdrop.along - 0.3)
    finish = sample_finish(floors, section.kind)
    return Street(section, finish, sample_finish(floors, "plain"), parked, items, crowd, backdrop)
