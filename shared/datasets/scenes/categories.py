"""Which combinations of shape and colour a split of the scenes shows.

A codec learns from scenes of the *seen* combinations only. It is then tested on combinations that it never saw, of
shapes and colours that it knows, and on shapes that it never saw:

    seen                  8 shapes, 6 colours each: 48 combinations
    unseen combinations   the other 4 colours of each of these shapes: 32
    unseen shapes         heart and hourglass, 10 colours each: 20

In the unseen splits the first object of each scene, which the questions are about, is unseen, and the others are seen.
"""

from typing import Final, NamedTuple

import numpy as np

from shared.datasets.drawn import COLOURS, SHAPES
from shared.errors import InvalidSetting
from shared.types import Bools

SHAPE_NAMES: Final = tuple(SHAPES)
COLOUR_NAMES: Final = tuple(COLOURS)
UNSEEN_SHAPES: Final = ("heart", "hourglass")
_UNSEEN_COLOURS: Final = 4  # of each seen shape; with two, a shape would tell its colour half of the time


def _combinations() -> tuple[Bools, Bools, Bools]:
    """Seen combinations, unseen ones of seen shapes, and unseen shapes: masks [shapes, colours]."""
    shape_count, colour_count = len(SHAPE_NAMES), len(COLOUR_NAMES)
    combined, shaped = (np.zeros((shape_count, colour_count), np.bool_) for _ in range(2))
    known = [shape for shape, name in enumerate(SHAPE_NAMES) if name not in UNSEEN_SHAPES]
    for place, shape in enumerate(known):  # steps of 3 spread the colours evenly over the shapes
        combined[shape, (3 * place + np.arange(_UNSEEN_COLOURS)) % colour_count] = True
    shaped[[SHAPE_NAMES.index(name) for name in UNSEEN_SHAPES]] = True
    return ~(combined | shaped), combined, shaped


SEEN, UNSEEN_COMBINATIONS, SHAPES_UNSEEN = _combinations()
EVERY: Final = np.ones_like(SEEN)


class Split(NamedTuple):
    """A set of scenes without an end.

    stream: tells the splits' random numbers apart
    shown: combinations of its objects, [shapes, colours]
    asked: combinations of the first object, which all questions are about; None if they may be about any object
    """

    stream: int
    shown: Bools
    asked: Bools | None = None

    @property
    def named(self) -> Bools:
        """Combinations that questions may name, also those that ask for what is not there: [shapes, colours]."""
        return self.shown if self.asked is None else self.asked


SPLITS: Final = {
    "train": Split(0, EVERY),
    "train-seen": Split(1, SEEN),
    "seen": Split(2, SEEN),
    "unseen-combinations": Split(3, SEEN, UNSEEN_COMBINATIONS),
    "unseen-shapes": Split(4, SEEN, SHAPES_UNSEEN),
}
"""`train` and `train-seen` are for learning (answerers, codecs), the others for tests."""


def split_named(name: str) -> Split:
    """A split by its name. Raises InvalidSetting for an unknown one."""
    if name not in SPLITS:
        raise InvalidSetting(f"the scenes have no split {name!r}; choose one of {', '.join(SPLITS)}")
    return SPLITS[name]
