"""The codec of arXiv 2509.08913: aligned hidden states, segment-wise VQ, a generator with skips.

h_i [N, C], question t --f = sum_i (M_i t) * (W_i h_i) + A_i t--> features, one for each group of cells
features --centred, cut, length 1--> segments [S, 8] --nearest of 64--> indices
segments --convolutions, each with what it was made of added--> picture
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.codecs.query.uo_isc_network import BOOK, DIMENSIONS, Alignment, Quantized

_WIDE: Final = 256
_NARROW: Final = 16


class Shape(NamedTuple):
    """cells: of the hidden states, across. tokens: across. segments: of each. side: of the pictures."""

    cells: int
    tokens: int
    segments: int
    side: int


class VqaCodec(nn.Module):
    """layers: of hidden states, `channels` each. words: of a question. aligned: whether the question modulates them."""

    def __init__(self, shape: Shape, layers: int, channels: int, words: int, *, aligned: bool = True) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(Alignment(channels, words, aligned=aligned) for _ in range(layers))
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(_WIDE, shape.segments * DIMENSIONS))
        self.centre = nn.BatchNorm1d(shape.segments * DIMENSIONS, affine=False)
        self.books = nn.Parameter(F.normalize(torch.randn(shape.segments, BOOK, DIMENSIONS), dim=2))
        self.start = nn.Conv2d(shape.segments * DIMENSIONS, _WIDE, 1)
        widths = [max(_NARROW, _WIDE >> number) for number in range(_doublings(shape) + 1)]
        self.blocks = nn.ModuleList(map(_Up, widths, widths[1:]))
        self.paint = nn.Conv2d(widths[-1], 3, 3, 1, 1)

    def encode(self, hidden: list[Tensor], question: Tensor) -> Tensor:
        """Segments [B, T^2, S, 8] of length 1 of hidden states [B, N, C] and questions [B, D]."""
        count, shape = len(question), self.shape
        f = sum(self._of_layer(number, each, question) for number, each in enumerate(hidden))
        centred = self.centre(self.last(f).float())
        return F.normalize(centred.view(count, shape.tokens**2, shape.segments, DIMENSIONS), dim=3)

    def quantize(self, continuous: Tensor) -> Quantized:
        """The nearest codeword of each segment [B, T^2, S, 8]; gradients go straight through."""
        books = F.normalize(self.books, dim=2)
        indices = torch.einsum("btsd,snd->btsn", continuous, books).argmax(3)
        values = books[torch.arange(self.shape.segments, device=indices.device), indices]
        return Quantized(continuous, continuous + (values - continuous).detach(), indices)

    def decode(self, values: Tensor) -> Tensor:
        """Pictures [B, 3, side, side] in about [0, 1] of segments [B, T^2, S, 8]."""
        tokens = self.shape.tokens
        grid = values.flatten(2).transpose(1, 2).reshape(len(values), -1, tokens, tokens)
        maps = self.start(grid)
        for block in self.blocks:
            maps = block(maps)
        side = self.shape.side
        return F.interpolate(self.paint(maps), (side, side), mode="bilinear") + 0.5

    def _of_layer(self, number: int, hidden: Tensor, question: Tensor) -> Tensor:
        """F of one layer, [B T^2, 256]: hidden states are averaged over the cells of each token."""
        cells, tokens = self.shape.cells, self.shape.tokens
        grid = hidden.transpose(1, 2).reshape(len(hidden), -1, cells, cells)
        pooled = F.adaptive_avg_pool2d(grid, tokens).flatten(2).transpose(1, 2).flatten(0, 1)
        aligned: Tensor = self.layers[number](pooled, question.repeat_interleave(tokens**2, 0))
        return aligned


class _Up(nn.Module):
    """Twice the size: the map scaled, and what convolutions add to it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        larger = F.interpolate(maps, scale_factor=2.0, mode="nearest")
        return F.relu(self.skip(larger) + self.change(larger))


def _doublings(shape: Shape) -> int:
    """From tokens to at most the picture's side."""
    return max(1, (shape.side // shape.tokens).bit_length() - 1)
