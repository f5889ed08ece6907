"""Trains the codec of `lab.vqa.network`: pictures first, then the intent, then the adversary.

loss = |e| + 3 e^2 + 0.25 segments + w(step) (1 - cos of the answerer's thoughts) + v(step) adversary
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from lab.train.common.fit import Training
from lab.train.uo_isc.adversary import Critic, error_of_critic, error_of_deception
from lab.vqa.answerer import VqaAnswerer
from lab.vqa.network import Shape, VqaCodec
from lab.vqa.samples import Sample
from lab.vqa.settings import VqaSettings
from lab.vqa.vision import LAYERS, Vision
from shared.codecs.answerers.answerer import to_unit_range
from shared.errors import InvalidPicture
from shared.types import Pixels

_SEGMENTS_WEIGHT: Final = 0.25
_COMMITMENT: Final = 0.25
Batch = tuple[Tensor, list[str]]
"""Pictures [B, 3, S, S] in [0, 1], and a question for each."""


class VqaTraining(Training):
    """Learns from questions of a split; the last round is kept. vision, answerer: frozen, no part of what is saved."""

    def __init__(
        self, settings: VqaSettings, vision: Vision, answerer: VqaAnswerer | None, samples: Sequence[Sample]
    ) -> None:
        super().__init__(settings.steps, settings.seed)
        self._settings, self._samples = settings, samples
        self._frozen = [(vision, answerer)]
        shape = Shape(vision.cells, settings.tokens, settings.segments, settings.side)
        self.network = VqaCodec(shape, LAYERS, vision.channels, vision.words, aligned=settings.alignment)
        self.critic = Critic() if settings.adversary else None

    def batches(self) -> Iterator[Batch]:
        """Questions at random."""
        for _ in range(self.steps):
            rows = torch.randint(len(self._samples), (self.share(self._settings.batch),)).tolist()
            chosen = [self._samples[row] for row in rows]
            pixels = np.stack([read_picture(sample, self._settings.side) for sample in chosen])
            yield to_unit_range(pixels), [sample.question for sample in chosen]

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """See the loss above."""
        (pictures, questions), (vision, answerer) = batch, self._frozen[0]
        done = (self.current_epoch + number / self.steps) / self._settings.rounds
        with torch.no_grad():
            hidden, words = vision.see(pictures), vision.read(questions)
        quantized = self.network.quantize(self.network.encode(hidden, words))
        rebuilt = self.network.decode(quantized.values)
        error = rebuilt - pictures
        loss = (error.abs() + 3 * error.square()).mean() + _SEGMENTS_WEIGHT * self._of_segments(quantized.continuous)
        if answerer is not None and self._settings.intent and done >= self._settings.intent_from:
            loss = loss + self._settings.intent * _intent(answerer, rebuilt, pictures, questions)
        if self.critic is not None and done >= self._settings.adversary_from:
            loss = loss + self._settings.adversary * error_of_deception(self.critic, rebuilt)
            loss = loss + error_of_critic(self.critic, pictures, rebuilt)
        return self.logged(loss)

    def _of_segments(self, continuous: Tensor) -> Tensor:
        """Books follow the segments, and segments their codewords a little."""
        indices = self.network.quantize(continuous).indices
        books = F.normalize(self.network.books, dim=2)
        codewords = books[torch.arange(len(books), device=indices.device), indices]
        to_books = (codewords - continuous.detach()).square().sum(3).mean()
        return to_books + _COMMITMENT * (continuous - codewords.detach()).square().sum(3).mean()

    def configure_optimizers(self) -> Any:
        """AdamW."""
        groups: list[dict[str, Any]] = [{"params": self.network.parameters()}]
        if self.critic is not None:
            groups.append({"params": self.critic.parameters(), "betas": (0.0, 0.9)})
        return torch.optim.AdamW(groups, self._settings.lr, (0.9, 0.98), weight_decay=0.01)


def _intent(answerer: VqaAnswerer, rebuilt: Tensor, pictures: Tensor, questions: Sequence[str]) -> Tensor:
    with torch.no_grad():
        wanted = answerer.think(pictures, questions)
    return 1 - F.cosine_similarity(answerer.think(rebuilt, questions), wanted).mean()


def read_picture(sample: Sample, side: int) -> Pixels:
    """The picture of a sample, scaled and cropped to [side, side, 3]. Raises InvalidPicture naming a wrong file."""
    try:
        with Image.open(sample.picture) as image:
            return np.array(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BICUBIC))
    except OSError as error:
        raise InvalidPicture(f"{sample.picture} cannot be read ({error}): it belongs to the data") from error


@torch.inference_mode()
def rebuilt_by(network: VqaCodec, vision: Vision, pixels: Pixels, questions: Sequence[str]) -> Pixels:
    """Pictures [B, S, S, 3] as they arrive without errors, each sent for its question."""
    pictures = to_unit_range(pixels).to(network.books.device)
    values = network.quantize(network.encode(vision.see(pictures), vision.read(questions))).values
    found = (network.decode(values).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
    return np.ascontiguousarray(found.cpu().numpy())
