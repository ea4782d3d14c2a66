"""Quantization-aware training beside quantization alone, by TensorRT's rules; ONNX Runtime computes what they say.

Both start from the same float network. Trained is what quantization gave, by the labels and by the float network.
"""

import shutil
import sys
from dataclasses import dataclass

from pruning_contenders import Contest
from pruning_measure import opened, scores
from torch import nn

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.compress_model.qat import train_quantized
from edgecnn.compress_model.qat_stage import quantized_lessons
from edgecnn.core.compression import QatStep
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TASKS, resolve
from edgecnn.verify.accuracy import drop

SCHEME, OPSET = "tensorrt_8", 17
LOSES, HALF = 1.0, 0.5
"""Points that quantization has to lose before training is asked for anything, and the share it has to win back."""


@dataclass(frozen=True, slots=True)
class QatFigures:
    """What quantization costs one network, in points below that network in float, paired by held-out frame.

    Attributes:
        network, contender: which network.
        quantized: points that quantization loses.
        trained: points that are lost after training.
        won: points that training wins, paired as well.
        epochs: of training.
    """

    network: str
    contender: str
    quantized: Measurement
    trained: Measurement
    won: Measurement
    epochs: int


def compare_qat(contest: Contest, contender: str, module: nn.Module, epochs: int) -> QatFigures:
    """Quantize `module`, train that for so many `epochs`, and return what both lose."""
    trained = contest.trained
    print(f"{trained.name}: {contender}, quantization that trains ...", file=sys.stderr, flush=True)
    scheme = scheme_for(SCHEME)
    original = trained.subject.to_onnx(module, OPSET)
    frames = [{"image": picture} for picture in trained.calibration]
    quantized = quantize(original, scheme, frames, Settings("auto", threads=contest.threads))[0]
    taught, _ = quantized_lessons(trained.job)
    folder = contest.folder / "qat"
    shutil.rmtree(folder, ignore_errors=True)
    found = train_quantized(quantized, original, scheme, taught, QatStep(epochs=epochs), folder)
    shutil.rmtree(folder, ignore_errors=True)
    models = {
        (name, "onnxruntime", ""): m for name, m in (("float", original), ("int8", quantized), ("qat", found.model))
    }
    with opened(models, contest.threads) as engines:
        float_rows, quantized_rows, trained_rows = (scores(contest, engine) for engine in engines.values())
    task = TASKS[trained.recipe.task]
    metric = resolve("metric", task.metric)()
    return QatFigures(
        trained.name,
        contender,
        quantized=drop(metric, float_rows, quantized_rows, task.figure, SCHEME),
        trained=drop(metric, float_rows, trained_rows, task.figure, SCHEME),
        won=drop(metric, trained_rows, quantized_rows, task.figure, SCHEME),
        epochs=epochs,
    )


def qat_verdict(found: QatFigures) -> str:
    """Return the line that says whether training wins back half of what quantization loses."""
    text = (
        f"{found.network}, {found.contender}, by the rules of {SCHEME}: quantization loses {found.quantized.text()}, "
        f"{found.trained.text()} after {found.epochs} epochs of training ({found.won.text()} won)"
    )
    return judged_half(text, found.quantized.value, found.won.value)


def judged_half(text: str, lost: float, won: float) -> str:
    """Return `text` with the verdict on `won` points of the `lost` ones."""
    if lost <= LOSES:
        return f"{text}; it loses no more than {LOSES:g}, so nothing is asked of training here"
    return f"{text}; at least half won back: {'yes' if won >= HALF * lost else 'NO'}"
