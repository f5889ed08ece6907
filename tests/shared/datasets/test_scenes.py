"""Scenes and questions: repeatable, within their splits, and every answer true by a second way of finding it."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from shared.datasets import open_source
from shared.datasets.drawn import COLOURS
from shared.datasets.scenes import (
    COLOUR_NAMES,
    KINDS,
    SHAPE_NAMES,
    SPLITS,
    Objects,
    arrange_scenes,
    draw_scenes,
    questions_about,
)
from shared.datasets.scenes.captions import caption_of, captions_of
from shared.datasets.scenes.categories import UNSEEN_SHAPES
from shared.datasets.scenes.words import ANSWERS, LONGEST, PLACES, to_text, to_words
from shared.errors import InvalidInput, InvalidSetting

TESTED = ("seen", "unseen-combinations", "unseen-shapes")
Thing = tuple[str, str, float, float]


def _things(objects: Objects, scene: int) -> list[Thing]:
    """Colour, shape, x and y of the objects of a scene, in words."""
    rows = zip(*(values[scene].tolist() for values in objects[:4]), strict=True)
    return [(COLOUR_NAMES[colour], SHAPE_NAMES[shape], x, y) for shape, colour, x, y in rows if shape >= 0]


def _one(things: list[Thing], *names: str) -> Thing:
    (found,) = [thing for thing in things if set(names) <= set(thing[:2])]
    return found


def _place(thing: Thing) -> str:
    return f"{'top' if thing[3] < 32 else 'bottom'} {'left' if thing[2] < 32 else 'right'}"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


ANSWERED: dict[str, Callable[..., str]] = {
    r"how many objects are there": lambda things: str(len(things)),
    r"how many (\w+) objects are there": lambda things, colour: str(sum(thing[0] == colour for thing in things)),
    r"how many (\w+?)(?:(?<=s)e)?s are there": lambda things, shape: str(sum(thing[1] == shape for thing in things)),
    r"is there an? (\w+) (\w+)": lambda things, *pair: _yes(any(thing[:2] == pair for thing in things)),
    r"what colour is the (\w+)": lambda things, shape: _one(things, shape)[0],
    r"what shape is the (\w+) object": lambda things, colour: _one(things, colour)[1],
    r"where is the (\w+) (\w+)": lambda things, *pair: _place(_one(things, *pair)),
    r"is the (\w+) (\w+) left of the (\w+) (\w+)": lambda things, *pairs: _yes(
        _one(things, *pairs[:2])[2] < _one(things, *pairs[2:])[2]
    ),
}


def _answered(question: str, things: list[Thing]) -> str:
    """The answer, found from the words of the question, one object after another."""
    for form, answer in ANSWERED.items():
        if matched := re.fullmatch(form, question.rstrip("?")):
            return answer(things, *matched.groups())
    raise AssertionError(question)


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_is_true(split: str) -> None:
    objects, asked = draw_scenes(split, range(150)).objects, questions_about(split, range(150), 12)
    for scene, text, answer in zip(asked.scene, asked.texts(), asked.answer, strict=True):
        assert _answered(text, _things(objects, scene)) == ANSWERS[answer], text


def test_objects_are_those_asked_about() -> None:
    objects, asked = draw_scenes("seen", range(100)).objects, questions_about("seen", range(100))
    for scene, kind, text, about in zip(asked.scene, asked.kind, asked.texts(), asked.about, strict=True):
        if KINDS[kind] in ("where", "left-of", "colour", "shape"):
            names = {word for thing in _things(objects.rows(slice(scene, scene + 1)), 0) for word in thing[:2]}
            named = {word for word in text.rstrip("?").split() if word in names}
            shown = {
                (COLOUR_NAMES[objects.colour[scene, s]], SHAPE_NAMES[objects.shape[scene, s]])
                for s in np.flatnonzero(about)
            }
            assert named <= {name for pair in shown for name in pair}


def test_a_scene_depends_on_its_index_alone() -> None:
    together, scattered = draw_scenes("seen", range(70)), draw_scenes("seen", [69, 3])
    np.testing.assert_array_equal(scattered.pixels, together.pixels[[69, 3]])
    np.testing.assert_array_equal(scattered.objects.x, together.objects.x[[69, 3]])
    assert (
        questions_about("seen", [69]).texts()
        == questions_about("seen", range(70)).rows(questions_about("seen", range(70)).scene == 69).texts()
    )


def test_objects_lie_within_the_picture_and_apart() -> None:
    objects = draw_scenes("train", range(300)).objects
    there = objects.there
    assert set(there.sum(1).tolist()) == {2, 3, 4, 5}
    for centre in (objects.x, objects.y):
        assert (centre - objects.radius)[there].min() >= 0
        assert (centre + objects.radius)[there].max() <= 64
    gap = np.hypot(objects.x[:, :, None] - objects.x[:, None], objects.y[:, :, None] - objects.y[:, None])
    least = 0.92 * (objects.radius[:, :, None] + objects.radius[:, None])
    pairs = there[:, :, None] & there[:, None] & ~np.eye(5, dtype=bool)
    assert (gap - least)[pairs].min() > -1e-4


def test_pictures_show_the_colours_at_the_places() -> None:
    scenes = draw_scenes("train", range(60))
    y, x = np.mgrid[0:64, 0:64] + 0.5
    for number, picture in enumerate(scenes.pixels.astype(np.float32)):
        for slot in np.flatnonzero(scenes.objects.there[number]):
            centre = [values[number, slot] for values in (scenes.objects.x, scenes.objects.y, scenes.objects.radius)]
            disc = picture[np.hypot(x - centre[0], y - centre[1]) < centre[2]]
            colour = np.array(COLOURS[COLOUR_NAMES[scenes.objects.colour[number, slot]]])
            assert np.quantile(np.linalg.norm(disc - colour, axis=1), 0.1) < 100


def test_larger_pictures_show_the_same_scene() -> None:
    small, large = draw_scenes("seen", range(20)), draw_scenes("seen", range(20), size=128)
    assert large.pixels.shape == (20, 128, 128, 3)
    halved = large.pixels.reshape(20, 64, 2, 64, 2, 3).mean((2, 4))
    assert np.abs(halved - small.pixels).mean() < 8


def test_codecs_never_learn_from_unseen_categories() -> None:
    objects, asked = draw_scenes("train-seen", range(500)).objects, questions_about("train-seen", range(500), 6)
    learned = {thing[:2] for scene in range(500) for thing in _things(objects, scene)}
    learned |= {tuple(pair.split()) for text in asked.texts() for pair in re.findall(r"(?:an?|the) (\w+ \w+)", text)}
    for split in ("unseen-combinations", "unseen-shapes"):
        tested = draw_scenes(split, range(300)).objects
        first = {
            (COLOUR_NAMES[c], SHAPE_NAMES[s]) for s, c in zip(tested.shape[:, 0], tested.colour[:, 0], strict=True)
        }
        assert len(first) == (32 if split == "unseen-combinations" else 20)
        assert not first & learned
        assert questions_about(split, range(300)).about[:, 0].mean() > 0.7
    assert not any(shape in text for text in asked.texts() for shape in UNSEEN_SHAPES)


@pytest.mark.parametrize("split", TESTED)
def test_questions_alone_tell_little(split: str) -> None:
    """The best answer to each text, learned from half of the questions, is right for at most 0.40 of the others."""
    asked = questions_about(split, range(4000))
    texts, learned, usual = asked.texts(), asked.scene < 2000, defaultdict[object, Counter[int]](Counter)
    for row in np.flatnonzero(learned):
        for key in (texts[row], asked.kind[row]):
            usual[key][asked.answer[row]] += 1
    guesses = [usual.get(texts[row], usual[asked.kind[row]]) for row in np.flatnonzero(~learned)]
    right = [
        guess.most_common(1)[0][0] == asked.answer[row]
        for guess, row in zip(guesses, np.flatnonzero(~learned), strict=True)
    ]
    assert np.mean(right) <= 0.40
    for kind in ("exists", "left-of"):
        assert abs((asked.answer[asked.kind == KINDS.index(kind)] == ANSWERS.index("yes")).mean() - 0.5) < 0.04


def test_words_of_a_question_and_back() -> None:
    for text in ("is there an orange star?", "how many hourglasses are there?", "what colour is the heart?"):
        assert to_text(to_words(text)) == text
        assert to_words(text).shape == (LONGEST,)
    np.testing.assert_array_equal(to_words("  What COLOR is the heart "), to_words("what colour is the heart?"))
    assert all(place in ANSWERS for place in PLACES)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "is empty"),
        (" ? ", "has 0 words"),
        ("a" * 10_000, "10000 letters"),
        ("what colour is the dog?", "'dog'"),
        ("какого цвета сердце?", "does not know"),
        ("what colour is the heart? where is the red star?", "more than one question"),
        ("is is is is is is is is is is", "10 words"),
    ],
)
def test_no_question_about_scenes(question: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        to_words(question)


def test_wrong_splits_sizes_and_indices() -> None:
    for arguments in (("validation", [0]), ("seen", [-1]), ("seen", [0], 96)):
        with pytest.raises(InvalidSetting):
            draw_scenes(*arguments)  # type: ignore[arg-type]


def test_a_collection_of_scenes_says_what_each_shows() -> None:
    kb, query = open_source("scenes"), open_source("scenes", "query")
    first = next(iter(kb))
    assert (len(kb), len(query), first.id) == (2000, 500, "scenes/kb/00000")
    assert first.label == "a blue cross, a white cross and a blue ring"
    np.testing.assert_array_equal(first.content, draw_scenes("train", [0]).pixels[0])
    assert len(open_source("first:1:scenes")) == len(kb.labels) < 2000
    with pytest.raises(InvalidSetting, match="choose kb or query"):
        open_source("scenes", "train")


def test_captions_speak_english() -> None:
    assert caption_of([0]) == "a red circle"
    assert caption_of([1, 0, 10]) == "an orange circle, a red circle and a red square"
    assert captions_of(arrange_scenes("train", [0])) == ["a blue cross, a white cross and a blue ring"]
