"""The centres loss: minimising it brings the decoder to the boxes, and what is ignored has no gradient."""

import numpy as np
import torch

from edgecnn.core.results import Detections
from edgecnn.core.tensor import FrameSpec
from edgecnn.runtime.codecs.centres import CentresCodec
from edgecnn.train.losses.centres import focal, generalised_iou, loss

CODEC = CentresCodec({}, FrameSpec(96, 64))


def encoded(boxes, ignore=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    ignore = np.zeros(len(boxes), bool) if ignore is None else np.array(ignore, bool)
    truth = Detections(
        boxes, np.zeros(0, np.float32), np.zeros(len(boxes), np.int64), 96, 64, ("pedestrian",), ignore=ignore
    )
    return {name: torch.from_numpy(value)[None] for name, value in CODEC.encode(truth).items()}


def start():
    logits = torch.full(CODEC.outputs[0].shape, -2.19, requires_grad=True)
    return logits, *(torch.zeros(spec.shape, requires_grad=True) for spec in CODEC.outputs[1:])


def terms(logits, size, offset, targets):
    return loss({"heat": logits.sigmoid(), "size": size, "offset": offset}, targets)


def test_minimising_the_loss_brings_the_decoder_to_the_boxes():
    boxes = [[10, 8, 26, 50], [60.5, 10.25, 75.5, 40.75]]
    targets, parts = encoded(boxes), start()
    optimizer = torch.optim.Adam(parts, lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        sum(terms(*parts, targets).values()).backward()
        optimizer.step()
    logits, size, offset = (part.detach().numpy() for part in parts)
    found = CODEC.decode({"heat": 1 / (1 + np.exp(-logits)), "size": size, "offset": offset}, 96, 64)
    sure = found.take(found.scores > 0.5)
    assert len(sure) == 2
    np.testing.assert_allclose(sure.boxes[np.argsort(sure.boxes[:, 0])], boxes, atol=0.5)


def test_ignored_regions_and_empty_cells_have_no_gradient_where_they_must_not():
    targets, (logits, size, offset) = encoded([[10, 8, 26, 50], [50, 10, 80, 50]], [False, True]), start()
    sum(terms(logits, size, offset, targets).values()).backward()
    ignored = targets["care"][0] == 0
    assert ignored.any()
    assert (logits.grad[0][ignored] == 0).all()
    assert (logits.grad[0][~ignored] != 0).all()
    apart = targets["weight"][0] == 0
    assert (size.grad[0][:, apart] == 0).all()
    assert (offset.grad[0][:, apart] == 0).all()
    assert (size.grad[0][:, ~apart] != 0).all()


def test_a_frame_without_objects_teaches_the_map_alone_and_stays_finite():
    targets, parts = encoded([]), start()
    found = terms(*parts, targets)
    assert float(found["heat"].detach()) > 0
    assert float(found["boxes"].detach()) == 0
    for extreme in (0.0, 1.0):
        heat = torch.full(CODEC.outputs[0].shape, extreme, requires_grad=True)
        value = focal(heat, encoded([[10, 8, 26, 50]])["heat"], torch.ones_like(heat))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(heat.grad).all()


def test_cells_near_a_centre_are_penalised_less():
    wanted = torch.tensor([[[[1.0, 0.8, 0.0]]]])
    heat = torch.full((1, 1, 1, 3), 0.5, requires_grad=True)
    focal(heat, wanted, torch.ones_like(wanted)).backward()
    centre, near, far = heat.grad[0, 0, 0].tolist()
    assert centre < 0 < near < far / 100


def boxes(*corners):
    """Return the lower and upper corners [1, 2, 1, N] of boxes given as top, left, bottom, right."""
    table = torch.tensor(corners, dtype=torch.float32).T.reshape(2, 2, 1, -1)
    return table[:1], table[1:]


def test_generalised_iou_is_that_of_its_paper():
    one = boxes([0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 4, 1])
    other = boxes([0, 0, 2, 2], [0, 1, 2, 3], [0, 3, 1, 4], [1, 0, 3, 1])
    # Alike; a third shared and no gap; side by side with two of four parts of the hull empty; one inside the other.
    expected = [1.0, 1 / 3, -0.5, 0.5]
    assert generalised_iou(one, other).flatten().tolist() == torch.tensor(expected).tolist()


def test_sides_far_off_give_finite_losses():
    targets, (logits, _, offset) = encoded([[10, 8, 26, 50]]), start()
    for extreme in (-60.0, 60.0):
        size = torch.full(CODEC.outputs[1].shape, extreme)
        assert all(torch.isfinite(term) for term in terms(logits, size, offset, targets).values())
