"""What the training loop's worker processes inherit."""

import multiprocessing
import subprocess
import sys

import pytest

TRAINING = """
import cv2, numpy as np, torch
from edgecnn.core.recipe import TrainSection
from edgecnn.train.loop import batches

class Pictures:
    epoch = 0
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return torch.from_numpy(cv2.resize(np.full((64, 64, 3), index, np.uint8), (32, 32))), {}

cv2.setNumThreads(4)
cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (9, 9), 3)
settings = TrainSection(epochs=1, batch_size=4, workers=1, threads=1)
assert len(list(batches(Pictures(), settings, seed=0))) == 2
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="workers are not forked here")
def test_workers_start_where_opencv_ran_threads_before():
    done = subprocess.run([sys.executable, "-c", TRAINING], timeout=120, check=False)
    assert done.returncode == 0
