"""What clip-scenes learns from: scenes, true captions of some of their objects, questions with every answer."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lab.train.answerer.train import lesson
from shared.datasets.drawn import COLOURS
from shared.datasets.scenes.captions import COMBINATIONS, caption_of
from shared.datasets.scenes.words import ANSWERS, FIRST_COLOUR, FIRST_COUNT, FIRST_PLACE, FIRST_SHAPE, YES, to_text

Tokenize = Callable[[list[str]], Tensor]

_STARTS: Final = np.array([FIRST_COUNT, YES, FIRST_COLOUR, FIRST_SHAPE, FIRST_PLACE, len(ANSWERS)])
MOST: Final = int(np.diff(_STARTS).max())
"""Answers of a kind of question, at most."""


class SceneLesson(NamedTuple):
    """A batch. pictures: [B, 3, 64, 64] in [0, 1]. captions: tokens [B, T]. right: [B, B], float, see `of_captions`.

    questions: tokens [Q, MOST, T], 0 where a kind has no further answer. answers, scene: [Q]
    cells: of each object its picture, row and column: [3, M]. combinations: [M]
    """

    pictures: Tensor
    captions: Tensor
    right: Tensor
    questions: Tensor
    answers: Tensor
    scene: Tensor
    cells: Tensor
    combinations: Tensor


def scene_lesson(split: str, indices: "np.ndarray[Any, Any]", questions: int, tokenize: Tokenize) -> SceneLesson:
    """Draw scenes and say what is true of them; which objects a caption names depends on the first index."""
    drawn = lesson(split, indices, questions)
    picture, row, column, shape, colour = drawn.cells
    combinations = shape * len(COLOURS) + colour
    shown = torch.zeros(len(indices), COMBINATIONS, dtype=torch.bool)
    shown[picture, combinations] = True
    named = named_in(shown, np.random.default_rng(int(indices[0])))
    texts, answers = answered(drawn.words.numpy(), drawn.answer.numpy())
    tokens = tokenize([text for row in texts for text in row]).view(len(texts), MOST, -1)
    tokens[torch.tensor([[not text for text in row] for row in texts])] = 0
    return SceneLesson(
        drawn.pictures,
        tokenize([caption_of(each) for each in named]),
        true_of(shown, named),
        tokens,
        torch.from_numpy(answers),
        drawn.scene,
        torch.stack([picture, row, column]),
        combinations,
    )


def named_in(shown: Tensor, generator: np.random.Generator) -> list[list[int]]:
    """Some objects of each scene, one at least, in any order. shown: [B, combinations]."""
    named = []
    for row in shown:
        there = generator.permutation(np.flatnonzero(row.numpy()))
        named.append([int(each) for each in there[: generator.integers(1, len(there), endpoint=True)]])
    return named


def true_of(shown: Tensor, named: Sequence[Sequence[int]]) -> Tensor:
    """Which captions are true of which pictures: [B, B], float32, a row for each picture."""
    wanted = torch.zeros(len(named), shown.shape[1], dtype=torch.bool)
    for row, combinations in zip(wanted, named, strict=True):
        row[list(combinations)] = True
    missing = (~shown).float() @ wanted.float().T
    return (missing == 0).float()


def answered(words: "np.ndarray[Any, Any]", answers: "np.ndarray[Any, Any]") -> tuple[list[list[str]], Any]:
    """Each question with every answer of its kind, filled up with empty texts, and which is right: [Q].

    words: [Q, 9]. answers: [Q], positions in `ANSWERS`
    """
    kind = np.searchsorted(_STARTS, answers, side="right") - 1
    texts = []
    for row, start, end in zip(words, _STARTS[kind], _STARTS[kind + 1], strict=True):
        question = to_text(row)
        said = [f"{question} {answer}" for answer in ANSWERS[start:end]]
        texts.append(said + [""] * (MOST - len(said)))
    return texts, answers - _STARTS[kind]
