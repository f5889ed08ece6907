"""The words of questions and answers, and the questions' templates."""

import re
from typing import Final

import numpy as np

from shared import binary
from shared.datasets.scenes.categories import COLOUR_NAMES, SHAPE_NAMES
from shared.errors import InvalidInput
from shared.types import Bits, Ints

PLACES: Final = ("top left", "top right", "bottom left", "bottom right")
ANSWERS: Final = (*map(str, range(6)), "yes", "no", *COLOUR_NAMES, *SHAPE_NAMES, *PLACES)
FIRST_COUNT, YES, NO = 0, 6, 7
FIRST_COLOUR: Final = 8
FIRST_SHAPE: Final = FIRST_COLOUR + len(COLOUR_NAMES)
FIRST_PLACE: Final = FIRST_SHAPE + len(SHAPE_NAMES)

PLURALS: Final = tuple(name + ("es" if name.endswith("s") else "s") for name in SHAPE_NAMES)
_SMALL = ("how", "many", "objects", "object", "are", "there", "is", "a", "what", "colour", "shape", "the", "where")
WORDS: Final = ("", *_SMALL, "left", "of", *COLOUR_NAMES, *SHAPE_NAMES, *PLURALS)
"""Number 0 is no word: short questions are padded with it on the left."""
LONGEST: Final = 9
"""Words of the longest question."""
MOST_LETTERS: Final = 200
QUESTION_BITS: Final = (len(WORDS) ** LONGEST - 1).bit_length()
"""Of the number of one question among all sequences of words."""

_SYNONYMS = {"an": "a", "color": "colour"}
_NUMBERS = {word: number for number, word in enumerate(WORDS)}
_SLOTS = {"COLOUR": 0, "SHAPE": 1, "SHAPES": 2, "OTHER_COLOUR": 3, "OTHER_SHAPE": 4}

TEMPLATES: Final = (
    "how many objects are there",
    "how many COLOUR objects are there",
    "how many SHAPES are there",
    "is there a COLOUR SHAPE",
    "what colour is the SHAPE",
    "what shape is the COLOUR object",
    "where is the COLOUR SHAPE",
    "is the COLOUR SHAPE left of the OTHER_COLOUR OTHER_SHAPE",
)
ALL_OBJECTS, ALL_OF_COLOUR, ALL_OF_SHAPE, IS_THERE, WHAT_COLOUR, WHAT_SHAPE, WHERE, LEFT_OF = range(len(TEMPLATES))


def _template(text: str) -> list[int]:
    """Numbers of a template's words, padded on the left; a slot s as -1 - s."""
    numbers = [-1 - _SLOTS[word] if word in _SLOTS else _NUMBERS[word] for word in text.split()]
    return [0] * (LONGEST - len(numbers)) + numbers


_TEMPLATES: Final = np.array([_template(text) for text in TEMPLATES])


def fill(template: Ints, colour: Ints, shape: Ints, other_colour: Ints, other_shape: Ints) -> Ints:
    """Words of questions, by number, padded on the left: [Q, 9], int64. All arguments: [Q], int64."""
    first_colour, first_shape, first_plural = (_NUMBERS[names[0]] for names in (COLOUR_NAMES, SHAPE_NAMES, PLURALS))
    slots = (first_colour + colour, first_shape + shape, first_plural + shape, first_colour + other_colour)
    values = np.stack([*slots, first_shape + other_shape], axis=1)
    words = _TEMPLATES[template]
    return np.where(words < 0, np.take_along_axis(values, np.maximum(-1 - words, 0), axis=1), words)


def to_text(words: Ints) -> str:
    """The question of some words by number: [9] or fewer."""
    names = [WORDS[number] for number in words if number]
    spoken = [
        "an" if name == "a" and following[:1] in tuple("aeiou") else name
        for name, following in zip(names, [*names[1:], ""], strict=True)
    ]
    return " ".join(spoken) + "?"


def to_words(question: str) -> Ints:
    """Words of a question by number, padded on the left: [9], int64.

    Raises InvalidInput for a question that is empty, too long, more than one, or has words that no answerer of scenes
    knows; its message names the words and the forms of questions.
    """
    text = question.strip().lower()
    if not text:
        raise InvalidInput(f"the question is empty: ask, for example, {_examples()}")
    if len(text) > MOST_LETTERS:
        raise InvalidInput(f"the question has {len(text)} letters: ask one question of at most {MOST_LETTERS}")
    if len([part for part in re.split(r"[?!.;\n]+", text) if part.strip()]) > 1:
        raise InvalidInput(f"{question.strip()!r} is more than one question: ask one at a time")
    names = [_SYNONYMS.get(name, name) for name in re.findall(r"\w+", text)]
    if unknown := [name for name in names if name not in _NUMBERS]:
        raise InvalidInput(
            f"the answerer of scenes does not know {', '.join(map(repr, unknown[:5]))}: ask, for example, "
            f"{_examples()}; it knows the shapes {', '.join(SHAPE_NAMES)} and the colours {', '.join(COLOUR_NAMES)}"
        )
    if not names or len(names) > LONGEST:
        raise InvalidInput(f"the question has {len(names)} words: ask, for example, {_examples()}")
    return np.array([0] * (LONGEST - len(names)) + [_NUMBERS[name] for name in names])


def to_bits(words: Ints) -> Bits:
    """The number of a question [9] among all sequences of words, in bits: [50]."""
    number = 0
    for word in words.tolist():
        number = number * len(WORDS) + word
    bits: Bits = binary.to_bits(np.array([[number]]), QUESTION_BITS)[0]
    return bits


def from_bits(bits: Bits) -> Ints | None:
    """The reverse of `to_bits`; None for a number that is no question's, which only errors make."""
    number, words = int(binary.from_bits(bits[None], QUESTION_BITS)[0, 0]), []
    for _ in range(LONGEST):
        number, word = divmod(number, len(WORDS))
        words.append(word)
    return np.array(words[::-1]) if any(words) and not number else None


def _examples() -> str:
    return "'what colour is the heart?', 'how many stars are there?' or 'is the red ring left of the blue star?'"
