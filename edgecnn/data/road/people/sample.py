"""Which people there are: how they are built and dressed, what they do and carry."""

import math
from dataclasses import replace

import numpy as np

from edgecnn.data.road.people.cycles import Cycle
from edgecnn.data.road.people.loads import WOOD, Load
from edgecnn.data.road.people.measures import sample_measures
from edgecnn.data.road.people.outfit import sample_outfit
from edgecnn.data.road.people.patterns import CLOTH, pick, vivid
from edgecnn.data.road.people.person import Person
from edgecnn.data.road.people.pose import Pose, sample_pose

_ACTION_RATES = (
    ("walking", 0.46), ("standing", 0.2), ("waiting", 0.1), ("phone", 0.08), ("calling", 0.03), ("reaching", 0.03),
    ("running", 0.04), ("crouching", 0.03), ("bending", 0.03),
)  # fmt: skip
_NAMES = [name for name, _ in _ACTION_RATES]
_RATES = np.array([rate for _, rate in _ACTION_RATES])


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
    young = bool(rng.random() < (0.12 if kind == "pedestrian" else 0.05)) if child is None else child
    feminine = bool(rng.random() < (0.5 if kind == "pedestrian" else 0.38))
    drawn = str(rng.choice(_NAMES, p=_RATES))
    chosen = {"rider": "riding", "sitting person": "sitting"}.get(kind, action or drawn)
    turn = float(rng.uniform(0, 2 * math.pi))
    measures = sample_measures(rng, child=young, feminine=feminine)
    pose = sample_pose(rng, chosen)
    cycle = _cycle(rng) if kind == "rider" else None
    if cycle and cycle.name == "scooter":
        pose = replace(pose, lean=min(pose.lean, 0.15), pelvis_tilt=0.0)
    return Person(
        kind=kind,
        along=along,
        offset=offset,
        heading_rad=turn if heading_rad is None else heading_rad,
        up_m=up_m,
        measures=measures,
        pose=pose,
        outfit=sample_outfit(rng, child=young, feminine=feminine, rider=kind == "rider"),
        loads=_loads(rng, kind, pose, feminine=feminine, child=young),
        cycle=cycle,
    )


def _cycle(rng: np.random.Generator) -> Cycle:
    paint = vivid(rng) if rng.random() < 0.5 else pick(rng, CLOTH)
    if rng.random() < 0.2:
        return Cycle("scooter", paint, float(rng.uniform(0.22, 0.27)), float(rng.uniform(-0.02, 0.06)), 0.0)
    low, crank = float(rng.uniform(-0.05, 0.22)), float(rng.uniform(0, 2 * math.pi))
    return Cycle("bicycle", paint, float(rng.uniform(0.31, 0.36)), low, crank)


def _loads(rng: np.random.Generator, kind: str, pose: Pose, *, feminine: bool, child: bool) -> tuple[Load, ...]:
    action, raised = pose.name, int(pose.arms[1].elbow > pose.arms[0].elbow)

    def load(name: str, low: float = 0.85, high: float = 1.2) -> Load:
        color = vivid(rng) if rng.random() < 0.3 else pick(rng, CLOTH)
        return Load(name, color, int(rng.random() < 0.6), float(rng.uniform(low, high)))

    found = []
    if kind == "sitting person":
        seat = str(rng.choice(["bench", "chair", "wheelchair", ""], p=[0.45, 0.25, 0.1, 0.2]))
        found += [Load(seat, WOOD if seat == "bench" else vivid(rng))] if seat else []
    elif action in ("phone", "calling"):
        found.append(Load("phone", (24.0, 24.0, 24.0) if rng.random() < 0.7 else (200.0, 200.0, 205.0), raised))
    elif kind == "pedestrian" and not child and action in ("walking", "standing", "waiting"):
        draw = rng.random()
        for name, below in (
            ("pram", 0.05),
            ("umbrella", 0.09),
            ("trolley", 0.14),
            ("bag", 0.28),
            ("case", 0.31),
            ("box", 0.33),
        ):
            if draw < below:
                found.append(load(name))
                break
    if kind != "sitting person" and rng.random() < 0.24:
        found.append(load("rucksack", 0.8, 1.15))
    elif kind == "pedestrian" and not child and rng.random() < (0.38 if feminine else 0.1):
        found.append(load("shoulder bag", 0.7, 1.3))
    return tuple(found)
