"""Questions about scenes, of six kinds, with their answers.

kind      question                                          answer
count     how many objects | red objects | stars are there  0 .. 5
exists    is there a red star                               yes, no: equally often
colour    what colour is the star                           asked where it is the only star
shape     what shape is the red object                      asked where it is the only red one
where     where is the red star                             top left .. bottom right; not close to an axis
left-of   is the red star left of the blue ring             yes, no: equally often; not where they are level
"""

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from shared.datasets.drawn import SIZE
from shared.datasets.drawn.randomness import Keys, mix, uniforms
from shared.datasets.scenes import words as w
from shared.datasets.scenes.categories import Split
from shared.datasets.scenes.layout import MOST, Objects, choose
from shared.types import Bools, Floats, Ints

Scalar = TypeVar("Scalar", bound=np.generic)

KINDS: Final = ("count", "exists", "colour", "shape", "where", "left-of")

_ALL_OBJECTS = 1 / 8  # of the counts, unless the questions are about one object
_NOTHING = 0.3  # of the counts are of what is not there
_NEAR_MISS = 0.7  # of the questions for what is not there name a shape or a colour that is there
_MARGIN = 4.0  # pixels of an object's centre from the axes, to ask where it is
_APART = 8.0  # pixels of two centres, across, to ask which is left
_DICE = 8
_SALT = np.uint64(0x0A5CED)
_HALF: Final = np.float32(SIZE / 2)


class Questions(NamedTuple):
    """Questions [Q] about scenes.

    scene: [Q], int64, position of its scene. kind: [Q], int64, position in `KINDS`
    words: [Q, 9], int64, `words.WORDS` by number. answer: [Q], int64, position in `words.ANSWERS`
    about: [Q, 5], the objects that the question is about, such as all red ones; none for what is not there
    """

    scene: Ints
    kind: Ints
    words: Ints
    answer: Ints
    about: Bools

    def rows(self, members: Ints | Bools) -> "Questions":
        """Some of the questions."""
        values: list[Any] = [each[members] for each in self]
        return Questions(*values)

    def texts(self) -> list[str]:
        """The questions in words."""
        return [w.to_text(row) for row in self.words]


class _Draft(NamedTuple):
    """Questions of one kind, as `Questions` has them, with all that their words need: [Q] each, `about` [Q, 5].

    possible: whether the scene has an answer to such a question
    """

    possible: Bools
    template: Ints
    colour: Ints
    shape: Ints
    answer: Ints
    about: Bools
    other_colour: Ints
    other_shape: Ints


class _Asked(NamedTuple):
    """What a kind of question is made of: objects of Q scenes, [Q, 8] uniform numbers, the split."""

    objects: Objects
    dice: Floats
    split: Split

    def pick(self, allowed: Bools) -> Ints:
        """One of the allowed objects [Q, 5] of each scene; the first one in a split that asks only about it."""
        if self.split.asked is not None:
            return np.zeros(len(allowed), np.int64)
        return choose(allowed, self.dice[:, 0])


def ask_all(keys: Keys, objects: Objects, split: Split, per_scene: int) -> Questions:
    """`per_scene` questions about each scene, the kinds in turn from a random one.

    Where a scene has no answer to a kind, the question asks whether something is there.
    """
    scene = np.repeat(np.arange(len(keys)), per_scene)
    turn = np.tile(np.arange(per_scene), len(keys))
    start = (uniforms(keys ^ _SALT, 1)[:, 0] * len(KINDS)).astype(np.int64)[scene]
    asked = _ask(keys, objects, split, scene=scene, kind=(start + turn) % len(KINDS), turn=turn)
    impossible = np.flatnonzero(~asked[1])
    exists = np.full(len(impossible), KINDS.index("exists"))
    another = turn[impossible] + per_scene
    instead = _ask(keys, objects, split, scene=scene[impossible], kind=exists, turn=another)
    for values, better in zip(asked[0], instead[0], strict=True):
        values[impossible] = better
    return asked[0]


def ask_one_each(keys: Keys, objects: Objects, split: Split) -> Questions:
    """One question of each kind about each scene, where it has an answer to that kind."""
    scene, kind = np.repeat(np.arange(len(keys)), len(KINDS)), np.tile(np.arange(len(KINDS)), len(keys))
    found, possible = _ask(keys, objects, split, scene=scene, kind=kind, turn=kind)
    return found.rows(possible)


def _ask(keys: Keys, objects: Objects, split: Split, *, scene: Ints, kind: Ints, turn: Ints) -> tuple[Questions, Bools]:
    """Questions of these kinds, and which of them have an answer: [Q]."""
    dice = uniforms(mix(keys[scene] ^ _SALT) + turn.astype(np.uint64), _DICE)
    words, about = np.zeros((len(scene), w.LONGEST), np.int64), np.zeros((len(scene), MOST), np.bool_)
    answer, possible = np.zeros(len(scene), np.int64), np.zeros(len(scene), np.bool_)
    for number, make in enumerate((_count, _exists, _colour, _shape, _where, _left_of)):
        rows = np.flatnonzero(kind == number)
        draft = make(_Asked(objects.rows(scene[rows]), dice[rows], split))
        possible[rows], answer[rows], about[rows] = draft.possible, draft.answer, draft.about
        words[rows] = w.fill(draft.template, draft.colour, draft.shape, draft.other_colour, draft.other_shape)
    return Questions(scene, kind, words, answer, about), possible


def _of(values: npt.NDArray[Scalar], slot: Ints) -> npt.NDArray[Scalar]:
    """The value of one object of each scene: [Q]. values: [Q, 5]."""
    chosen: npt.NDArray[Scalar] = np.take_along_axis(values, slot[:, None], axis=1)[:, 0]
    return chosen


def _only(slot: Ints) -> Bools:
    only: Bools = np.arange(MOST) == slot[:, None]
    return only


def _draft(asked: _Asked, possible: Bools, template: Ints | int, slot: Ints, answer: Ints) -> _Draft:
    """A question about one object."""
    colour, shape = _of(asked.objects.colour, slot), _of(asked.objects.shape, slot)
    zero = np.zeros_like(slot)
    return _Draft(possible, zero + template, colour, shape, answer, _only(slot), zero, zero)


def _count(asked: _Asked) -> _Draft:
    objects, dice = asked.objects, asked.dice
    slot = asked.pick(objects.there)
    by_colour = dice[:, 1] < 0.5
    nothing = dice[:, 2] < _NOTHING
    named = asked.split.named
    shown = objects.combinations()
    no_colour: Bools = np.any(named, axis=0) & ~np.any(shown, axis=1)
    no_shape: Bools = np.any(named, axis=1) & ~np.any(shown, axis=2)
    nothing &= np.where(by_colour, no_colour.any(1), no_shape.any(1))
    colour = np.where(nothing, choose(no_colour, dice[:, 3]), _of(objects.colour, slot))
    shape = np.where(nothing, choose(no_shape, dice[:, 3]), _of(objects.shape, slot))
    about = np.where(by_colour[:, None], objects.colour == colour[:, None], objects.shape == shape[:, None])
    template = np.where(by_colour, w.ALL_OF_COLOUR, w.ALL_OF_SHAPE)
    if asked.split.asked is None:
        everything = dice[:, 4] < _ALL_OBJECTS
        about, template = (
            np.where(everything[:, None], objects.there, about),
            np.where(everything, w.ALL_OBJECTS, template),
        )
    zero = np.zeros_like(slot)
    return _Draft(zero == 0, template, colour, shape, w.FIRST_COUNT + about.sum(1), about, zero, zero)


def _exists(asked: _Asked) -> _Draft:
    objects, dice = asked.objects, asked.dice
    slot = asked.pick(objects.there)
    there = dice[:, 1] < 0.5
    absent = asked.split.named & ~objects.combinations()
    like = _like_one_of(objects, _only(slot) if asked.split.asked is not None else objects.there) & absent
    near = (dice[:, 2] < _NEAR_MISS) & like.any((1, 2))
    number = choose(np.where(near[:, None, None], like, absent).reshape(len(slot), asked.split.named.size), dice[:, 3])
    shape, colour = np.divmod(number, absent.shape[2])
    shape = np.where(there, _of(objects.shape, slot), shape)
    colour = np.where(there, _of(objects.colour, slot), colour)
    zero = np.zeros_like(slot)
    answer, about = np.where(there, w.YES, w.NO), _only(slot) & there[:, None]
    return _Draft(zero == 0, zero + w.IS_THERE, colour, shape, answer, about, zero, zero)


def _like_one_of(objects: Objects, which: Bools) -> Bools:
    """Combinations with the shape or the colour of one of these objects: [Q, shapes, colours]. which: [Q, 5]."""
    chosen = Objects(np.where(which, objects.shape, -1), *objects[1:]).combinations()
    shapes, colours = np.any(chosen, axis=2)[:, :, None], np.any(chosen, axis=1)[:, None, :]
    found: Bools = shapes | colours
    return found


def _alone(values: Ints) -> Bools:
    """Which objects are the only one of their value: [Q, 5]. values: [Q, 5], -1 for no object."""
    same = (values[:, :, None] == values[:, None, :]).sum(2)
    alone: Bools = (same == 1) & (values >= 0)
    return alone


def _colour(asked: _Asked) -> _Draft:
    alone = _alone(np.where(asked.objects.there, asked.objects.shape, -1 - np.arange(MOST)))
    slot = asked.pick(alone)
    return _draft(asked, _of(alone, slot), w.WHAT_COLOUR, slot, w.FIRST_COLOUR + _of(asked.objects.colour, slot))


def _shape(asked: _Asked) -> _Draft:
    alone = _alone(np.where(asked.objects.there, asked.objects.colour, -1 - np.arange(MOST)))
    slot = asked.pick(alone)
    return _draft(asked, _of(alone, slot), w.WHAT_SHAPE, slot, w.FIRST_SHAPE + _of(asked.objects.shape, slot))


def _where(asked: _Asked) -> _Draft:
    objects = asked.objects
    off_axis = np.minimum(np.abs(objects.x - _HALF), np.abs(objects.y - _HALF)) >= _MARGIN
    clear = objects.there & off_axis
    slot = asked.pick(clear)
    place = 2 * (_of(objects.y, slot) > _HALF) + (_of(objects.x, slot) > _HALF)
    return _draft(asked, _of(clear, slot), w.WHERE, slot, w.FIRST_PLACE + place)


def _left_of(asked: _Asked) -> _Draft:
    objects, dice = asked.objects, asked.dice
    apart = np.abs(objects.x[:, :, None] - objects.x[:, None, :]) >= _APART
    pairs = apart & objects.there[:, :, None] & objects.there[:, None, :]
    first = asked.pick(pairs.any(2))
    partners = np.take_along_axis(pairs, first[:, None, None], axis=1)[:, 0]
    second = choose(partners, dice[:, 1])
    swap = dice[:, 2] < 0.5
    left, right = np.where(swap, second, first), np.where(swap, first, second)
    answer = np.where(_of(objects.x, left) < _of(objects.x, right), w.YES, w.NO)
    draft = _draft(asked, np.any(partners, axis=1), w.LEFT_OF, left, answer)
    return draft._replace(
        about=_only(left) | _only(right),
        other_colour=_of(objects.colour, right),
        other_shape=_of(objects.shape, right),
    )
