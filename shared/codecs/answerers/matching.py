"""When two answers to a question match, by the rule of the second paper's authors (arXiv 2509.08913, their code).

kind     by the question's first words    the answers match if
count    how many                         their first integers are equal, in digits or in words to twelve
yes-no   is, are, does, can, ..           their first words are equal
where    where                            one contains the other, or they are similar by at least 0.8
open     all others                       they are equal, or similar by at least 0.85

All are compared in lower case, without punctuation and articles. Similarity: `difflib.SequenceMatcher`.
"""

import re
import string
from difflib import SequenceMatcher
from typing import Final, Literal

Kind = Literal["count", "yes-no", "where", "open"]

_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}
_AUXILIARIES: Final = frozenset(
    ("is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "has", "have", "had", "should")
)
_ARTICLES: Final = frozenset({"a", "an", "the"})
_SIMILAR_PLACES: Final = 0.8
_SIMILAR: Final = 0.85
_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def kind_of(question: str) -> Kind:
    """Which rule a question's answers are compared by."""
    words = question.lower().translate(_NO_PUNCTUATION).split()
    if words[:2] == ["how", "many"]:
        return "count"
    if words[:1] == ["where"]:
        return "where"
    return "yes-no" if words and words[0] in _AUXILIARIES else "open"


def match(question: str, first: str, second: str) -> bool:
    """Whether two answers to a question are the same. An answer of no words matches nothing."""
    one, other = normalized(first), normalized(second)
    if not one or not other:
        return False
    kind = kind_of(question)
    if kind == "count":
        return _first_integer(one) is not None and _first_integer(one) == _first_integer(other)
    if kind == "yes-no":
        return one.split()[0] == other.split()[0]
    if kind == "where":
        return one in other or other in one or _similarity(one, other) >= _SIMILAR_PLACES
    return one == other or _similarity(one, other) >= _SIMILAR


def normalized(answer: str) -> str:
    """Lower case, without punctuation and articles, one space between words."""
    words = answer.lower().translate(_NO_PUNCTUATION).split()
    return " ".join(word for word in words if word not in _ARTICLES)


def _first_integer(answer: str) -> int | None:
    for word in answer.split():
        if re.fullmatch(r"\d+", word):
            return int(word)
        if word in _NUMBERS:
            return _NUMBERS[word]
    return None


def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
