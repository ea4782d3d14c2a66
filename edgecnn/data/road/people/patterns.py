"""The colours of cloth and what is woven, printed and sewn on it."""

import numpy as np

from edgecnn.data.road.people.paints import Color, Mark

CLOTH = (
    ((28, 26, 26), 0.2), ((52, 48, 46), 0.1), ((105, 102, 100), 0.09), ((168, 168, 166), 0.06), ((226, 226, 224), 0.12),
    ((78, 48, 32), 0.1), ((140, 92, 58), 0.05), ((196, 160, 120), 0.03), ((48, 40, 140), 0.06), ((40, 50, 190), 0.03),
    ((62, 96, 58), 0.04), ((52, 70, 78), 0.04), ((110, 150, 176), 0.04), ((60, 150, 205), 0.02), ((70, 90, 120), 0.03),
    ((150, 110, 205), 0.02), ((120, 50, 110), 0.02),
)  # fmt: skip
TROUSERS = (
    ((28, 26, 26), 0.26), ((60, 46, 36), 0.18), ((108, 80, 58), 0.16), ((150, 122, 98), 0.06), ((70, 68, 66), 0.12),
    ((120, 146, 168), 0.09), ((60, 78, 84), 0.05), ((215, 218, 220), 0.04), ((50, 66, 90), 0.04),
)  # fmt: skip
HI_VIS = ((40, 235, 215), (30, 120, 245))


def pick(rng: np.random.Generator, table: tuple[tuple[tuple[int, int, int], float], ...]) -> Color:
    """Return one of the table's colours by its weight, a little off."""
    rates = np.array([rate for _, rate in table])
    b, g, r = table[int(rng.choice(len(table), p=rates / rates.sum()))][0]
    tone, cast = float(np.exp(rng.normal(0, 0.15))), rng.normal(0, 4, 3)
    return tuple(float(np.clip(c * tone + d, 8, 245)) for c, d in zip((b, g, r), cast, strict=True))  # type: ignore[return-value]


def vivid(rng: np.random.Generator) -> Color:
    """Return any saturated colour."""
    hue = rng.uniform(0, 6)
    value, pale = rng.uniform(70, 215), rng.uniform(0.2, 0.75)
    level = np.clip(np.abs((hue + np.array([4.0, 2.0, 0.0])) % 6 - 3) - 1, 0, 1)
    blue, green, red = (value * (pale + (1 - pale) * level)).tolist()
    return blue, green, red


def mark_top(rng: np.random.Generator, top: str) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Return marks of trunk and sleeves."""
    other = pick(rng, CLOTH) if rng.random() < 0.6 else vivid(rng)
    if top == "vest":
        return _reflectors()
    if top in ("jacket", "coat"):
        width = float(rng.choice([0.004, 0.02, 0.05], p=[0.5, 0.25, 0.25]))
        low = 0.0 if top == "jacket" else 0.35
        return (Mark(other, (low, 0.92), (0.5 - width, 0.5 + width), strength=0.9),), ()
    draw = rng.random()
    if draw < 0.5:
        return (), ()
    if draw < 0.78:
        cloth = _woven(rng, other)
        return cloth, cloth
    if draw < 0.93:
        low, half = float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.05, 0.12))
        shape = "round" if rng.random() < 0.4 else "block"
        return (Mark(other, (low, low + float(rng.uniform(0.05, 0.2))), (0.5 - half, 0.5 + half), shape),), ()
    return (Mark(other, (0.0, float(rng.uniform(0.3, 0.6)))),), (Mark(other),)


def _reflectors() -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    silver = (225.0, 228.0, 226.0)
    bands = (Mark(silver, (0.22, 0.28)), Mark(silver, (0.42, 0.48)))
    straps = (Mark(silver, (0.48, 1.0), (0.36, 0.40)), Mark(silver, (0.48, 1.0), (0.6, 0.64)))
    return (*bands, *straps), (Mark(silver, (0.6, 0.66)),)


def _woven(rng: np.random.Generator, other: Color) -> tuple[Mark, ...]:
    """Return stripes, checks or dots."""
    draw = rng.random()
    if draw < 0.45:
        return (Mark(other, shape="rings", count=float(rng.integers(5, 16)), share=float(rng.uniform(0.15, 0.5))),)
    if draw < 0.72:
        sizes = (("rings", 10.0), ("bars", 16.0))
        return tuple(Mark(other, shape=shape, count=count, share=0.3, strength=0.5) for shape, count in sizes)
    return (Mark(other, shape="dots", count=float(rng.integers(6, 14)), share=float(rng.uniform(0.3, 0.6))),)


def mark_legs(rng: np.random.Generator, legs: str, color: Color) -> tuple[Mark, ...]:
    """Return marks of trouser legs."""
    if legs == "trousers" and rng.random() < 0.08:
        stripe = (228.0, 228.0, 228.0)
        return (Mark(stripe, (0.0, 1.0), (0.72, 0.78)), Mark(stripe, (0.0, 1.0), (0.22, 0.28)))
    if color[0] > color[2] * 1.3 and rng.random() < 0.5:
        # Jeans are worn pale over the thighs.
        pale = (color[0] * 1.35, color[1] * 1.35, color[2] * 1.35)
        return (Mark(pale, (0.1, 0.5), (0.3, 0.7), "round", strength=0.6),)
    return ()
