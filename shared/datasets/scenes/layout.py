"""What a scene shows: 2 to 5 objects, which differ in shape or colour, and where they lie."""

from typing import Any, Final, NamedTuple

import numpy as np

from shared.datasets.drawn import COLOURS, SHAPES, SIZE
from shared.datasets.drawn.randomness import Keys, mix, uniforms
from shared.datasets.scenes.categories import Split
from shared.types import Bools, Floats, Ints

MOST: Final = 5
FEWEST: Final = 2
NONE: Final = -1

_RELATED = 0.65  # of the objects after the first share their colour or their shape with an earlier one
_RADII = (8.5, 12.5)
_RADIUS_OF_MANY = 10.5  # at most, from four objects on
_GAP = 0.92  # distance of two objects over the sum of their radii, at least
_DARTS = 24
_SALT_OF_PLACES = np.uint64(0x5CE9E5)


class Objects(NamedTuple):
    """The objects of scenes, ground truth of all questions.

    shape, colour: [N, 5], int64, positions in `SHAPES` and `COLOURS`; -1 where there is no object
    x, y, radius: [N, 5], float32, pixels of a picture 64 wide, from its upper left corner
    """

    shape: Ints
    colour: Ints
    x: Floats
    y: Floats
    radius: Floats

    @property
    def there(self) -> Bools:
        """Which of the five there are: [N, 5]."""
        found: Bools = self.shape != NONE
        return found

    def rows(self, members: Ints | Bools | slice) -> "Objects":
        """The objects of some scenes."""
        values: list[Any] = [each[members] for each in self]
        return Objects(*values)

    def combinations(self) -> Bools:
        """Which combinations each scene has: [N, shapes, colours]."""
        found = np.zeros((len(self.shape), len(SHAPES), len(COLOURS)), np.bool_)
        scene, slot = np.nonzero(self.there)
        found[scene, self.shape[scene, slot], self.colour[scene, slot]] = True
        return found


def arrange(keys: Keys, split: Split) -> Objects:
    """The objects of one scene for each key: [N], uint64."""
    dice = uniforms(keys, 4 * MOST + 1)
    counts = FEWEST + (dice[:, 0] * (MOST - FEWEST + 1)).astype(np.int64)
    there = np.arange(MOST) < counts[:, None]
    shape, colour = _categories(dice[:, 1:].reshape(-1, MOST, 4), split)
    x, y, radius = _places(mix(keys ^ _SALT_OF_PLACES), counts)
    return Objects(np.where(there, shape, NONE), np.where(there, colour, NONE), x, y, radius)


def choose(weights: Floats | Bools, dice: Floats) -> Ints:
    """One column of each row, with a probability in proportion to its weight.

    weights: [N, C]; a row without a weight gives 0. dice: [N], uniform in [0, 1)
    """
    sums = np.cumsum(weights, axis=1, dtype=np.float64)
    chosen: Ints = np.minimum((sums <= dice[:, None] * sums[:, -1:]).sum(1), weights.shape[1] - 1)
    return chosen


def _categories(dice: Floats, split: Split) -> tuple[Ints, Ints]:
    """Shape and colour of five objects, all combinations of a scene different: [N, 5] each. dice: [N, 5, 4]."""
    count, colours = len(dice), len(COLOURS)
    shape, colour = np.zeros((2, count, MOST), np.int64)
    free = np.broadcast_to(split.shown.ravel(), (count, split.shown.size)).copy()
    every_shape, every_colour = np.divmod(np.arange(split.shown.size), colours)
    for slot in range(MOST):
        weights = free
        if slot == 0 and split.asked is not None:
            weights = np.broadcast_to(split.asked.ravel(), free.shape)
        elif slot:
            model = (dice[:, slot, 1] * slot).astype(np.int64)[:, None]
            like_shape = every_shape == np.take_along_axis(shape, model, 1)
            like_colour = every_colour == np.take_along_axis(colour, model, 1)
            related = free & np.where(dice[:, slot, 2:3] < 0.5, like_shape & ~like_colour, like_colour & ~like_shape)
            wanted = (dice[:, slot, 0] < _RELATED) & related.any(1)
            weights = np.where(wanted[:, None], related, free)
        chosen = choose(weights, dice[:, slot, 3])
        free[np.arange(count), chosen] = False
        shape[:, slot], colour[:, slot] = every_shape[chosen], every_colour[chosen]
    return shape, colour


def _places(keys: Keys, counts: Ints) -> tuple[Floats, Floats, Floats]:
    """Centre and radius of five objects that lie apart and within the picture: [N, 5] each."""
    placed = np.zeros((len(keys), MOST, 3), np.float32)
    waiting = np.arange(len(keys))
    while len(waiting):
        placed[waiting], fits = _throw(keys[waiting], counts[waiting])
        waiting = waiting[~fits]
        keys = mix(keys + np.uint64(1))
    return placed[:, :, 0], placed[:, :, 1], placed[:, :, 2]


def _throw(keys: Keys, counts: Ints) -> tuple[Floats, Bools]:
    """Try to place all objects, one after the other, with 24 darts each: x, y, radius [N, 5, 3], and success [N]."""
    dice = uniforms(keys, MOST + 2 * MOST * _DARTS)
    largest = np.where(counts < 4, _RADII[1], _RADIUS_OF_MANY)[:, None]
    radius = (_RADII[0] + dice[:, :MOST] * (largest - _RADII[0])).astype(np.float32)
    darts = dice[:, MOST:].reshape(-1, MOST, _DARTS, 2)
    placed, fits = np.zeros((len(keys), MOST, 3), np.float32), np.ones(len(keys), np.bool_)
    for slot in range(MOST):
        r = radius[:, slot, None, None]
        at = r + darts[:, slot] * (SIZE - 2 * r)
        apart = _GAP * (radius[:, slot, None] + radius[:, :slot])
        distance = np.square(at[:, :, None] - placed[:, None, :slot, :2]).sum(-1)
        free = (distance > np.square(apart)[:, None]).all(2)
        fits &= free.any(1) | (slot >= counts)
        placed[:, slot, :2] = np.take_along_axis(at, free.argmax(1)[:, None, None], 1)[:, 0]
        placed[:, slot, 2] = radius[:, slot]
    return placed, fits
