"""The questions of a split with the answers that rebuilt pictures are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.codecs.answerers import Answerer
from shared.codecs.answerers.matching import match
from shared.codecs.base.picture import Asked
from shared.datasets.scenes import Objects, Questions, draw_scenes, questions_about
from shared.datasets.scenes.words import ANSWERS
from shared.types import Bools, Floats, Ints, Pixels

CHUNK = 128
"""Pictures that are answered together."""
_INSIDE = 0.9  # of an object's radius: its outline left out


@dataclass(frozen=True)
class Exam:
    """Questions [Q] about scenes of one split, and what two answerers say to the original pictures.

    pixels: [N, 64, 64, 3], of the scenes. texts: [Q]. judge, witness: [Q], positions in `ANSWERS`. relevance: [Q, 8, 8]
    """

    split: str
    pixels: Pixels
    objects: Objects
    asked: Questions
    texts: tuple[str, ...]
    judge: Ints
    witness: Ints
    relevance: Floats

    @classmethod
    def of(cls, split: str, scenes: int, judge: Answerer, witness: Answerer) -> "Exam":
        """One question of each kind about each of so many scenes, where it has an answer."""
        drawn, asked = draw_scenes(split, range(scenes)), questions_about(split, range(scenes))
        looks = [
            judge.look(drawn.pixels[asked.scene[part]], asked.words[part])
            for part in np.array_split(np.arange(len(asked.kind)), -(-len(asked.kind) // CHUNK))
        ]
        said = np.concatenate([look.answers.numbers for look in looks])
        said_witness = answered(witness, drawn.pixels, asked.words, asked.scene)
        relevance = np.concatenate([look.relevance for look in looks])
        return cls(split, drawn.pixels, drawn.objects, asked, tuple(asked.texts()), said, said_witness, relevance)

    def originals(self) -> Asked:
        """The picture and the words of each question, and what the judge says that it needs."""
        return Asked(self.pixels[self.asked.scene], self.asked.words, self.relevance)

    def region(self) -> Bools:
        """The pixels of the objects that are asked about: [Q, 64, 64]; none for what is not there."""
        side = np.arange(self.pixels.shape[1]) + 0.5
        x, y, r = (each[self.asked.scene][:, :, None, None] for each in self.objects[2:])
        inside = np.square(side[None, None, None] - x) + np.square(side[None, None, :, None] - y) < np.square(
            _INSIDE * r
        )
        found: Bools = (inside & self.asked.about[:, :, None, None]).any(1)
        return found

    def another(self) -> Ints:
        """For each question another one about the same scene, the next one: [Q]."""
        order = np.arange(len(self.texts))
        last = np.append(self.asked.scene[1:] != self.asked.scene[:-1], True)
        first = np.searchsorted(self.asked.scene, self.asked.scene)
        return np.where(last, first, order + 1)


def answered(answerer: Answerer, pixels: Pixels, words: Ints, picture: Ints) -> Ints:
    """Answers to questions, those about `CHUNK` pictures at a time: [Q], positions in `ANSWERS`.

    pixels: [N, 64, 64, 3]. words: [Q, 9]. picture: [Q], which one each question is about
    """
    numbers = np.zeros(len(words), np.int64)
    for start in range(0, len(pixels), CHUNK):
        rows = np.flatnonzero((picture >= start) & (picture < start + CHUNK))
        part = pixels[start : start + CHUNK]
        numbers[rows] = answerer.answer(part, words[rows], picture[rows] - start).numbers
    return numbers


def matches(texts: Sequence[str], first: Ints, second: Ints) -> Bools:
    """Whether two answers to each question match, by the authors' rule: [Q]."""
    pairs = zip(texts, first, second, strict=True)
    return np.array([match(text, ANSWERS[one], ANSWERS[other]) for text, one, other in pairs])
