"""What quantization loses and training wins back, without labels: `python benchmarks/qat.py [NETWORK ...]`.

The networks of the quantization benchmark that lose most, by the rules of TensorRT, whose libraries can't be had here:
the placed Q/DQ graph is run in torch, which agrees with the exported file up to float rounding. Quantization is
edgecnn's own, with all its corrections. Training learns from the float network on the calibration frames, and picks its
epoch on frames of its own; what is printed is agreement with the float network on frames that neither saw.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from networks import NETWORKS
from numpy.typing import NDArray
from pruning_qat import SCHEME, judged_half
from quantization_subjects import made_here, road_scenes
from torch import Tensor

from edgecnn.compress.quantize.qat.fake_quantized import FakeQuantized
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.compress_model.judge import AgreementWithOriginal
from edgecnn.compress_model.qat import Lessons, train_quantized
from edgecnn.core.compression import QatStep
from edgecnn.core.recipe import TrainSection


class Frames:
    """Frames float32 [N, C, H, W] to learn from, without targets."""

    epoch = 0

    def __init__(self, frames: NDArray[np.generic]) -> None:
        self._frames = torch.from_numpy(frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self._frames[index], {}


def compare(name: str, options: argparse.Namespace, folder: Path) -> str:
    """Return the line on the network called `name`."""
    scenes = road_scenes(options.frames + options.monitor + options.held_out)
    subject = made_here(name, scenes, options.held_out, folder)
    seen = np.load(subject.calibration)["image"]
    shown, watched = seen[: options.frames], seen[options.frames :]
    original, scheme = onnx.load(subject.model), scheme_for(SCHEME)
    calibration = [{"image": frame[None]} for frame in shown[: options.calibration]]
    quantized = quantize(original, scheme, calibration, Settings("auto", threads=options.threads))[0]
    teacher = FakeQuantized(original)
    monitor, judge = (_judge(teacher, frames) for frames in (watched, subject.held_out))
    section = TrainSection(epochs=1, batch_size=8, workers=0, threads=options.threads, device="cpu", augment=None)
    lessons = Lessons(Frames(shown), monitor, section, 0, None, {})
    step = QatStep(epochs=options.epochs, learning_rate=options.learning_rate)
    found = train_quantized(quantized, original, scheme, lessons, step, folder / "qat")
    before, after = (judge.scores(FakeQuantized(model)) for model in (quantized, found.model))
    lost, left = 100 * (1 - judge.figure(before).value), 100 * (1 - judge.figure(after).value)
    won = judge.drop(after, before)
    text = f"{name}, {SCHEME}: {lost:.2f} points lost, {left:.2f} after epoch {found.best_epoch}; {won.text()} won back"
    return judged_half(text, lost, won.value)


def _judge(teacher: FakeQuantized, frames: NDArray[np.generic]) -> AgreementWithOriginal:
    one = [(torch.from_numpy(frame[None]),) for frame in frames]
    return AgreementWithOriginal(teacher, one, teacher.output_names, frames.shape[-2:])


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--frames", type=int, default=256, help="to learn from")
    parser.add_argument("--calibration", type=int, default=64, help="of them to quantize with")
    parser.add_argument("--monitor", type=int, default=32, help="to pick an epoch by")
    parser.add_argument("--held-out", type=int, default=64, help="to judge by")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if unknown := [name for name in options.networks if name not in NETWORKS]:
        parser.error(f"no network {unknown[0]}; there are {', '.join(NETWORKS)}")
    torch.set_num_threads(options.threads)
    for name in options.networks or ("decoder",):
        with tempfile.TemporaryDirectory() as folder:
            print(compare(name, options, Path(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
