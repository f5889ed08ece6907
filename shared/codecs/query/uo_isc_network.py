"""The network of `uo-isc`: tokens of cells, aligned with the question, cut into quantized segments, painted again.

    picture [3, 64, 64] --frozen tower--> h_1 [64, 16, 16], h_2 [128, 8, 8] --.
            '--crop [3, 32, 32] around a cell, convolutions--> h_0 ------------| f = sum_i (M_i t) * (W_i h_i) + A_i t
    question --frozen reader--> t [128] ---------------------------------------'     (of the judge; see `query.sight`)
    f --MLP, centred--> segments [S, 8], length 1 --nearest of 64--> indices          (segment-wise VQ)
    segments --layers--> a few colours -------------.
            '--convolutions--> where each is, weight --> patch [32, 32] --laid over each other--> picture [3, 64, 64]

The alignment, the cut into segments of length 1 and their books are those of arXiv 2509.08913. Tower and reader are the
judge's, or those of clip-scenes, where the paper has CLIP's. The painter does not know the question.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.codecs.answerers.network import SIDE, Features
from shared.codecs.query.tokens import CELLS, SEGMENT_BITS, SEGMENTS

BOOK: Final = 1 << SEGMENT_BITS
DIMENSIONS: Final = 8
"""Of a segment."""
PATCH: Final = 32
"""Pixels of what a token shows, across and down, around the middle of its cell."""

_STEP: Final = SIDE // CELLS
_MARGIN: Final = (PATCH - _STEP) // 2
_WIDE: Final = 256
_COLOURS: Final = 6  # of a token
_GROUND: Final = 1e-2  # weight of the ground against that of patches


class Quantized(NamedTuple):
    """Segments. continuous, values: [M, S, 8], length 1, before and after; values pass gradients straight through.

    indices: [M, S]
    """

    continuous: Tensor
    values: Tensor
    indices: Tensor


def _convolution(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Alignment(nn.Module):
    """(M t) * (W h) + A t; without a question, W h alone."""

    def __init__(self, inputs: int, question: int, *, aligned: bool) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, _WIDE)
        self.modulate = nn.Linear(question, 2 * _WIDE) if aligned else None
        if self.modulate is not None:
            nn.init.zeros_(self.modulate.weight)
            nn.init.zeros_(self.modulate.bias)

    def forward(self, hidden: Tensor, question: Tensor) -> Tensor:
        """Part of f [M, 256] of hidden states [M, inputs]."""
        projected: Tensor = self.project(hidden)
        if self.modulate is None:
            return projected
        scale, shift = self.modulate(question).chunk(2, 1)
        aligned: Tensor = (1 + scale) * projected + shift
        return aligned


class Encoder(nn.Module):
    """Tokens as segments of length 1. aligned: whether the question modulates the hidden states."""

    def __init__(self, fine: int, coarse: int, question: int, *, aligned: bool) -> None:
        super().__init__()
        self.look = nn.Sequential(
            _convolution(3, 32, 5, 2), _convolution(32, 64, 3, 2), _convolution(64, 96, 3, 2), nn.Flatten()
        )
        inputs = (96 * (PATCH // 8) ** 2, fine * 4, coarse)
        self.layers = nn.ModuleList(Alignment(each, question, aligned=aligned) for each in inputs)
        self.mix = nn.Sequential(nn.ReLU(), nn.Linear(_WIDE, _WIDE), nn.ReLU())
        self.last = nn.Linear(_WIDE, SEGMENTS * DIMENSIONS)
        self.centre = nn.BatchNorm1d(SEGMENTS * DIMENSIONS, affine=False)

    def forward(self, pictures: Tensor, features: Features, at: Tensor) -> Tensor:
        """Segments [M, S, 8] of the tokens at [M, 3]: picture, row, column."""
        picture, row, column = at.unbind(1)
        cells = F.pixel_unshuffle(features.fine, 2)
        hidden = (
            self.look(crops(pictures, at).contiguous(memory_format=torch.channels_last)),
            cells[picture, :, row, column],
            features.coarse[picture, :, row, column],
        )
        question = features.question[picture]
        f = sum(layer(each, question) for layer, each in zip(self.layers, hidden, strict=True))
        centred = self.centre(self.last(self.mix(f)).float())
        return F.normalize(centred.view(-1, SEGMENTS, DIMENSIONS), dim=2)


class Painter(nn.Module):
    """Pictures of segments: of each token a few colours, and where in its patch each of them is.

    Shape and colour come from layers of their own, so that a shape in a colour that it never had can be painted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(SEGMENTS * (DIMENSIONS + 1), _WIDE), nn.ReLU())
        self.start = nn.Linear(_WIDE, 128 * 16)
        self.palette = nn.Sequential(
            nn.Linear(SEGMENTS * (DIMENSIONS + 1), _WIDE), nn.ReLU(), nn.Linear(_WIDE, 3 * _COLOURS)
        )
        self.ground = nn.Linear(_WIDE, 3)
        self.blocks = nn.ModuleList([_convolution(128, 64), _convolution(64, 32), _convolution(32, 16)])
        self.last = nn.Conv2d(16, _COLOURS + 1, 3, 1, 1)
        edge = torch.sin(torch.pi * (torch.arange(PATCH) + 0.5) / PATCH)
        self.register_buffer("window", (edge[:, None] * edge)[None], persistent=False)
        self.window: Tensor

    def forward(self, segments: Tensor, sent: Tensor, at: Tensor, count: int) -> Tensor:
        """Pictures [count, 3, 64, 64] in about [0, 1] of segments [M, S, 8], of which `sent` [M, S] arrived."""
        known = torch.cat([segments * sent[:, :, None], sent[:, :, None].to(segments.dtype)], 2).flatten(1)
        wide = self.first(known)
        maps = self.start(wide).view(-1, 128, 4, 4).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            maps = block(F.interpolate(maps, scale_factor=2.0, mode="nearest"))
        drawn = self.last(maps).float()
        weight = drawn[:, _COLOURS].clamp(-6, 6).exp() * self.window
        colours = self.palette(known).float().view(-1, 3, _COLOURS)
        painted = torch.einsum("mcp,mphw->mchw", colours, drawn[:, :_COLOURS].softmax(1))
        return _laid_over(painted + 0.5, weight, self.ground(wide).float() + 0.5, at, count)


class UoIscNetwork(nn.Module):
    """fine, coarse, question: channels of the hidden states and of a question. aligned: see `Encoder`."""

    def __init__(self, fine: int, coarse: int, question: int, *, aligned: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder(fine, coarse, question, aligned=aligned)
        self.painter = Painter()
        self.books = nn.Parameter(F.normalize(torch.randn(SEGMENTS, BOOK, DIMENSIONS), dim=2))

    def quantize(self, continuous: Tensor) -> Quantized:
        """The nearest codeword of each segment [M, S, 8]."""
        books = F.normalize(self.books[: continuous.shape[1]], dim=2)
        indices = torch.einsum("msd,snd->msn", continuous, books).argmax(2)
        values = self.codewords(indices)
        return Quantized(continuous, continuous + (values - continuous).detach(), indices)

    def codewords(self, indices: Tensor) -> Tensor:
        """Segments [M, S, 8] of indices [M, S]."""
        books = F.normalize(self.books, dim=2)
        return books[torch.arange(indices.shape[1], device=indices.device), indices]


def crops(pictures: Tensor, at: Tensor) -> Tensor:
    """What tokens see of pictures [B, 3, 64, 64]: [M, 3, 32, 32], the borders repeated."""
    padded = F.pad(pictures, [_MARGIN] * 4, mode="replicate")
    picture, row, column = at.unbind(1)
    return padded.unfold(2, PATCH, _STEP).unfold(3, PATCH, _STEP)[picture, :, row, column]


def _laid_over(colour: Tensor, weight: Tensor, ground: Tensor, at: Tensor, count: int) -> Tensor:
    """Mean of the patches [M, 3, 32, 32] by weight [M, 32, 32], over the mean of the grounds [M, 3] of a picture."""
    side = SIDE + 2 * _MARGIN
    picture, row, column = at.unbind(1)
    axis = torch.arange(PATCH, device=at.device)
    y, x = (_STEP * row)[:, None] + axis, (_STEP * column)[:, None] + axis
    flat = ((picture * side)[:, None, None] + y[:, :, None]) * side + x[:, None, :]
    layers = torch.cat([colour * weight[:, None], weight[:, None]], 1).permute(0, 2, 3, 1).reshape(-1, 4)
    canvas = layers.new_zeros(count * side * side, 4).index_add(0, flat.flatten(), layers)
    inside = canvas.view(count, side, side, 4)[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].permute(0, 3, 1, 2)
    tokens = torch.zeros(count, 1, device=at.device).index_add(0, picture, torch.ones_like(ground[:, :1]))
    mean = torch.zeros(count, 3, device=at.device).index_add(0, picture, ground) / tokens.clamp_min(1)
    return (inside[:, :3] + _GROUND * mean[:, :, None, None]) / (inside[:, 3:] + _GROUND)
