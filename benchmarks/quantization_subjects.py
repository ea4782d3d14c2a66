"""The models of the quantization benchmark: networks made here on road scenes, and the caller's own ONNX files."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from networks import MORE, NETWORKS
from networks.trained_like import make_trained_like
from numpy.typing import NDArray

from edgecnn.core.bundle import open_bundle
from edgecnn.data.road import RoadScenes
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import read_for
from edgecnn.runtime.codec import Codec, codec_of
from edgecnn.runtime.preprocess import prepare

SCENE_WIDTH, SCENE_HEIGHT, SEED = 320, 180, 11
STATISTICS_FRAMES = 48
IMAGES, VIDEOS = {".jpg", ".jpeg", ".png", ".bmp"}, {".mp4", ".avi", ".mkv"}


@dataclass(frozen=True, slots=True)
class Truth:
    """What the held-out frames show: the task and its codec, and a sample for each of them in order."""

    task: str
    codec: Codec
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and its inputs.

    Attributes:
        name: in the table.
        model: float ONNX file of one image input.
        calibration: .npz with the calibration inputs [N, ...] under the input's name.
        held_out: inputs [M, ...] that no contender sees.
        judge: a script that prints {"agreement": percent} for `FILE --engine ENGINE`, or None.
        truth: of the held-out frames; None where there are no labels.
    """

    name: str
    model: Path
    calibration: Path
    held_out: NDArray[np.generic]
    judge: Path | None = None
    truth: Truth | None = None


def road_scenes(count: int) -> list[NDArray[np.uint8]]:
    """Return the first `count` scenes, BGR."""
    scenes = RoadScenes(SEED, SCENE_WIDTH, SCENE_HEIGHT)
    return [scenes.scene(i).image for i in range(count)]


def made_here(name: str, scenes: list[NDArray[np.uint8]], held_out: int, folder: Path) -> Subject:
    """Build the network called `name` with trained-like weights and export it; the last scenes are held out."""
    build, (height, width) = {**NETWORKS, **MORE}[name]
    torch.manual_seed(0)
    frames = _batch(scenes, height, width, as_pixels=False, channels_last=False)
    network = make_trained_like(build(), torch.from_numpy(frames[:STATISTICS_FRAMES]), seed=0)
    file = folder / f"{name}.onnx"
    example = torch.from_numpy(frames[:1])
    options = {"input_names": ["image"], "output_names": ["out"], "opset_version": 17, "dynamo": False}
    torch.onnx.export(network, (example,), str(file), **options)
    return Subject(name, file, _stored(folder, name, "image", frames[:-held_out]), frames[-held_out:])


def given(
    name: str,
    model: Path,
    sources: list[Path],
    count: int,
    held_out: int,
    folder: Path,
    *,
    rgb: bool,
    judge: Path | None,
) -> Subject:
    """Return a caller's model with frames of `sources`; frames are stretched to the input's size.

    Float inputs get values in [0, 1]. Of few frames, each is in both halves.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    channels_last = taken.shape[-1] == 3
    height, width = taken.shape[1:3] if channels_last else taken.shape[2:4]
    images = [image for source in sources for image in _read(source)]
    if not images:
        raise SystemExit(f"{name}: no image or video in {', '.join(map(str, sources))}")
    images = [images[i] for i in np.unique(np.linspace(0, len(images) - 1, count + held_out).astype(int))]
    images = [np.ascontiguousarray(image[..., ::-1]) for image in images] if rgb else images
    frames = _batch(images, height, width, as_pixels=taken.type == "tensor(uint8)", channels_last=channels_last)
    every = max(2, round(len(frames) / held_out))
    seen = frames if len(frames) < 2 * held_out else np.delete(frames, np.s_[::every], axis=0)
    return Subject(name, model, _stored(folder, name, taken.name, seen), frames[::every][:held_out], judge)


def labelled(name: str, bundle: Path, root: Path, form: str, count: int, held_out: int, folder: Path) -> Subject:
    """Return the float network of a bundle, with labelled frames of the data set at `root` prepared as it says.

    `held_out` frames, evenly spread, are judged on; up to `count` of the others calibrate, their labels unread.
    """
    opened = open_bundle(bundle)
    floats = [one for one in opened.manifest.artefacts if (one.engine, one.precision) == ("onnxruntime", "fp32")]
    spec = opened.manifest.frame
    if not floats or spec is None:
        raise SystemExit(f"{bundle}: holds no FP32 network for ONNX Runtime that takes camera frames")
    file = folder / f"{name}.onnx"
    file.write_bytes(opened.read(floats[0].files[0]))
    codec = codec_of(opened.manifest)
    samples = list(read_for(codec, form, root))
    judged = np.unique(np.linspace(0, len(samples) - 1, min(held_out, len(samples))).astype(int))
    others = np.setdiff1d(np.arange(len(samples)), judged)
    if not len(others):
        raise SystemExit(f"{root}: {len(samples)} frames are too few to hold {held_out} out")
    chosen = others[np.unique(np.linspace(0, len(others) - 1, min(count, len(others))).astype(int))]
    seen, unseen = (np.stack([prepare(read_image(samples[i].image), spec) for i in part]) for part in (chosen, judged))
    truth = Truth(opened.manifest.task, codec, tuple(samples[i] for i in judged))
    return Subject(name, file, _stored(folder, name, floats[0].inputs[0].name, seen), unseen, truth=truth)


def output_names(model: Path) -> list[str]:
    """Return the model's outputs in order."""
    return [value.name for value in onnx.load(model).graph.output]


def _read(source: Path) -> list[NDArray[np.uint8]]:
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGES)
        return [image for image in map(cv2.imread, map(str, files)) if image is not None]
    if source.suffix.lower() in VIDEOS:
        video, frames = cv2.VideoCapture(str(source)), []
        while (shot := video.read())[0]:
            frames.append(shot[1])
        return frames
    raise SystemExit(f"{source} is neither a folder nor a video ({', '.join(sorted(VIDEOS))})")


def _batch(
    images: list[NDArray[np.uint8]], height: int, width: int, *, as_pixels: bool, channels_last: bool
) -> NDArray[np.generic]:
    batch = np.stack([cv2.resize(image, (width, height)) for image in images])
    batch = batch if channels_last else np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    return batch if as_pixels else (batch / 255.0).astype(np.float32)


def _stored(folder: Path, name: str, input_name: str, frames: NDArray[np.generic]) -> Path:
    file = folder / f"{name}-frames.npz"
    np.savez(file, **{input_name: frames})
    return file
