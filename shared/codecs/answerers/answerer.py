"""An answerer with its weights.

pixels [B, 64, 64, 3], words [B, 9] --> answers, and which parts of the picture they come from
"""

from pathlib import Path
from typing import Final, NamedTuple, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from shared.codecs.answerers.network import CELLS, SIDE, AnswererNetwork, Features, Thought
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_weights, weights_path
from shared.datasets.scenes.words import ANSWERS, to_words
from shared.errors import NotFound
from shared.types import Floats, Ints, Pixels

ANSWERERS: Final = ("judge", "witness")
"""The judge tells codecs what of a picture a question needs; the witness takes no part in any of them."""

Network = TypeVar("Network", bound=nn.Module)

_OPEN: Final = 0.3
"""Sum of a picture's gates from which on they count: below, nothing that is asked about is there."""


class Answers(NamedTuple):
    """Answers to a batch of questions. numbers: [B], int64, positions in `ANSWERS`. probability: [B], float32."""

    numbers: Ints
    probability: Floats

    def texts(self) -> list[str]:
        """The answers in words."""
        return [ANSWERS[number] for number in self.numbers]


class Look(NamedTuple):
    """Answers, and where in the picture they come from. relevance: [B, 8, 8], float32, not negative."""

    answers: Answers
    relevance: Floats
    seen: Features


class Answerer:
    """Answers questions about scenes. fingerprint: 16 hexadecimal digits of its parameters."""

    def __init__(self, name: str, network: AnswererNetwork, device: str = "cpu") -> None:
        self.name = name
        self.fingerprint = fingerprint_of_weights(network.state_dict(), name)
        self.network = on_device(network, device).eval().requires_grad_(False)
        self._device = device

    @classmethod
    def load(cls, name: str, device: str = "cpu") -> Self:
        """The shipped answerer of that name. Raises NotFound for an unknown one and for missing weights."""
        if name not in ANSWERERS:
            raise NotFound(f"no answerer {name!r}; there are {' and '.join(ANSWERERS)}")
        return cls.from_file(name, weights_path(name, "model.safetensors"), device)

    @classmethod
    def from_file(cls, name: str, path: Path, device: str = "cpu") -> Self:
        """The answerer in a file of `semlink train`. Raises DataLoss if it holds none."""
        tensors, metadata = read_weights(path, name)
        with holding_weights(path, name):
            network = AnswererNetwork(int(metadata["width"]))
            network.load_state_dict(tensors)
        return cls(name, network, device)

    @torch.inference_mode()
    def answer(self, pixels: Pixels, words: Ints, picture: Ints | None = None) -> Answers:
        """Answers to questions about pictures.

        pixels: [B, H, W, 3], uint8, scaled to 64 x 64. words: [Q, 9], as `read` gives them. picture: [Q], which one
        each question is about; None for one question about each
        """
        scene = None if picture is None else torch.from_numpy(picture).to(self._device)
        thought, _ = self.network(self._pictures(pixels), self._words(words), scene)
        return _answers(thought.logits)

    def look(self, pixels: Pixels, words: Ints) -> Look:
        """Answers, and what each cell of a picture contributes to its answer. Arguments as those of `answer`."""
        with torch.no_grad():
            seen = Features(*self.network.maps(self._pictures(pixels)), self.network.read(self._words(words)))
        thought, relevance = relevance_of(self.network, seen.coarse, seen.question)
        return Look(_answers(thought.logits.detach()), relevance.cpu().numpy(), seen)

    @staticmethod
    def read(question: str) -> Ints:
        """Words of a question: [9], int64. Raises InvalidInput for what is no question about scenes."""
        return to_words(question)

    def _pictures(self, pixels: Pixels) -> Tensor:
        if pixels.shape[1:] != (SIDE, SIDE, 3):
            pixels = np.stack(
                [np.asarray(Image.fromarray(each).resize((SIDE, SIDE), Image.Resampling.BOX)) for each in pixels]
            )
        return to_unit_range(pixels).to(self._device)

    def _words(self, words: Ints) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(words)).to(self._device)


def relevance_of(network: AnswererNetwork, cells: Tensor, question: Tensor) -> tuple[Thought, Tensor]:
    """Thoughts about questions [Q, C] on cells [Q, C, 8, 8], and what each cell contributes: [Q, 8, 8], float32.

    The sum of two shares: of |sum over channels of gradient times activation| of the winning answer's logit (Selvaraju
    et al., 2017, without the mean over cells), which tells one answer from the others, and of the gates, which mark all
    objects that are asked about. A count needs all of them, and its gradient is nearly the same at each.
    """
    with torch.enable_grad():
        leaf = cells.detach().requires_grad_()
        thought = network.think(leaf, question)
        (gradient,) = torch.autograd.grad(thought.logits.max(1).values.sum(), leaf)
    tells = (gradient * leaf).sum(1).abs().detach().float()
    gates = thought.gates.detach().sigmoid()
    shares = (each / each.sum((1, 2), keepdim=True).clamp_min(least) for each, least in ((tells, 1e-9), (gates, _OPEN)))
    return thought, sum(shares, torch.zeros_like(tells))


def _answers(logits: Tensor) -> Answers:
    best = logits.softmax(1).max(1)
    return Answers(best.indices.cpu().numpy(), best.values.cpu().numpy())


def to_unit_range(pixels: Pixels) -> Tensor:
    """Pictures [B, H, W, 3], uint8, as the network takes them: [B, 3, H, W], float32, in [0, 1], channels last."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def on_device(network: Network, device: str) -> Network:
    """A network on a device, its convolutions with channels last: twice as fast on a processor."""
    return network.to(device).to(memory_format=torch.channels_last)


def cells_of(x: Floats, y: Floats) -> tuple[Ints, Ints]:
    """Column and row of the cell in which a point lies, in pixels of a picture 64 wide."""
    side = SIDE / CELLS
    return (x // side).astype(np.int64).clip(0, CELLS - 1), (y // side).astype(np.int64).clip(0, CELLS - 1)
