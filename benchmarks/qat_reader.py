"""What quantization loses on a trained network that reads text, and training wins back: `qat_reader.py READER.onnx`.

READER is a network that gives, for each place along a line, how likely every character is (CTC: Graves et al., 2006),
with its characters in the file's metadata, as PP-OCR's are; the wheel `rapidocr-onnxruntime` carries one. It comes
trained on millions of pictures, which is what makes quantization hard: networks trained for minutes have none of the
outliers.

Lines of text are drawn here, so that it is known what stands on them. The figure is the share of lines that are read
without a mistake. Quantization is by the rules of TensorRT, whose libraries can't be had here: the Q/DQ graph is run in
ONNX Runtime. Training learns from the float network alone, on lines of its own, and picks its epoch on others by how
often the two agree on the character at a place; what is printed is of lines that neither saw.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from pruning_qat import SCHEME, judged_half
from qat import Frames
from text_lines import Line, as_input, fonts, line
from torch import nn

from edgecnn.compress.quantize.qat.fake_quantized import FakeQuantized
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.compress_model.qat import Lessons, train_quantized
from edgecnn.core.compression import Distill, QatStep
from edgecnn.core.measure import Measurement, bootstrap_mean
from edgecnn.core.recipe import TrainSection
from edgecnn.export.cut import cut_at
from edgecnn.export.load_onnx import load_model
from edgecnn.export.prepare import prepare

HEIGHT, WIDTH = 48, 192
SETTINGS = {
    "minmax": Settings("minmax", correct=False),
    "plain": Settings("mse", correct=False),
    "corrected": Settings("auto"),
}
"""The greatest values seen as ranges, as many tools take them; better ranges; all that edgecnn does untrained."""
BATCH = 16


@dataclass(frozen=True, slots=True)
class Reader:
    """A network from float32 [1, 3, HEIGHT, WIDTH] to logits [1, places, characters].

    Attributes:
        model: the network.
        characters: what each logit stands for; the first is the blank.
    """

    model: onnx.ModelProto
    characters: tuple[str, ...]

    def text(self, places: NDArray[np.int64]) -> str:
        """Return what the most likely character of each place says: repeated ones count once, blanks for nothing."""
        kept = [at for i, at in enumerate(places.tolist()) if at and (i == 0 or at != places[i - 1])]
        return "".join(self.characters[at] for at in kept)


def open_reader(path: Path) -> Reader:
    """Return the network in `path`, cut before the softmax that ends it."""
    model = load_model(path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    softmax = next((node for node in model.graph.node if node.output[0] == model.graph.output[0].name), None)
    if "character" not in told or softmax is None or softmax.op_type != "Softmax":
        raise SystemExit(f"{path}: no reader with a softmax at its end and its characters in the metadata")
    shapes = {model.graph.input[0].name: (1, 3, HEIGHT, WIDTH)}
    front = cut_at(model, shapes, [softmax.input[0]]).front
    return Reader(prepare(front, shapes=shapes).model, ("", *told["character"].splitlines(), " "))


def read(reader: Reader, model: onnx.ModelProto, lines: Sequence[Line], threads: int) -> NDArray[np.bool_]:
    """Return which of the lines `model` reads without a mistake; spaces, whose width is the font's, don't count."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found = (session.run(None, {name: as_input(each.picture, HEIGHT, WIDTH)[None]})[0][0] for each in lines)
    read_as = [reader.text(logits.argmax(-1)) for logits in found]
    return np.array([_bare(text) == _bare(each.text) for text, each in zip(read_as, lines, strict=True)])


def _bare(text: str) -> str:
    return text.replace(" ", "")


def compare(reader: Reader, start: str, lines: dict[str, list[Line]], options: argparse.Namespace, folder: Path) -> str:
    """Return the line on what is lost with the quantization `start`, and after training."""
    scheme = scheme_for(SCHEME)
    shown, watched = (_inputs(lines[name]) for name in ("shown", "watched"))
    name = reader.model.graph.input[0].name
    calibration = [{name: frame[None]} for frame in shown[: options.calibration]]
    quantized = quantize(reader.model, scheme, calibration, SETTINGS[start])[0]
    section = TrainSection(epochs=1, batch_size=BATCH, workers=0, threads=options.threads, device="cpu", augment=None)
    monitor = Agreement(FakeQuantized(reader.model), watched)
    lessons = Lessons(Frames(shown), monitor, section, 0, None, {reader.model.graph.output[0].name: 2})
    distill = Distill(features=0.0, temperature=1.0)
    step = QatStep(epochs=options.epochs, learning_rate=options.learning_rate, distill=distill)
    found = train_quantized(quantized, reader.model, scheme, lessons, step, folder)
    models = (reader.model, quantized, found.model)
    exact, before, after = (read(reader, model, lines["held"], options.threads).astype(float) for model in models)
    lost, left, won = (_points(one - other) for one, other in ((exact, before), (exact, after), (after, before)))
    text = (
        f"{start} quantization by the rules of {SCHEME}: {100 * exact.mean():.2f} % of lines read in float, "
        f"{lost.text(2)} lost, {left.text(2)} after epoch {found.best_epoch} of training; {won.text(2)} won back"
    )
    return judged_half(text, lost.value, won.value)


class Agreement:
    """How often a network says the same of a place as `teacher`, on `frames` [N, 3, H, W]."""

    def __init__(self, teacher: nn.Module, frames: NDArray[np.float32]) -> None:
        self._frames = torch.from_numpy(frames)
        self._wanted = self._places(teacher)

    def __call__(self, module: nn.Module) -> float:
        """Return the share of places."""
        return float((self._places(module.eval()) == self._wanted).float().mean())

    @torch.no_grad()
    def _places(self, module: nn.Module) -> torch.Tensor:
        return torch.cat([module(frame[None])[0].argmax(-1) for frame in self._frames])


def _inputs(lines: Sequence[Line]) -> NDArray[np.float32]:
    return np.stack([as_input(each.picture, HEIGHT, WIDTH) for each in lines])


def _points(differences: NDArray[np.float64]) -> Measurement:
    low, high = bootstrap_mean(100 * differences)
    return Measurement(float(100 * differences.mean()), "points", len(differences), low, high)


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", type=Path)
    parser.add_argument("--start", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--shown", type=int, default=2400, help="lines to learn from")
    parser.add_argument("--calibration", type=int, default=96, help="of them to quantize with")
    parser.add_argument("--watched", type=int, default=200, help="lines to pick an epoch by")
    parser.add_argument("--held", type=int, default=4000, help="lines to judge by")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    reader, known = open_reader(options.reader), fonts()
    lines = {}
    for seed, name in enumerate(("shown", "watched", "held")):
        rng = np.random.default_rng(seed)
        lines[name] = [line(rng, known) for _ in range(getattr(options, name))]
    for start in options.start:
        with tempfile.TemporaryDirectory() as folder:
            print(compare(reader, start, lines, options, Path(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
