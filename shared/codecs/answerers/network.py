"""The network of the answerers of scenes, a residual network that is modulated by the question.

    picture [3, 64, 64] --tower--> cells [C, 8, 8] --.                    .--> answer
    words [9] --GRU--> question [C] -------------FiLM blocks--> maps --pools--> MLP
                                                              '--> gates [8, 8]: which cells are asked about

FiLM: Perez et al., 2018. The gates are learned from the ground truth, cell by cell. Their sum counts the objects that
are asked about, which pooling by attention, a mean, cannot do.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.datasets.drawn import COLOURS, SHAPES
from shared.datasets.scenes.layout import MOST
from shared.datasets.scenes.words import ANSWERS, WORDS

SIDE: Final = 64
CELLS: Final = 8
"""Cells of a picture, across and down. The centres of two objects never lie in the same cell."""

_FINE_LAYERS: Final = 3  # of the tower, down to the finer of the hidden maps
_LAYERS: Final = 3
_HEADS: Final = 4
_KEY: Final = 32
_VALUE: Final = 64
_HIDDEN: Final = 256
_WORD: Final = 64
_CLOSED: Final = -4.0  # gates before the training: about one cell in 64 is asked about


class Features(NamedTuple):
    """What the network sees before it thinks. fine: [B, 64, 16, 16]. coarse: [B, 128, 8, 8]. question: [B, 128]."""

    fine: Tensor
    coarse: Tensor
    question: Tensor


class Thought(NamedTuple):
    """What the network made of questions.

    logits: [Q, 32], of `ANSWERS`. gates: [Q, 8, 8], logits of which cells hold the centre of an object asked about
    hidden: the maps of the FiLM blocks [Q, C, 8, 8] and the last hidden layer [Q, 256]
    """

    logits: Tensor
    gates: Tensor
    hidden: tuple[Tensor, ...]


def _convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


class _Residual(nn.Module):
    """x + two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class _Film(nn.Module):
    """h + relu((1 + m(t)) norm(conv(h)) + a(t))."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, side, 1, side // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.modulation = nn.Linear(channels, 2 * channels)

    def forward(self, h: Tensor, question: Tensor) -> Tensor:
        scale, shift = self.modulation(question)[:, :, None, None].chunk(2, 1)
        return h + F.relu(torch.addcmul(shift, 1 + scale, self.norm(self.convolution(h)).to(scale.dtype)))


class AnswererNetwork(nn.Module):
    """width: channels C of cells, question and maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.tower = nn.Sequential(
            _convolution(3, 32, 5, 2),
            _convolution(32, half, 3, 2),
            _Residual(half),
            _convolution(half, width, 3, 2),
            _Residual(width),
            _Residual(width),
        )
        self.naming = nn.Conv2d(width, 1 + len(SHAPES) + len(COLOURS), 1)
        self.words = nn.Embedding(len(WORDS), _WORD, padding_idx=0)
        self.reader = nn.GRU(_WORD, width, batch_first=True)
        self.entry = nn.Conv2d(width + 2, width, 1)
        self.blocks = nn.ModuleList(_Film(width, side) for side in (1, 3, 1))
        self.gate = nn.Conv2d(width, 1, 1)
        assert self.gate.bias is not None
        nn.init.constant_(self.gate.bias, _CLOSED)
        self.key, self.value = nn.Conv2d(width, _KEY, 1), nn.Conv2d(width, _VALUE, 1)
        self.query = nn.Linear(width, _HEADS * _KEY)
        pooled = (_HEADS + 1) * (_VALUE + 2) + _VALUE + MOST + 1 + width
        self.last, self.answer = nn.Linear(pooled, _HIDDEN), nn.Linear(_HIDDEN, len(ANSWERS))
        axis = torch.linspace(-1, 1, CELLS)
        self.register_buffer("grid", torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None], persistent=False)
        self.grid: Tensor

    def see(self, pictures: Tensor) -> Tensor:
        """Cells [B, C, 8, 8] of pictures [B, 3, 64, 64] in [0, 1]."""
        return self.maps(pictures)[1]

    def maps(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The finer hidden maps, [B, C/2, 16, 16], and the cells, [B, C, 8, 8]."""
        fine = self.tower[:_FINE_LAYERS]((2 * pictures - 1).contiguous(memory_format=torch.channels_last))
        return fine, self.tower[_FINE_LAYERS:](fine)

    def read(self, words: Tensor) -> Tensor:
        """Questions [Q, C] from words by number, padded on the left: [Q, 9]."""
        with torch.autocast(words.device.type, enabled=False):
            last: Tensor = self.reader(self.words(words))[1][0]
        return last

    def think(self, cells: Tensor, question: Tensor) -> Thought:
        """Answer each question [Q, C] about its own cells [Q, C, 8, 8]."""
        grid = self.grid.to(cells.dtype).expand(len(cells), -1, -1, -1)
        h, hidden = F.relu(self.entry(torch.cat([cells, grid], 1))), []
        for block in self.blocks:
            h = block(h, question)
            hidden.append(h)
        gates = self.gate(h)[:, 0].float()
        values = torch.cat([self.value(h), grid], 1).flatten(2).float()
        last = F.relu(self.last(torch.cat([self._pools(h, values, gates, question), question], 1)))
        return Thought(self.answer(last).float(), gates, (*hidden, last))

    def _pools(self, h: Tensor, values: Tensor, gates: Tensor, question: Tensor) -> Tensor:
        """Values where the question attends, where the gates are open and where they are largest, and the count."""
        query = self.query(question).float().view(len(question), _HEADS, _KEY)
        attention = torch.einsum("qhd,qds->qhs", query, self.key(h).flatten(2).float()).div(_KEY**0.5).softmax(-1)
        open_gates = gates.sigmoid().flatten(1)
        attended = torch.einsum("qhs,qcs->qhc", attention, values).flatten(1)
        counted = torch.arange(MOST + 1, device=gates.device) - open_gates.sum(1, keepdim=True)
        gated = (open_gates[:, None] * values).sum(2)
        return torch.cat([attended, gated, values[:, :_VALUE].amax(2), torch.exp(-4 * counted.square())], 1)

    def forward(self, pictures: Tensor, words: Tensor, scene: Tensor | None = None) -> tuple[Thought, Tensor]:
        """Thoughts about questions [Q, 9], and the cells; `scene` [Q] says which picture each question is about."""
        cells = self.see(pictures)
        return self.think(cells if scene is None else cells[scene], self.read(words)), cells
