"""Draw what stands on the ground from far to near, and keep account of what is labelled."""

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from edgecnn.data.road.canvas import Area, Canvas
from edgecnn.data.road.overhead import Structure, draw_structure
from edgecnn.data.road.people import draw_person, outline
from edgecnn.data.road.street.crowd import Someone
from edgecnn.data.road.street.draw_furniture import draw_item, item_area
from edgecnn.data.road.street.found import Found
from edgecnn.data.road.street.furniture import Item
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.trees import Tree, set_tree
from edgecnn.data.road.vehicle_shapes import CLASSES
from edgecnn.data.road.vehicles import draw_vehicle
from edgecnn.data.road.view import View

Thing: TypeAlias = Tree | Structure | Vehicle | Someone | Item


def draw_things(rng: np.random.Generator, view: View, things: list[Thing], canvas: Canvas, found: list[Found]) -> None:
    """Draw `things` from far to near; what is labelled is added to `found`."""
    vehicles = [thing for thing in things if isinstance(thing, Vehicle)]
    for thing in sorted(things, key=lambda thing: -_order(thing, vehicles)):
        if isinstance(thing, Someone):
            _person(view, thing, canvas, found)
        elif isinstance(thing, Vehicle):
            _vehicle(view, thing, canvas, found)
        elif isinstance(thing, Item):
            area = item_area(view, thing, canvas.picture)
            if area[0].stop > area[0].start and area[1].stop > area[1].start:
                with canvas.painting(area):
                    draw_item(view, thing, canvas.picture)
        else:
            with canvas.painting(canvas.whole):
                if isinstance(thing, Structure):
                    draw_structure(rng, view, thing, canvas.picture)
                else:
                    set_tree(view, canvas.picture, thing)


def _order(thing: Thing, vehicles: list[Vehicle]) -> float:
    """Return the distance at which a thing is drawn: people beside a vehicle, on the camera's side, after it."""
    if not isinstance(thing, Someone):
        return thing.along
    along = thing.along
    for vehicle in vehicles:
        beside = vehicle.along <= thing.along <= vehicle.along + vehicle.body.length_m + 0.3
        if beside and (vehicle.offset - thing.offset) * np.sign(vehicle.offset) > 0:
            along = min(along, vehicle.along - 0.01)
    return along


def _person(view: View, someone: Someone, canvas: Canvas, found: list[Found]) -> None:
    left, top, right, bottom = outline(view, someone.person)
    height, width = canvas.picture.shape[:2]
    if right <= max(left, 0) or left >= width or bottom <= 0 or top >= height:
        return
    painted = draw_person(view, someone.person, canvas.picture)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    canvas.give(painted.window, painted.cover, 0)
    canvas.give(painted.window, painted.alpha, _number(found, Found(someone.person.kind, corners, {}), someone.crowd))


def _number(found: list[Found], thing: Found, crowd: int) -> int:
    """Return the number of a thing on the canvas; members of a crowd share one."""
    if crowd:
        name = {"crowd": crowd}
        for number, other in enumerate(found, 1):
            if other.attributes == name:
                found[number - 1] = replace(other, outline=np.concatenate([other.outline, thing.outline]))
                return number
        thing = replace(thing, name="people", attributes=name)
    found.append(thing)
    return len(found)


def _vehicle(view: View, vehicle: Vehicle, canvas: Canvas, found: list[Found]) -> None:
    if canvas.owners is None:
        draw_vehicle(view, vehicle, canvas.picture)
        return
    body = vehicle.body
    half, tall = body.width_m / 2, max(height for _, height, _ in body.profile)
    corners = [(at, side, up) for at in (0.0, body.length_m) for side in (-half, half) for up in (0.0, tall)]
    place = np.array(corners)
    u, v, depth = view.project(vehicle.along + place[:, 0], vehicle.offset + place[:, 1], place[:, 2])
    if depth.min() < 0.5:
        draw_vehicle(view, vehicle, canvas.picture)
        return
    found.append(Found(CLASSES[body.name], np.stack([u, v], axis=1), {}))
    with canvas.painting(_around(u, v, canvas), len(found)):
        draw_vehicle(view, vehicle, canvas.picture)


def _around(u: np.ndarray, v: np.ndarray, canvas: Canvas) -> Area:
    """Return the canvas's part that holds the points, with a pixel to spare."""
    height, width = canvas.picture.shape[:2]
    left, right = np.clip([np.floor(u.min()) - 1, np.ceil(u.max()) + 2], 0, width).astype(int)
    top, bottom = np.clip([np.floor(v.min()) - 1, np.ceil(v.max()) + 2], 0, height).astype(int)
    return slice(int(top), int(bottom)), slice(int(left), int(right))
