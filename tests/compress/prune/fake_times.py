"""Layer times by a formula, for predictions whose right answer is known."""

from collections.abc import Callable, Iterable

from edgecnn.core.layers import LayerShape


class FakeTimes:
    """Milliseconds by `rule`; `asked` holds every shape that was to be prepared, in order."""

    def __init__(self, rule: Callable[[LayerShape], float | None], how: str = "measured") -> None:
        self.how, self.on = how, "nowhere"
        self.asked: list[LayerShape] = []
        self._rule = rule

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        self.asked += list(shapes)

    def time_ms(self, shape: LayerShape) -> float | None:
        return self._rule(shape)


def by_work(shape: LayerShape) -> float:
    """A microsecond for a thousand multiply-adds."""
    return shape.macs * 1e-6


def in_blocks(shape: LayerShape) -> float:
    """Outputs in blocks of 16, as a vector register of floats has it."""
    outputs = -(-shape.out_channels // 16) * 16
    return shape.in_channels * outputs * 1e-6 * shape.out_size[0] * shape.out_size[1]
