"""Which people there are: how they are built and dressed, what they do and carry."""

import math

import numpy as np

from edgecnn.data.road.people.measures import sample_measures
from edgecnn.data.road.people.outfit import sample_outfit
from edgecnn.data.road.people.person import Person
from edgecnn.data.road.people.pose import sample_pose

_ACTIONS = (
    ("walking", 0.46), ("standing", 0.2), ("waiting", 0.1), ("phone", 0.08), ("calling", 0.03), ("reaching", 0.03),
    ("running", 0.04), ("crouching", 0.03), ("bending", 0.03),
)  # fmt: skip


def sample_person(
    rng: np.random.Generator,
    along: float,
    offset: float,
    *,
    kind: str = "pedestrian",
    action: str | None = None,
    heading_rad: float | None = None,
    up_m: float = 0.0,
    child: bool | None = None,
) -> Person:
    """Return a random person of this kind (KINDS) at a place; what is None is drawn as streets have it.

    `action` is one of ACTIONS. Whoever walks or runs goes along the road more often than across it.
    """
    young = bool(rng.random() < 0.12) if child is None else child
    feminine = bool(rng.random() < 0.5)
    drawn = str(rng.choice([name for name, _ in _ACTIONS], p=[rate for _, rate in _ACTIONS]))
    if kind != "pedestrian":
        drawn = "sitting"
    turn = float(rng.uniform(0, 2 * math.pi))
    return Person(
        kind=kind,
        along=along,
        offset=offset,
        heading_rad=turn if heading_rad is None else heading_rad,
        up_m=up_m,
        measures=sample_measures(rng, child=young, feminine=feminine),
        pose=sample_pose(rng, action or drawn),
        outfit=sample_outfit(rng, child=young, feminine=feminine, rider=kind == "rider"),
    )
