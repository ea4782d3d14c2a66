"""A strategy of random networks made of every kind of block that pruning has to understand or to refuse."""

import math

import torch
from hypothesis import strategies as st
from torch import nn

SIDE = 16


class Act(nn.Module):
    """Norm and activation after a layer."""

    def __init__(self, width, norm, activation):
        super().__init__()
        self.norm = {
            "batch": lambda: nn.BatchNorm2d(width),
            "group": lambda: nn.GroupNorm(math.gcd(4, width), width),
            "instance": lambda: nn.InstanceNorm2d(width, affine=True),
            "none": nn.Identity,
        }[norm]()
        self.activation = {"relu": nn.ReLU, "silu": nn.SiLU, "prelu": lambda: nn.PReLU(width)}[activation]()

    def forward(self, x):
        return self.activation(self.norm(x))


def conv(inputs, outputs, kernel, style, groups=1):
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=style[0] == "none")
    return nn.Sequential(layer, Act(outputs, *style))


class Branches(nn.Module):
    """Several ways through, put together by a function."""

    def __init__(self, branches, join):
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.join = join

    def forward(self, x):
        return self.join([branch(x) for branch in self.branches])


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def add(parts):
    return torch.stack(parts).sum(0) if len(parts) > 2 else parts[0] + parts[1]


def concat(parts):
    return torch.cat(parts, 1)


def shuffled(x):
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def gated(x):
    a, b = x.chunk(2, 1)
    return a * b.sigmoid()


class Attend(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(width, size, 1) for size in (8, 8, width))
        self.out = nn.Conv2d(width, outputs, 1)

    def forward(self, x):
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        mixed = v @ (q.transpose(1, 2) @ k * 0.1).softmax(2).transpose(1, 2)
        return self.out(x + mixed.reshape(x.shape))


class Excite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, 8, 1), nn.Conv2d(8, width, 1)

    def forward(self, x):
        return x * self.up(self.down(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class ChannelsLast(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.deep = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.scale = nn.Parameter(torch.full((width, 1, 1), 0.3))

    def forward(self, x):
        y = self.down(torch.relu(self.up(self.norm(self.deep(x).permute(0, 2, 3, 1)))))
        return x + self.scale * y.permute(0, 3, 1, 2)


def residual(i, o, style):
    inner = nn.Sequential(conv(i, o, 3, style), nn.Conv2d(o, o, 3, padding=1))
    return nn.Sequential(Branches([inner, nn.Conv2d(i, o, 1) if i != o else nn.Identity()], add), Act(o, *style))


def inverted(i, o, style):
    return nn.Sequential(conv(i, 2 * i, 1, style), conv(2 * i, 2 * i, 3, style, groups=2 * i), nn.Conv2d(2 * i, o, 1))


def up_and_down(i, o, style):
    way = nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), Act(o, *style), nn.ConvTranspose2d(o, o, 2, 2))
    return Branches([way, conv(i, o, 1, style)], add)


def inception(i, o, style):
    return Branches([conv(i, o // 2, 1, style), conv(i, o // 4, 3, style), conv(i, o // 4, 5, style)], concat)


def dense(i, o, style):
    return nn.Sequential(Branches([nn.Identity(), conv(i, 8, 3, style)], concat), conv(i + 8, o, 1, style))


def blocks(i, o, style):
    return nn.Sequential(conv(i, 16, 1, style), conv(16, 16, 3, style, 8), conv(16, o, 1, style))


def shared(i, o, style):
    twice = conv(i, i, 3, style)
    return nn.Sequential(twice, twice, conv(i, o, 1, style))


def halves(i, o, style):
    def split(x):
        a, b = x.split([i // 2, i // 2], 1)
        return torch.cat([b, a], 1)

    return nn.Sequential(conv(i, i, 1, style), Function(split), nn.Conv2d(i, o, 1))


BLOCKS = {
    "plain": lambda i, o, style: conv(i, o, 3, style),
    "pooled": lambda i, o, style: nn.Sequential(conv(i, o, 3, style), nn.MaxPool2d(3, 1, 1)),
    "residual": residual,
    "inverted": inverted,
    "grouped": lambda i, o, style: nn.Sequential(conv(i, o, 3, style, groups=2), conv(o, o, 3, style, groups=4)),
    "blocks": blocks,
    "dense": dense,
    "inception": inception,
    "up_and_down": up_and_down,
    "excite": lambda i, o, style: nn.Sequential(Excite(i), conv(i, o, 3, style)),
    "gated": lambda i, o, style: nn.Sequential(nn.Conv2d(i, 2 * o, 1), Function(gated), Act(o, *style)),
    "channels_last": lambda i, o, style: nn.Sequential(ChannelsLast(i), conv(i, o, 1, style)),
    "shuffled": lambda i, o, style: nn.Sequential(conv(i, o, 1, style, 2), Function(shuffled), conv(o, o, 3, style)),
    "constant_split": halves,
    "constant_view": lambda i, o, style: nn.Sequential(
        conv(i, o, 3, style), Function(lambda x: x.flatten(2).reshape(x.shape[0], o, SIDE, SIDE)), nn.Conv2d(o, o, 1)
    ),
    "softmax": lambda i, o, style: nn.Sequential(conv(i, o, 1, style), nn.Softmax(1), nn.Conv2d(o, o, 1)),
    "attention": lambda i, o, _style: Attend(i, o),
    "shared": shared,
}


class RandomNetwork(nn.Module):
    """Blocks one after another, and one of several kinds of heads."""

    def __init__(self, stem, blocks, head):
        super().__init__()
        style = ("batch", "relu")
        layers, width = [conv(3, stem, 3, style)], stem
        for kind, outputs, norm, activation in blocks:
            layers.append(BLOCKS[kind](width, outputs, (norm, activation)))
            width = outputs
        self.body = nn.Sequential(*layers)
        self.kind = head
        self.output_names = ("one",) if head in {"pooled", "flat"} else ("one", "two")
        self.pool = nn.AdaptiveAvgPool2d(2)
        if head == "pooled":
            self.one = nn.Linear(width, 4)
        elif head == "flat":
            self.one = nn.Sequential(nn.Linear(4 * width, 12), nn.ReLU(), nn.Linear(12, 4))
        else:
            self.tower = nn.Conv2d(width, 12, 3, padding=1)
            self.one, self.two = nn.Conv2d(12, 4, 1), nn.Conv2d(12, 2, 1)

    def forward(self, x):
        x = self.body(x)
        if self.kind == "pooled":
            return (self.one(x.mean((2, 3))),)
        if self.kind == "flat":
            return (self.one(self.pool(x).flatten(1)),)
        x = self.tower(x).relu()
        if self.kind == "maps":
            return self.one(x), self.two(x)
        return self.one(x), x


WIDTHS = st.sampled_from([8, 12, 16, 24])
STYLES = (st.sampled_from(["batch", "group", "instance", "none"]), st.sampled_from(["relu", "silu", "prelu"]))


@st.composite
def networks(draw):
    """Draw a network for float32 [N, 3, 16, 16] that gives a tuple of tensors, its weights from a drawn seed."""
    torch.manual_seed(draw(st.integers(0, 999)))
    block = st.tuples(st.sampled_from(sorted(BLOCKS)), WIDTHS, *STYLES)
    blocks = draw(st.lists(block, min_size=1, max_size=3))
    return RandomNetwork(draw(WIDTHS), blocks, draw(st.sampled_from(["pooled", "flat", "maps", "features_too"])))
