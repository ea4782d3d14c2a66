"""What surfaces look like before light falls on them: a colour and marks on it."""

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something painted over a part of a surface.

    Attributes:
        color: BGR, 0 to 255.
        s: range along the surface's rings, 0 first ring to 1 last; t: range around it, 0.25 left, 0.5 front.
        shape: "block", "round" (the ellipse in the range), "vee" (a wedge that opens along s), "rings" or "bars"
            (stripes around or along) or "dots".
        count: stripes or dots over the whole surface.
        share: how much of each period a stripe or dot takes.
        strength: opacity.
        fine: whether it shows on close figures only.
    """

    color: Color
    s: tuple[float, float] = (0.0, 1.0)
    t: tuple[float, float] = (0.0, 1.0)
    shape: str = "block"
    count: float = 8.0
    share: float = 0.5
    strength: float = 1.0
    fine: bool = False


@dataclass(frozen=True, slots=True)
class Paint:
    """A surface's finish.

    Attributes:
        color: BGR albedo, 0 to 255.
        marks: painted one over the other.
        folds: strength of folds and weave; 0 for skin.
        gloss: strength of a highlight.
        grain: where in the fold texture the surface lies.
    """

    color: Color
    marks: tuple[Mark, ...] = ()
    folds: float = 0.0
    gloss: float = 0.0
    grain: int = 0
