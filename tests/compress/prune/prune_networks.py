"""Small networks, each with one thing that pruning has to understand or to refuse."""

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

EXAMPLE = (torch.zeros(2, 3, 16, 16),)


def conv(inputs, outputs, kernel=3, **more):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **more), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Wrapped(nn.Module):
    """A stem, one block and a classifier."""

    def __init__(self, block, width=16, out=16):
        super().__init__()
        self.stem = conv(3, width)
        self.block = block
        self.head = nn.Linear(out, 5)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = conv(16, 24), nn.Conv2d(24, 16, 3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.two(self.one(x)))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.join = conv(16, 8), conv(24, 8), conv(32, 16)

    def forward(self, x):
        for layer in (self.one, self.two):
            x = torch.cat([x, layer(x)], 1)
        return self.join(x)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([conv(16, 8, 1), conv(16, 12), conv(16, 4, 5)])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class AddedToConcat(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = conv(16, 4), conv(16, 12), conv(16, 16)

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], 1) + self.c(x)


class SqueezeExcite(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        make = nn.Linear if linear else lambda i, o: nn.Conv2d(i, o, 1)
        self.down, self.up = make(16, 8), make(8, 16)

    def forward(self, x):
        y = x.mean((2, 3), keepdim=not self.linear)
        y = self.up(self.down(y).relu()).sigmoid()
        return x * (y[:, :, None, None] if self.linear else y)


class SpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.where = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        return x * self.where(x).sigmoid()


class MeanAndMaxAttention(nn.Module):
    """Statistics over channels (CBAM): a mean changes with the number of channels, so nothing here may go."""

    def __init__(self):
        super().__init__()
        self.where = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.where(both).sigmoid()


class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand, self.deep, self.project = conv(16, 48, 1), conv(48, 48, 3, groups=48), nn.Conv2d(48, 16, 1)

    def forward(self, x):
        return x + self.project(self.deep(self.expand(x)))


class GatedHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.out = nn.Conv2d(16, 32, 1), nn.Conv2d(16, 16, 1)

    def forward(self, x):
        a, b = self.both(x).chunk(2, 1)
        return self.out(a * b.sigmoid())


class ChunkedBranches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = conv(8, 8), conv(8, 8)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        return torch.cat([self.a(a), self.b(b)], 1)


class SlicedHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.a, self.b = conv(16, 24), conv(12, 8), conv(12, 8)

    def forward(self, x):
        x = self.both(x)
        half = x.shape[1] // 2
        return torch.cat([self.a(x[:, :half]), self.b(x[:, half:])], 1)


class SplitByConstants(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.a, self.b = conv(16, 24), conv(8, 8), conv(16, 8)

    def forward(self, x):
        a, b = self.both(x).split([8, 16], 1)
        return torch.cat([self.a(a), self.b(b)], 1)


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = conv(16, 24, 1, groups=2), conv(24, 16, 1, groups=2)

    def forward(self, x):
        x = self.one(x)
        n, c, h, w = x.shape
        return self.two(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2: half passes, half is worked on, and the two are shuffled."""

    def __init__(self):
        super().__init__()
        self.branch = nn.Sequential(conv(8, 8, 1), conv(8, 8, 3, groups=8), conv(8, 8, 1))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.branch(b)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ConstantView(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = conv(16, 24), conv(24, 16)

    def forward(self, x):
        x = self.one(x)
        return self.two(x.flatten(2).reshape(x.shape[0], 24, *x.shape[2:]))


class SoftmaxOverChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 24, 1), conv(24, 16)

    def forward(self, x):
        return self.two(self.one(x).softmax(1))


class NormalisedOverChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 24, 1), conv(24, 16)

    def forward(self, x):
        return self.two(F.normalize(self.one(x), dim=1))


class UpAndDown(nn.Module):
    def __init__(self, groups=1):
        super().__init__()
        self.down = conv(16, 24, stride=2)
        self.up = nn.ConvTranspose2d(24, 16, 2, 2, groups=groups)
        self.fuse = conv(32, 16)

    def forward(self, x):
        return self.fuse(torch.cat([x, self.up(self.down(x))], 1))


class PixelShuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(16, 32, 1), conv(8, 16)

    def forward(self, x):
        return self.narrow(F.pixel_shuffle(self.wide(x), 2))


class LayerScale(nn.Module):
    """ConvNeXt's block: a depthwise convolution, a layer norm and a mlp over channels last, and a scale."""

    def __init__(self):
        super().__init__()
        self.deep = nn.Conv2d(16, 16, 5, padding=2, groups=16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(48, 16)
        self.scale = nn.Parameter(torch.full((16, 1, 1), 0.5))

    def forward(self, x):
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        y = self.down(F.gelu(self.up(y)))
        return x + self.scale * y.permute(0, 3, 1, 2)


class SelfAttention(nn.Module):
    """One head over places; queries and keys share their width."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Conv2d(16, 8, 1), nn.Conv2d(16, 8, 1), nn.Conv2d(16, 12, 1)
        self.out = nn.Conv2d(12, 16, 1)

    def forward(self, x):
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        mixed = v @ (q.transpose(1, 2) @ k).softmax(2).transpose(1, 2)
        return x + self.out(mixed.reshape(x.shape[0], -1, *x.shape[2:]))


class HeadsAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        y = x.flatten(2).transpose(1, 2)
        y, _ = self.attention(y, y, y)
        return x + y.transpose(1, 2).reshape(x.shape)


class Normed(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(16, 24, 3, padding=1), norm, conv(24, 16)

    def forward(self, x):
        return self.two(torch.relu(self.norm(self.one(x))))


class Grouped(nn.Module):
    def __init__(self, groups, inside=24, outside=24):
        super().__init__()
        self.one, self.two, self.three = conv(16, inside, 1), conv(inside, outside, 3, groups=groups), conv(outside, 16)

    def forward(self, x):
        return self.three(self.two(self.one(x)))


class FrozenNorm(nn.Module):
    """A norm whose numbers are buffers, as detectors freeze their backbones."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 24, 3, padding=1), conv(24, 16)
        self.register_buffer("scale", torch.rand(24) + 0.5)

    def forward(self, x):
        return self.two(torch.relu(self.one(x) * self.scale.view(1, -1, 1, 1)))


class Flattened(nn.Module):
    def __init__(self, pool=2):
        super().__init__()
        self.stem = conv(3, 16)
        self.deep = conv(16, 12)
        self.hidden = nn.Linear(12 * pool * pool, 20)
        self.head = nn.Linear(20, 5)
        self.pool = pool

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.deep(self.stem(x)), self.pool)
        return self.head(self.hidden(torch.flatten(x, 1)).relu())


class SharedHead(nn.Module):
    """A detector's: one head on two levels, several outputs."""

    def __init__(self):
        super().__init__()
        self.stem, self.fine, self.coarse = conv(3, 16), conv(16, 24), conv(24, 24, stride=2)
        self.tower = conv(24, 24)
        self.boxes, self.classes = nn.Conv2d(24, 4, 1), nn.Conv2d(24, 3, 1)

    def forward(self, x):
        fine = self.fine(self.stem(x))
        found = {}
        for name, level in (("fine", fine), ("coarse", self.coarse(fine))):
            y = self.tower(level)
            found[name] = (self.boxes(y), self.classes(y))
        return found


class TiedWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = conv(3, 16), nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)
        self.two.weight = self.one.weight
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        return self.head(self.two(self.one(self.stem(x)).relu()).relu())


class FeaturesToo(nn.Module):
    """Gives its features beside its answer."""

    def __init__(self):
        super().__init__()
        self.stem, self.deep, self.head = conv(3, 16), conv(16, 24), nn.Conv2d(24, 2, 1)

    def forward(self, x):
        features = self.deep(self.stem(x))
        return self.head(features), features


class WithoutEffect(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.side, self.join, self.head = conv(3, 16), conv(16, 8), conv(8, 16), nn.Conv2d(16, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        return self.head(x + 0 * self.join(self.side(x)))


NETWORKS = {
    "residual": lambda: Wrapped(Residual()),
    "dense": lambda: Wrapped(Dense()),
    "inception": lambda: Wrapped(Inception(), out=24),
    "added_to_concat": lambda: Wrapped(AddedToConcat()),
    "se_conv": lambda: Wrapped(SqueezeExcite(linear=False)),
    "se_linear": lambda: Wrapped(SqueezeExcite(linear=True)),
    "spatial_attention": lambda: Wrapped(SpatialAttention()),
    "mean_and_max": lambda: Wrapped(MeanAndMaxAttention()),
    "inverted_residual": lambda: Wrapped(InvertedResidual()),
    "gated_halves": lambda: Wrapped(GatedHalves()),
    "chunked_branches": lambda: Wrapped(ChunkedBranches()),
    "sliced_halves": lambda: Wrapped(SlicedHalves()),
    "split_by_constants": lambda: Wrapped(SplitByConstants()),
    "shuffle": lambda: Wrapped(Shuffle()),
    "shuffle_unit": lambda: Wrapped(ShuffleUnit()),
    "constant_view": lambda: Wrapped(ConstantView()),
    "softmax": lambda: Wrapped(SoftmaxOverChannels()),
    "normalised": lambda: Wrapped(NormalisedOverChannels()),
    "up_and_down": lambda: Wrapped(UpAndDown()),
    "up_and_down_grouped": lambda: Wrapped(UpAndDown(groups=4)),
    "up_and_down_blocks": lambda: Wrapped(UpAndDown(groups=8)),
    "pixel_shuffle": lambda: Wrapped(PixelShuffle()),
    "layer_scale": lambda: Wrapped(LayerScale()),
    "self_attention": lambda: Wrapped(SelfAttention()),
    "heads_attention": lambda: Wrapped(HeadsAttention()),
    "group_norm": lambda: Wrapped(Normed(nn.GroupNorm(4, 24))),
    "group_norm_blocks": lambda: Wrapped(Normed(nn.GroupNorm(12, 24))),
    "instance_norm": lambda: Wrapped(Normed(nn.InstanceNorm2d(24, affine=True))),
    "instance_norm_plain": lambda: Wrapped(Normed(nn.InstanceNorm2d(24))),
    "layer_norm_maps": lambda: Wrapped(Normed(nn.LayerNorm([24, 16, 16]))),
    "prelu": lambda: Wrapped(Normed(nn.PReLU(24))),
    "prelu_one": lambda: Wrapped(Normed(nn.PReLU())),
    "grouped": lambda: Wrapped(Grouped(3)),
    "grouped_blocks": lambda: Wrapped(Grouped(12)),
    "grouped_widening": lambda: Wrapped(Grouped(12, 12, 24)),
    "grouped_narrowing": lambda: Wrapped(Grouped(12, 24, 12)),
    "frozen_norm": lambda: Wrapped(FrozenNorm()),
    "flattened": Flattened,
    "shared_head": SharedHead,
    "tied_weights": TiedWeights,
    "features_too": FeaturesToo,
    "without_effect": WithoutEffect,
}
