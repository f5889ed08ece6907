"""The project's own picture set: 100 categories, ten shapes in ten colours, drawn from a seed.

Picture `index` of a split has category `index % 100` and counter `index // 100` within it. What it looks like depends
on (seed, split, category, counter) alone, so any part can be drawn in any order, and the splits share no picture.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shared.datasets.drawn.paint import COLOURS, SIZE, paint
from shared.datasets.drawn.randomness import picture_keys
from shared.datasets.drawn.shapes import SHAPES
from shared.errors import InvalidSetting
from shared.types import Ints

CATEGORIES: tuple[str, ...] = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
SPLITS: dict[str, int] = {"train": 500, "kb": 20, "query": 10}  # split -> pictures per category
SEED = 2025

_CHUNK = 32  # pictures painted together: their layers fit the processor's cache

__all__ = ["CATEGORIES", "COLOURS", "SEED", "SHAPES", "SIZE", "SPLITS", "draw_batch", "split_length"]


def split_length(split: str) -> int:
    """Number of pictures of a split at its default length."""
    return SPLITS[_checked(split)] * len(CATEGORIES)


def draw_batch(split: str, indices: Sequence[int] | Ints, seed: int = SEED) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Draw some pictures of a split.

    split: `train`, `kb` or `query`
    indices: [N], whole numbers from 0; a split has no end, `split_length` is only its usual length
    returns: pictures [N, 64, 64, 3], uint8, RGB; categories [N], int64, positions in `CATEGORIES`
    """
    stream = list(SPLITS).index(_checked(split))
    positions = np.asarray(indices, dtype=np.int64)
    if positions.size and positions.min() < 0:
        raise InvalidSetting(f"Picture index {positions.min()} is negative; the drawn set counts from 0.")
    counters, categories = np.divmod(positions, len(CATEGORIES))
    keys = picture_keys(seed, stream, categories, counters)
    shapes, colours = np.divmod(categories, len(COLOURS))
    pictures = np.empty((len(positions), SIZE, SIZE, 3), dtype=np.uint8)
    for start in range(0, len(positions), _CHUNK):
        part = slice(start, start + _CHUNK)
        pictures[part] = paint(keys[part], shapes[part], colours[part])
    return pictures, categories


def _checked(split: str) -> str:
    if split not in SPLITS:
        raise InvalidSetting(f"The drawn set has no split {split!r}; choose one of {', '.join(SPLITS)}.")
    return split
