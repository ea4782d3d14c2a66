"""Time of day and weather: what lights the scene and what lies between it and the camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Color = NDArray[np.float32]
Floats = NDArray[np.float64]

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


def sample_light(rng: np.random.Generator, time: str, weather: str) -> Light:
    """Return the light of one scene at this time and in this weather."""
    if time == "night":
        return _night(rng, weather)
    top, low, ambient = _dusk(rng) if time == "dusk" else _clear(rng) if weather == "clear" else _grey(rng)
    tint = 1 + rng.normal(0, 0.015, 3)
    sun = rng.uniform(0.45, 0.72) * (0.5 if time == "dusk" else 1.0) if weather == "clear" else 0.0
    return Light(
        time=time,
        weather=weather,
        ambient=_color(ambient * tint),
        sun=float(sun),
        sun_side=float(rng.uniform(-1, 1)),
        sky_top=_color(top),
        sky_low=_color(low),
        haze=_color(low * (rng.uniform(0.85, 1.0) if weather == "fog" else 0.92)),
        haze_m=_sight_m(rng, weather),
        headlights=0.25 if time == "dusk" else 0.0,
        street_lamps=0.0,
    )


def _color(bgr: Floats) -> Color:
    return np.asarray(bgr, np.float32)


def _dusk(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return zenith, horizon and ambient light, from red at the end of a clear day to plain grey-blue."""
    strength, red = rng.uniform(0.3, 0.62), rng.beta(1.2, 1.6)
    low = np.array([120.0, 160.0, 222.0]) * red + np.array([195.0, 180.0, 170.0]) * (1 - red)
    return (
        np.array([180.0, 132.0, 96.0]) * strength,
        low * (0.45 + strength * 0.8),
        np.array([1.02, 0.96, 1.02]) * strength,
    )


def _clear(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return zenith, horizon and ambient light; the cleaner the air, the deeper the blue."""
    deep = rng.uniform(0.0, 1.0)
    return (
        np.array([205.0, 168 - 32 * deep, 128 - 62 * deep]) * rng.uniform(0.82, 1.1),
        np.array([232.0, 220 - 12 * deep, 204 - 32 * deep]) * rng.uniform(0.92, 1.06),
        np.array([0.97, 1.0, 1.02]) * rng.uniform(0.9, 1.12),
    )


def _grey(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return zenith, horizon and ambient light below a closed sky."""
    grey = rng.uniform(150, 225)
    return (
        np.array([1.02, 1.0, 0.97]) * grey * rng.uniform(0.8, 1.0),
        np.array([1.02, 1.0, 0.98]) * min(grey * rng.uniform(1.0, 1.12), 245),
        np.array([1.04, 1.0, 0.96]) * rng.uniform(0.6, 0.95),
    )


def _night(rng: np.random.Generator, weather: str) -> Light:
    lamps = float(rng.uniform(0.15, 0.5)) if rng.random() < 0.55 else 0.0
    # Sodium lamps are orange, newer ones white.
    tint = np.array([0.55, 0.85, 1.25]) if rng.random() < 0.6 else np.array([1.05, 1.0, 0.95])
    low = tint * (rng.uniform(3, 12) + 26 * lamps)
    moon = np.array([1.1, 1.0, 0.95]) * rng.uniform(0.04, 0.13)
    return Light(
        time="night",
        weather=weather,
        ambient=_color(moon + tint * lamps * 0.5),
        sun=0.0,
        sun_side=0.0,
        sky_top=_color(low * 0.5),
        sky_low=_color(low),
        haze=_color(low * 1.3),
        haze_m=_sight_m(rng, weather),
        headlights=float(rng.uniform(0.6, 1.2)),
        street_lamps=lamps,
    )


def _sight_m(rng: np.random.Generator, weather: str) -> float:
    """Return the distance in metres over which the air hides 63 % of what lies behind it."""
    near, far = {"clear": (900, 4000), "overcast": (500, 2500), "rain": (110, 420), "fog": (22, 130)}[weather]
    return float(np.exp(rng.uniform(np.log(near), np.log(far))))
