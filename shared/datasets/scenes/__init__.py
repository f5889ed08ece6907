"""Scenes of 2 to 5 drawn objects, and questions about them with their answers; nothing to download.

    (seed, split, index) --> objects --> picture
                                |-----> questions, answers

What a scene looks like, and what is asked about it, depends on (seed, split, index) alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shared.datasets.drawn.paint import SIZE
from shared.datasets.drawn.randomness import picture_keys
from shared.datasets.scenes.categories import COLOUR_NAMES, SHAPE_NAMES, SPLITS, split_named
from shared.datasets.scenes.layout import MOST, Objects, arrange
from shared.datasets.scenes.paint import paint_scenes
from shared.datasets.scenes.questions import KINDS, Questions, ask_all, ask_one_each
from shared.errors import InvalidSetting
from shared.types import Ints, Pixels

SEED = 2026
SIZES = (SIZE, 2 * SIZE)

_CHUNK = 32  # scenes painted together: their layers fit the processor's cache

__all__ = [
    "COLOUR_NAMES",
    "KINDS",
    "MOST",
    "SEED",
    "SHAPE_NAMES",
    "SIZE",
    "SPLITS",
    "Objects",
    "Questions",
    "Scenes",
    "arrange_scenes",
    "draw_scenes",
    "questions_about",
]


class Scenes(NamedTuple):
    """Pictures [N, size, size, 3], uint8, RGB, and what they show."""

    pixels: Pixels
    objects: Objects


def draw_scenes(split: str, indices: Sequence[int] | Ints, size: int = SIZE, seed: int = SEED) -> Scenes:
    """Draw some scenes of a split.

    split: one of `SPLITS`. indices: [N], whole numbers from 0; a split has no end
    size: 64 or 128 pixels; the objects are the same in both
    """
    if size not in SIZES:
        raise InvalidSetting(f"scenes cannot be drawn {size} pixels wide: choose {' or '.join(map(str, SIZES))}")
    found, keys = split_named(split), _keys(split, indices, seed)
    objects = arrange(keys, found)
    pixels = np.empty((len(keys), size, size, 3), np.uint8)
    for start in range(0, len(keys), _CHUNK):
        part = slice(start, start + _CHUNK)
        pixels[part] = paint_scenes(keys[part], objects.rows(part), size)
    return Scenes(pixels, objects)


def arrange_scenes(split: str, indices: Sequence[int] | Ints, seed: int = SEED) -> Objects:
    """What the scenes `draw_scenes(split, indices)` show; nothing is painted."""
    return arrange(_keys(split, indices, seed), split_named(split))


def questions_about(
    split: str, indices: Sequence[int] | Ints, per_scene: int | None = None, seed: int = SEED
) -> Questions:
    """Questions about the scenes `draw_scenes(split, indices)`, whose `scene` is a position in `indices`.

    per_scene: how many, kinds in turn; None asks each kind once, where the scene has an answer to it
    """
    found, keys = split_named(split), _keys(split, indices, seed)
    objects = arrange(keys, found)
    return ask_one_each(keys, objects, found) if per_scene is None else ask_all(keys, objects, found, per_scene)


def _keys(split: str, indices: Sequence[int] | Ints, seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    positions = np.asarray(indices, dtype=np.int64)
    if positions.size and positions.min() < 0:
        raise InvalidSetting(f"scene index {positions.min()} is negative; the scenes count from 0")
    return picture_keys(seed, split_named(split).stream, positions, np.zeros_like(positions))
