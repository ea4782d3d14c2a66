"""The models of the target table: families made here, recipes' networks, and the caller's bundles and ONNX files."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from networks import MORE, NETWORKS
from networks.trained_like import measure_norms
from quantization_subjects import STATISTICS_FRAMES, Subject, given, labelled, made_here, road_scenes

from edgecnn.core import shared
from edgecnn.core.recipe import load_recipe
from edgecnn.export.onnx_from_torch import export
from edgecnn.models.build import build_model

FAMILIES = (*NETWORKS, *MORE)
RECIPES = ("lane-quickstart", "pedestrian-quickstart", "drive-quickstart")
OPSET = 17


def subjects(options: argparse.Namespace, folder: Path) -> Iterator[Subject]:
    """Yield the models asked for, each with calibration and held-out frames."""
    counts = (options.frames, options.held_out)
    for name, bundle in options.bundle:
        root = dict(options.labels)[name]
        yield labelled(name, Path(bundle), Path(root), dict(options.format).get(name, "tusimple"), *counts, folder)
    for name, file in options.model:
        sources = [Path(path) for owner, path in options.calib if owner == name]
        yield given(name, Path(file), sources, *counts, folder, rgb=name in options.rgb, judge=None)
    if options.networks or options.recipes:
        scenes = road_scenes(sum(counts))
        for name in options.recipes:
            yield of_recipe(name, scenes, options.held_out, folder)
        for name in options.networks:
            yield made_here(name, scenes, options.held_out, folder)


def of_recipe(name: str, scenes: list[np.ndarray], held_out: int, folder: Path) -> Subject:
    """Return a recipe's network with fresh weights, whose norms have seen scenes, as its export stage leaves it."""
    recipe = load_recipe(shared.find("recipes", name))
    torch.manual_seed(0)
    module = build_model(recipe)
    frame = recipe.model.frame
    frames = np.stack([cv2.resize(scene, (frame.width, frame.height)) for scene in scenes])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (module.normalise.mean, module.normalise.std))
    pixels = torch.from_numpy(frames[:STATISTICS_FRAMES][..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    measure_norms(module, (pixels - mean) / std)
    model = export(module, frame, module.normalise, module.output_names, OPSET)
    file, calibration = folder / f"{name}.onnx", folder / f"{name}-frames.npz"
    onnx.save(model, file)
    np.savez(calibration, image=frames[:-held_out])
    return Subject(name, file, calibration, frames[-held_out:])
