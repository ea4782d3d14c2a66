"""Everything that makes up one scene, drawn from (seed, index) before a pixel is painted."""

from dataclasses import dataclass, replace

import numpy as np

from edgecnn.core.results import Lanes
from edgecnn.data.road.alignment import Alignment, sample_alignment, straight
from edgecnn.data.road.camera import Camera, sample_camera, sample_hand_camera
from edgecnn.data.road.conditions import KINDS, Conditions, sample_conditions, sample_people_conditions
from edgecnn.data.road.labels import label
from edgecnn.data.road.layout import Layout, sample_layout
from edgecnn.data.road.light import Light, sample_light
from edgecnn.data.road.overhead import Structure, sample_structures
from edgecnn.data.road.roadside import Roadside, sample_roadside
from edgecnn.data.road.sensor import Sensor, sample_sensor
from edgecnn.data.road.street.floor import lay
from edgecnn.data.road.street.plan import Street, people_street, sample_section
from edgecnn.data.road.street.section import Section
from edgecnn.data.road.street.sides import sample_sides
from edgecnn.data.road.surface import Surface, sample_surface
from edgecnn.data.road.traffic import Vehicle, sample_traffic
from edgecnn.data.road.tunnel import Tunnel, sample_tunnel

# Each part draws from a stream of its own, so that a change to one leaves the others as they were.
_PARTS = (
    "conditions", "camera", "alignment", "layout", "light", "surface", "roadside", "traffic", "structures", "sensor",
    "paint", "sky", "shadows", "marks", "weather", "grain",
)  # fmt: skip
# What scenes with people draw beside that.
_PEOPLE_PARTS = ("section", "floors", "parked", "crowd", "furniture", "backdrop", "sides")
# Keeps their streams apart from those of the same seed and index without people.
_WITH_PEOPLE = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """One scene before it is painted.

    `streams` holds the random numbers that painting itself draws, by part; a plan is painted once. `street` is what
    scenes with people have beside the road; None for the others, whose objects nobody labels.
    """

    conditions: Conditions
    camera: Camera
    alignment: Alignment
    layout: Layout
    light: Light
    surface: Surface
    roadside: Roadside
    traffic: tuple[Vehicle, ...]
    structures: tuple[Structure, ...]
    tunnel: Tunnel | None
    sensor: Sensor
    streams: dict[str, np.random.Generator]
    street: Street | None = None

    @property
    def label_reach_m(self) -> float:
        """How far a person could follow a line: to the air's limit, at night to the end of the lamps' light."""
        dark = self.light.time == "night" and self.light.street_lamps == 0
        return min(70.0 if dark else 220.0, 2.6 * self.light.haze_m)

    @property
    def lanes(self) -> Lanes:
        """The exact labels."""
        hiding = tuple(wall for wall in self.roadside.walls if wall.hides)
        return label(self.camera, self.alignment, self.layout, self.label_reach_m, hiding)


def sample_plan(seed: int, index: int, width: int, height: int, wanted: tuple[str, ...]) -> Plan:
    """Return the plan of scene `index` of set `seed`; the same arguments give the same plan anywhere."""
    streams = _streams(_PARTS, seed, index)
    return _road(streams, sample_conditions(streams["conditions"], wanted), width, height)


def _road(streams: dict[str, np.random.Generator], shown: Conditions, width: int, height: int) -> Plan:
    layout = sample_layout(streams["layout"], kind=shown.kind, worn="worn" in shown)
    light = sample_light(streams["light"], shown.time, shown.weather)
    tunnel = None
    if "tunnel" in shown:
        layout, tunnel = sample_tunnel(streams["structures"], layout)
        light = tunnel.light(light)
    dark = light.brightness < 0.4
    return Plan(
        conditions=shown,
        camera=sample_camera(streams["camera"], width, height),
        alignment=sample_alignment(streams["alignment"], curved="curve" in shown, urban=shown.kind == "urban"),
        layout=layout,
        light=light,
        surface=sample_surface(streams["surface"], layout),
        roadside=tunnel.sides() if tunnel else sample_roadside(streams["roadside"], layout),
        traffic=sample_traffic(streams["traffic"], layout, occluded="occluded" in shown),
        structures=() if tunnel else sample_structures(streams["structures"], layout, bridge="bridge" in shown),
        tunnel=tunnel,
        sensor=sample_sensor(streams["sensor"], dark=dark, scale=width / 640),
        streams=streams,
    )


def sample_people_plan(seed: int, index: int, width: int, height: int, wanted: tuple[str, ...]) -> Plan:
    """Return the plan of scene `index` of the set `seed` of scenes with people."""
    streams = _streams((*_PARTS, *_PEOPLE_PARTS), seed, index, _WITH_PEOPLE)
    shown = sample_people_conditions(streams["conditions"], wanted)
    if shown.kind in KINDS:
        return _with_people(_road(streams, shown, width, height))
    light = sample_light(streams["light"], shown.time, shown.weather)
    section = sample_section(streams["section"], shown.kind, worn="worn" in shown)
    sees = sample_camera if shown.kind == "street" else sample_hand_camera
    camera = sees(streams["camera"], width, height)
    alignment = sample_alignment(streams["alignment"], curved="curve" in shown, urban=True)
    surface = sample_surface(streams["surface"], section.layout)
    traffic: tuple[Vehicle, ...] = ()
    if shown.kind == "street":
        traffic = sample_traffic(streams["traffic"], section.layout, occluded="occluded" in shown)
    street = people_street(streams, section, camera, alignment, traffic)
    return Plan(
        conditions=shown,
        camera=camera,
        alignment=alignment if shown.kind == "street" else straight(0.0),
        layout=section.layout,
        light=light,
        surface=lay(section, street.finish, street.beyond, surface),
        roadside=sample_sides(streams["sides"], section, dark=light.brightness < 0.4, end_m=street.end_m),
        traffic=tuple(sorted((*traffic, *street.parked), key=lambda vehicle: -vehicle.along)),
        structures=(),
        tunnel=None,
        sensor=sample_sensor(streams["sensor"], dark=light.brightness < 0.4, scale=width / 640),
        streams=streams,
        street=street,
    )


def _with_people(plan: Plan) -> Plan:
    """Return the plan of an open road, with the few people that there are."""
    section = Section(plan.conditions.kind, plan.layout, (), ())
    return replace(plan, street=people_street(plan.streams, section, plan.camera, plan.alignment, plan.traffic))


def _streams(parts: tuple[str, ...], *entropy: int) -> dict[str, np.random.Generator]:
    children = np.random.SeedSequence(list(entropy)).spawn(len(parts))
    return {part: np.random.default_rng(child) for part, child in zip(parts, children, strict=True)}
