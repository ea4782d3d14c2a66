"""A stranger's torch module through the steps of compression, without labels: what stands in the end, and the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from edgecnn.compress_model.module_subject import module_subject
from edgecnn.compress_model.progress import save_module
from edgecnn.compress_model.run import compress
from edgecnn.compress_model.trusted import module_of
from edgecnn.core import atomic, evidence
from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
from edgecnn.core.recipe import CompressStep
from edgecnn.core.registry import TARGETS
from edgecnn.core.workdir import temporary
from edgecnn.data.picture_input import Normalisation

ONNX = "model.onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOptions:
    """All that decides the result.

    Attributes:
        name: `package.module:function`, which returns the module.
        trust_code: whether that code may run.
        calib: pictures, a video, or an .npz file with an array for each input.
        shapes: of the module's inputs by name, with a batch of one.
        normalisation: how pixels become the input.
        steps: what is done.
        targets: where it is to run; timed in the first.
        out: the folder that is written.
        frames: most frames that are read.
        threads: of engines and torch.
        seconds: how long each timing takes.
        seed: decides the order of batches.
    """

    name: str
    trust_code: bool
    calib: str
    shapes: Mapping[str, tuple[int, ...]]
    normalisation: Normalisation
    steps: tuple[CompressStep, ...]
    targets: tuple[str, ...]
    out: Path
    frames: int = 500
    threads: int = 2
    seconds: float = 2.0
    seed: int = 0


def run(options: ModuleOptions) -> CompressResult:
    """Compress, and leave `model.onnx`, `model.safetensors`, `structure.json` and `compress.json` in `options.out`.

    Raises:
        InputError: the code is not trusted, or is no module that runs on the shapes given, or nothing can be written.
        DataError: the frames can't be read or do not fit.
        GateError: pruning can't reach the goal.
    """
    module = module_of(options.name, trust_code=options.trust_code)
    with temporary(options.out, None) as work:
        torch.manual_seed(options.seed)
        subject, _ = module_subject(
            module,
            options.calib,
            options.shapes,
            options.normalisation,
            work,
            frames=options.frames,
            threads=options.threads,
            seed=options.seed,
        )
        smaller, result = compress(
            subject,
            options.steps,
            options.targets,
            work / "steps",
            threads=options.threads,
            seconds=options.seconds,
        )
        opset = min(TARGETS[target].opset for target in options.targets)
        with atomic.new_folder(options.out) as folder:
            save_module(folder, smaller, module)
            evidence.write(folder / COMPRESSION, result)
            atomic.write_bytes(folder / ONNX, subject.to_onnx(smaller, opset).SerializeToString(deterministic=True))
    return result
