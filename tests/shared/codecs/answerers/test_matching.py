"""The rule of the second paper's authors, by which two answers match."""

import pytest

from shared.codecs.answerers.matching import kind_of, match
from shared.datasets.scenes.words import ANSWERS, PLACES


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many stars are there?", "count"),
        ("Is there a red star?", "yes-no"),
        ("Does the man wear a hat?", "yes-no"),
        ("Where is the cat?", "where"),
        ("What colour is the heart?", "open"),
        ("", "open"),
    ],
)
def test_kinds(question: str, kind: str) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    ("question", "first", "second", "same"),
    [
        ("how many stars?", "2", "Two stars.", True),
        ("how many stars?", "there are 12", "twelve", True),
        ("how many stars?", "2", "3", False),
        ("how many stars?", "many", "many", False),
        ("how many stars?", "12", "1", False),
        ("is there a star?", "Yes, there is.", "yes", True),
        ("is there a star?", "No.", "yes", False),
        ("where is the cat?", "on the table", "The cat is on table", True),
        ("where is the cat?", "on the chair", "under a tree", False),
        ("what is it?", "A red star.", "the red star", True),
        ("what is it?", "skateboarding", "skateboardin", True),
        ("what is it?", "red", "green", False),
        ("what is it?", "...", "...", False),
    ],
)
def test_answers(question: str, first: str, second: str, same: bool) -> None:
    assert match(question, first, second) is same
    assert match(question, second, first) is same


def test_answers_about_scenes_match_only_themselves() -> None:
    for question, answers in (("where is it?", PLACES), ("what is it?", ANSWERS[8:28]), ("how many?", ANSWERS[:6])):
        pairs = [(one, other) for one in answers for other in answers if match(question, one, other)]
        assert pairs == [(answer, answer) for answer in answers]
