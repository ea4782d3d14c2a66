"""From scores and times to a table, and to yes or no for what is asked of each network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pruning_contenders import LONGER, ORIGINAL, OURS, PEER, TARGET, Contest, Made
from pruning_measure import FP32, INT8, Key, Rounds, parameters, reference

from edgecnn.bench.interleave import paired_ratio
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TASKS, resolve
from edgecnn.verify.accuracy import drop, figures

INT8_GOALS = (5.0, 8.0, 1.0)
"""Speedup of pruning and INT8 over FP32 in OpenVINO, over FP32 in ONNX Runtime, and the most points lost."""
PREDICTION = 0.10
"""Most mean relative error of predicted latencies."""
INT8_ASKED = ("quickstart lanes",)


@dataclass(frozen=True, slots=True)
class Figures:
    """One contender in one engine and precision.

    Attributes:
        network, contender, engine, precision: what was run where.
        accuracy: the task's figure on held-out frames, 0 to 1.
        lost: points of it below the original in FP32 in the same engine, paired by frame.
        to_peer: points below the peer in the same engine and precision, paired by frame; None for others than edgecnn.
        speedup: times as fast as the original in FP32 in the same engine.
        over_onnxruntime: times as fast as the original in FP32 in ONNX Runtime.
        over_peer: times as fast as the peer in the same engine and precision.
        median_ms: of one inference.
        parameters: share of the original's that is left.
        notes: what the contender has to say.
        errors: relative errors of the latencies that it predicted on its way.
    """

    network: str
    contender: str
    engine: str
    precision: str
    accuracy: Measurement
    lost: Measurement
    to_peer: Measurement | None
    speedup: Measurement
    over_onnxruntime: Measurement
    over_peer: Measurement | None
    median_ms: float
    parameters: float
    notes: tuple[str, ...]
    errors: tuple[float, ...]


def judged(
    contest: Contest, made: dict[str, Made], scored: dict[Key, list[Any]], taken: dict[Key, Rounds]
) -> list[Figures]:
    """Return the figures of everything that was run."""
    task = TASKS[contest.trained.recipe.task]
    metric = resolve("metric", task.metric)()
    found = []
    whole = parameters(made[ORIGINAL].module)
    for key, rows in scored.items():
        name, engine, precision = key
        peer = (PEER, engine, precision)
        against = name == OURS and peer in scored
        found.append(
            Figures(
                network=contest.trained.name,
                contender=name,
                engine=engine,
                precision=precision,
                accuracy=figures(metric, rows, engine)[task.figure],
                lost=drop(metric, scored[reference(engine)], rows, task.figure, engine),
                to_peer=drop(metric, scored[peer], rows, task.figure, engine) if against else None,
                speedup=_ratio(taken, reference(engine), key),
                over_onnxruntime=_ratio(taken, reference("onnxruntime"), key),
                over_peer=_ratio(taken, peer, key) if against else None,
                median_ms=float(np.median(list(taken[key].values()))) / 1e6,
                parameters=parameters(made[name].module) / whole,
                notes=made[name].notes,
                errors=made[name].errors,
            )
        )
    return found


def _ratio(taken: dict[Key, Rounds], base: Key, key: Key) -> Measurement:
    return paired_ratio(taken[base], taken[key])


def table(found: Sequence[Figures]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| network | contender | run in | accuracy | points lost | x original | x ORT FP32 | ms | weights % |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for f in found:
        cells = [
            f.network,
            f.contender,
            f"{f.engine} {f.precision}",
            _text(f.accuracy, 4),
            "" if f.contender == ORIGINAL and f.precision == FP32 else _text(f.lost, 2),
            _text(f.speedup, 2),
            _text(f.over_onnxruntime, 2),
            f"{f.median_ms:.2f}",
            f"{100 * f.parameters:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def verdicts(found: Sequence[Figures], goals: dict[str, tuple[float, float, float]]) -> list[str]:
    """Return the lines that say whether what is asked was reached."""
    rows = {(f.network, f.contender, f.engine, f.precision): f for f in found}
    lines = []
    for network in dict.fromkeys(f.network for f in found):
        ours = rows.get((network, OURS, TARGET, FP32))
        if ours is None:
            lines.append(f"{network}: edgecnn failed")
            continue
        least, gone, most = goals[network]
        asked = [f"at least {least:.1f}x: {_yes(ours.speedup.value >= least)} ({ours.speedup.value:.2f}x)"]
        if gone:
            left = 100 * (1 - ours.parameters)
            asked.append(f"at least {gone:.0f} % of parameters gone: {_yes(left >= gone)} ({left:.1f} %)")
        asked.append(f"at most {most:.1f} points lost: {_yes(ours.lost.value <= most)} ({_text(ours.lost, 2)})")
        lines.append(f"{network}, {TARGET} FP32: {'; '.join(asked)}")
        lines += _against_peer(network, ours, rows)
        lines += _int8(network, rows)
    return [*lines, *_prediction([f for f in found if (f.contender, f.engine, f.precision) == (OURS, TARGET, FP32)])]


def _prediction(found: Sequence[Figures]) -> list[str]:
    errors = [abs(error) for f in found for error in f.errors]
    if not errors:
        return []
    mean = float(np.mean(errors))
    text = f"predicted against measured latency of {len(errors)} cut networks: mean relative error {mean:.1%}"
    return [f"{text}, greatest {max(errors):.1%}; at most {PREDICTION:.0%} on average: {_yes(mean <= PREDICTION)}"]


def _against_peer(network: str, ours: Figures, rows: dict[tuple[str, str, str, str], Figures]) -> list[str]:
    peer, longer = rows.get((network, PEER, TARGET, FP32)), rows.get((network, LONGER, TARGET, FP32))
    lines = []
    if peer is not None and ours.to_peer is not None and ours.over_peer is not None:
        better = ours.to_peer.value <= 0
        sure = ours.to_peer.high is not None and ours.to_peer.high < 0
        lines.append(
            f"{network}: better than {PEER} at its latency: {_yes(better)}{', surely' if sure else ''} "
            f"({-ours.to_peer.value:+.2f} points, paired interval [{-(ours.to_peer.high or 0):+.2f}, "
            f"{-(ours.to_peer.low or 0):+.2f}], at {_text(ours.over_peer, 2)} times its speed)"
        )
    if longer is not None:
        lines.append(f"{network}: the original, trained on as long, loses {_text(longer.lost, 2)} points")
    return lines


def _int8(network: str, rows: dict[tuple[str, str, str, str], Figures]) -> list[str]:
    row = rows.get((network, OURS, TARGET, INT8))
    if row is None:
        return []
    text = (
        f"{network}, pruned and INT8 in {TARGET}: {_text(row.speedup, 2)}x FP32, "
        f"{_text(row.over_onnxruntime, 2)}x FP32 in ONNX Runtime, {_text(row.lost, 2)} points lost"
    )
    if network not in INT8_ASKED:
        return [text]
    same, other, most = INT8_GOALS
    held = row.speedup.value >= same and row.over_onnxruntime.value >= other and row.lost.value <= most
    return [f"{text}; at least {same:.0f}x and {other:.0f}x at {most:.1f} points: {_yes(held)}"]


def _text(value: Measurement, digits: int) -> str:
    interval = "" if value.low is None or value.high is None else f" [{value.low:.{digits}f}, {value.high:.{digits}f}]"
    return f"{value.value:.{digits}f}{interval}"


def _yes(held: bool) -> str:  # noqa: FBT001 - the whole of its argument
    return "yes" if held else "NO"
