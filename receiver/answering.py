"""Answers questions about pictures that the receiver rebuilt.

A question is known here because whoever asks sits at the receiver, or it came over the air in front of the picture.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.base.picture import FURTHER_LOST
from shared.datasets.decoding import encode_png
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

    def answer(self, questions: Sequence[str | None], pixels: Pixels, missing: Sequence[str]) -> list[Rebuilt]:
        """Answer each question on its picture [B, H, W, 3]; a picture that did not arrive has no answer.

        questions: None for one that was lost. missing: of each picture, why it did not arrive, empty if it did.
        """
        rebuilt = [
            Rebuilt(encode_png(each), arrived=not why, question_lost=question is None)
            for each, why, question in zip(pixels, missing, questions, strict=True)
        ]
        asked = {row: question for row, question in enumerate(questions) if question and _is_shown(missing[row])}
        if not asked:
            return rebuilt
        rows, words = list(asked), np.stack([self.answerer.read(question) for question in asked.values()])
        said = self.answerer.answer(pixels[rows], words)
        for row, text, probability in zip(rows, said.texts(), said.probability, strict=True):
            rebuilt[row] = replace(rebuilt[row], answer=text, probability=float(probability))
        return rebuilt


def _is_shown(missing: str) -> bool:
    """Whether there is a picture, though it may be an earlier one. missing: why none arrived."""
    return missing in ("", FURTHER_LOST)
