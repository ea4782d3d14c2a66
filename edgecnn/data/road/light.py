"""Time of day and weather: what lights the scene and what lies between it and the camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Color = NDArray[np.float32]

TIMES = ("day", "dusk", "night")
WEATHERS = ("clear", "overcast", "rain", "fog")


@dataclass(frozen=True, slots=True)
class Light:
    """The light of one scene; colours are BGR, 0 to 255 where they are surfaces and 1.0 = noon where they are light.

    Attributes:
        ambient: light on the ground, float32 [3].
        sun: share of the ambient light that a hard shadow takes away, 0 to 1.
        sun_side: where the sun stands as seen from the car: -1 left, +1 right.
        sky_top, sky_low, haze: colours of the zenith, the horizon and the air.
        haze_m: distance in metres over which the air hides 63 % of what lies behind it.
        headlights: strength of the car's own lamps on the road.
        street_lamps: strength of the lamps along the road.
    """

    time: str
    weather: str
    ambient: Color
    sun: float
    sun_side: float
    sky_top: Color
    sky_low: Color
    haze: Color
    haze_m: float
    headlights: float
    street_lamps: float

    @property
    def brightness(self) -> float:
        """Mean of the ambient light."""
        return float(self.ambient.mean())

    def through_air(self, color: Color, depth_m: float) -> Color:
        """Return a surface colour as it looks from `depth_m` metres away, already lit."""
        seen = float(np.exp(-depth_m / self.haze_m))
        return np.asarray(color * seen + self.haze * (1 - seen), np.float32)


def _color(*bgr: float) -> Color:
    return np.array(bgr, np.float32)


def sample_light(rng: np.random.Generator, time: str, weather: str) -> Light:
    """Return the light of one scene at this time and in this weather."""
    if time == "night":
        return _night(rng, weather)
    tint = np.float32(1) + rng.normal(0, 0.015, 3).astype(np.float32)
    if time == "dusk":
        strength = rng.uniform(0.3, 0.62)
        # From red at the end of a clear day to plain grey-blue.
        red = np.float32(rng.beta(1.2, 1.6))
        top = _color(120, 88, 64) * strength * 1.5
        low = (_color(120, 160, 222) * red + _color(195, 180, 170) * (1 - red)) * (0.45 + strength * 0.8)
        ambient = _color(1.02, 0.96, 1.02) * strength * tint
    elif weather == "clear":
        # Blue falls to green to red by nearly one ratio, the deeper the cleaner the air.
        deep = rng.uniform(0.0, 1.0)
        top = _color(205, 168 - 32 * deep, 128 - 62 * deep) * rng.uniform(0.82, 1.1)
        low = _color(232, 220 - 12 * deep, 204 - 32 * deep) * rng.uniform(0.92, 1.06)
        strength = rng.uniform(0.9, 1.12)
        ambient = _color(0.97, 1.0, 1.02) * strength * tint
    else:
        grey = rng.uniform(150, 225)
        top = _color(1.02, 1.0, 0.97) * grey * rng.uniform(0.8, 1.0)
        low = _color(1.02, 1.0, 0.98) * min(grey * rng.uniform(1.0, 1.12), 245)
        strength = rng.uniform(0.6, 0.95)
        ambient = _color(1.04, 1.0, 0.96) * strength * tint
    sun = {"clear": rng.uniform(0.45, 0.72)}.get(weather, 0.0) * (0.5 if time == "dusk" else 1.0)
    reach = {"clear": rng.uniform(900, 4000), "overcast": rng.uniform(500, 2500), "rain": rng.uniform(120, 420)}
    haze = low * np.float32(0.92) if weather != "fog" else low * np.float32(rng.uniform(0.85, 1.0))
    return Light(
        time, weather, ambient.astype(np.float32), float(sun), float(rng.uniform(-1, 1)),
        top.astype(np.float32), low.astype(np.float32), haze.astype(np.float32),
        float(reach.get(weather, np.exp(rng.uniform(np.log(22), np.log(130))))),
        headlights=0.25 if time == "dusk" else 0.0, street_lamps=0.0,
    )  # fmt: skip


def _night(rng: np.random.Generator, weather: str) -> Light:
    lamps = float(rng.uniform(0.15, 0.5)) if rng.random() < 0.55 else 0.0
    glow = rng.uniform(3, 12) + 26 * lamps
    sodium = _color(0.55, 0.85, 1.25) if rng.random() < 0.6 else _color(1.05, 1.0, 0.95)
    low = sodium * glow
    ambient = (_color(1.1, 1.0, 0.95) * rng.uniform(0.03, 0.1) + sodium * lamps * 0.5).astype(np.float32)
    reach = {"rain": rng.uniform(90, 250), "fog": np.exp(rng.uniform(np.log(20), np.log(80)))}
    return Light(
        "night", weather, ambient, 0.0, 0.0,
        (low * 0.5).astype(np.float32), low.astype(np.float32), (low * 1.3).astype(np.float32),
        float(reach.get(weather, rng.uniform(400, 1500))),
        headlights=float(rng.uniform(0.6, 1.15)), street_lamps=lamps,
    )  # fmt: skip
