"""The figures of a module on the way: accuracy, size, and time in every target asked for."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.subject import Subject
from edgecnn.core.compress_evidence import NetworkFigures


def measure_network(
    module: nn.Module, subject: Subject, clock: Clock, scores: Sequence[Any], targets: Sequence[str]
) -> NetworkFigures:
    """Return the figures of `module`; `scores` are the original's on the judge's frames."""
    judge = subject.judge
    own = scores if module is subject.original else judge.scores(module)
    timed = {target: clock.time(module, target) for target in targets}
    return NetworkFigures(
        figure=judge.figure(own),
        parameters=parameters_of(module),
        macs=macs_of(module, subject),
        drop=None if module is subject.original else judge.drop(scores, own),
        latency={target: one.latency for target, one in timed.items()},
        speedup={} if module is subject.original else {target: one.speedup for target, one in timed.items()},
    )


def parameters_of(module: nn.Module) -> int:
    """Return the number of weights and biases, shared ones counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: nn.Module, subject: Subject) -> int:
    """Return the multiply-adds of one frame in convolution and linear layers."""
    return sum(shape.macs for calls in layer_shapes(module, subject.example).values() for shape in calls)
