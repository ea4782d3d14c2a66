"""Strided 1x1 convolutions: the same numbers, no process that ends, and a network that is left as it was."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from edgecnn.train.strided import pixels_taken_first


def net():
    torch.manual_seed(1)
    strided = nn.Conv2d(7, 9, 1, stride=2, bias=False)
    return nn.Sequential(nn.Conv2d(3, 7, 3, padding=1), strided, nn.Conv2d(9, 8, 3, padding=1, stride=2))


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 2)])
def test_the_numbers_are_the_same_and_the_network_is_left_as_it_was(size):
    module, frames = net(), torch.randn(2, 3, *size)
    wanted = module(frames)
    with pixels_taken_first(module):
        assert [layer.stride for layer in module] == [(1, 1), (1, 1), (2, 2)]
        torch.testing.assert_close(module(frames), wanted)
    assert [layer.stride for layer in module] == [(1, 1), (2, 2), (2, 2)]
    assert torch.equal(module(frames), wanted)


def test_an_error_leaves_the_network_as_it_was():
    module = net()
    with pytest.raises(RuntimeError, match="in between"), pixels_taken_first(module):
        raise RuntimeError("in between")
    assert module[1].stride == (2, 2)
    assert not module[1]._forward_pre_hooks


TRAINING = """
import sys
sys.path.insert(0, {folder!r})
import torch
from test_strided import net
from edgecnn.train.strided import pixels_taken_first
torch.set_num_threads(2)
module = net().to(memory_format=torch.channels_last)
with pixels_taken_first(module):
    for _ in range(12):
        frames = torch.randn(16, 3, 44, 80).contiguous(memory_format=torch.channels_last)
        module(frames).square().mean().backward()
kept = [torch.randn(count) for count in range(1, 400)]
print("alive")
"""


def test_the_gradient_of_a_narrow_one_ends_no_process(request):
    script = TRAINING.format(folder=str(request.path.parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
