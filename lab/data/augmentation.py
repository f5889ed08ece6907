"""Augmentation of small pictures: a shifted crop, a mirror image, a hole. Colours stay as they are."""

import numpy as np

from shared.types import Bools, Ints, Pixels

_SHIFT = 4
_HOLE = 8


def pad(pixels: Pixels) -> Pixels:
    """Reflect the border outwards so that crops may shift: [N, S, S, 3] -> [N, S + 8, S + 8, 3], uint8."""
    margin = (_SHIFT, _SHIFT)
    return np.pad(pixels, ((0, 0), margin, margin, (0, 0)), mode="reflect")


def augment(padded: Pixels, members: Ints, rng: np.random.Generator) -> Pixels:
    """Crop, mirror and cut some of the padded pictures.

    padded: [N, S + 8, S + 8, 3], uint8, from `pad`
    members: [B], int64, which pictures to take
    returns: [B, S, S, 3], uint8
    """
    size = padded.shape[1] - 2 * _SHIFT
    count = len(members)
    span = np.arange(size)
    rows = rng.integers(2 * _SHIFT + 1, size=(count, 1)) + span
    columns = rng.integers(2 * _SHIFT + 1, size=(count, 1)) + span
    mirrored = rng.random(count) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    pictures = padded[members[:, None, None], rows[:, :, None], columns[:, None, :]]
    pictures[_holes(count, size, rng)] = 118  # the mean grey
    return pictures


def _holes(count: int, size: int, rng: np.random.Generator) -> Bools:
    """One square hole in each picture, anywhere inside it: [B, S, S], bool."""
    span = np.arange(size)
    starts = rng.integers(size - _HOLE + 1, size=(2, count, 1))
    inside = (span >= starts) & (span < starts + _HOLE)
    holes: Bools = inside[0][:, :, None] & inside[1][:, None, :]
    return holes
