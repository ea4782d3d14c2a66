"""Random frames of objects for the tests of metrics: truths, ignored ones, finds near them and beside them."""

import numpy as np

from edgecnn.core.results import Detections

NAMES = ("pedestrian", "rider", "car")


def made_frame(rng, classes=1, *, ties=False, most=6, places=1):
    """Return (found, true) of one frame; coordinates have `places` decimals, as label files have."""
    count, extra = rng.integers(0, most), rng.integers(0, most)
    true = _boxes(rng, count, places)
    labels = rng.integers(0, classes, count)
    near = np.flatnonzero(rng.random(count) < 0.8)
    near = np.concatenate([near, near[rng.random(len(near)) < 0.3]])
    shaken = np.round(
        true[near] + rng.normal(0, 0.07, (len(near), 4)) * np.tile(true[near, 2:] - true[near, :2], 2), places
    )
    shaken[:, 2:] = np.maximum(shaken[:, 2:], shaken[:, :2] + 1)
    found = np.concatenate([shaken, _boxes(rng, extra, places)])
    found_labels = np.concatenate([labels[near], rng.integers(0, classes, extra)])
    scores = rng.choice([0.1, 0.4, 0.7, 0.9], len(found)) if ties else rng.random(len(found))
    seen = true.copy()
    seen[:, 3] = true[:, 1] + np.round((true[:, 3] - true[:, 1]) * rng.choice([0.1, 0.3, 0.65, 0.8, 1], count), places)
    names = NAMES[:classes]
    order = rng.permutation(len(found))
    return (
        Detections(
            found[order].astype(np.float32), scores[order].astype(np.float32), found_labels[order], 640, 480, names
        ),
        Detections(
            true.astype(np.float32),
            np.zeros(0, np.float32),
            labels,
            640,
            480,
            names,
            seen.astype(np.float32),
            rng.random(count) < 0.2,
        ),
    )


def _boxes(rng, count, places):
    heights = rng.choice([15, 20, 32, 40, 50, 60, 75, 90, 120, 200], count) * rng.choice([1, 1, 1.05], count)
    corner = np.round(rng.uniform(0, 300, (count, 2)), places)
    size = np.stack([np.round(heights * rng.uniform(0.3, 0.9, count), places), np.round(heights, places)], axis=1)
    return np.round(np.concatenate([corner, corner + size], axis=1).reshape(-1, 4), places)
