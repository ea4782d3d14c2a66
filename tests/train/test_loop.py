"""What the training loop's worker processes inherit."""

import multiprocessing
import os
import signal

import cv2
import numpy as np
import pytest
import torch

from edgecnn.core.recipe import TrainSection
from edgecnn.train.loop import batches


class Pictures:
    """Items that OpenCV makes."""

    epoch = 0

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.from_numpy(cv2.resize(np.full((64, 64, 3), index, np.uint8), (32, 32))), {}


def _train_after_opencv_had_threads():
    os.setsid()
    cv2.setNumThreads(4)
    cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (1500, 1500))
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (9, 9), 3)
    settings = TrainSection(epochs=1, batch_size=4, workers=1, threads=1)
    assert len(list(batches(Pictures(), settings, seed=0))) == 2
    os._exit(0)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="workers are not forked here")
def test_workers_start_where_opencv_ran_threads_before():
    child = multiprocessing.get_context("fork").Process(target=_train_after_opencv_had_threads)
    child.start()
    child.join(90)
    hung = child.is_alive()
    if hung:
        os.killpg(child.pid, signal.SIGKILL)
    assert not hung
    assert child.exitcode == 0
