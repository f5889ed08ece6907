"""Answers questions about pictures that the receiver rebuilt.

The question is known here because whoever asks sits at the receiver; it does not travel over the air.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.base.picture import FURTHER_LOST
from shared.datasets.decoding import encode_png
from shared.frame.burst import Burst
from shared.frame.question import Rebuilt
from shared.types import Pixels

if TYPE_CHECKING:
    from shared.codecs.answerers import Answerer


class Answering:
    """Its answerer is loaded with the first question."""

    def __init__(self, device: str) -> None:
        self._device = device

    @cached_property
    def answerer(self) -> "Answerer":
        """Raises NotFound without its weights."""
        from shared.codecs.answerers import Answerer  # noqa: PLC0415 - loads torch

        return Answerer.load("judge", self._device)

    def answer(self, bursts: Sequence[Burst], pixels: Pixels, missing: Sequence[str]) -> list[Rebuilt]:
        """Answer each burst's question on its picture [B, H, W, 3]; a picture that did not arrive has no answer."""
        rebuilt = [Rebuilt(encode_png(each), arrived=not why) for each, why in zip(pixels, missing, strict=True)]
        shown = [not why or why == FURTHER_LOST for why in missing]
        rows = [row for row, burst in enumerate(bursts) if burst.question and shown[row]]
        if not rows:
            return rebuilt
        words = np.stack([self.answerer.read(bursts[row].question) for row in rows])
        said = self.answerer.answer(pixels[rows], words)
        for row, text, probability in zip(rows, said.texts(), said.probability, strict=True):
            rebuilt[row] = replace(rebuilt[row], answer=text, probability=float(probability))
        return rebuilt
