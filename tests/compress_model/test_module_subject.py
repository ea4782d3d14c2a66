"""What a stranger's module takes and answers, found out by running it."""

import torch
from torch import nn

from edgecnn.compress_model.module_subject import fed_by


class APicture(nn.Module):
    """Answers with one tensor a picture, as detectors do."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return [torch.relu(one) for one in self.body(x)]


def test_a_module_that_answers_one_by_one_is_fed_one_by_one():
    assert not fed_by(APicture().eval(), {"x": (1, 3, 8, 8)}).batched
    assert fed_by(APicture().body, {"input": (1, 3, 8, 8)}).batched
