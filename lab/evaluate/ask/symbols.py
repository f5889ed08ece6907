"""`symbol-list`: the names and places of all objects, drawn again flat on grey: what a picture codec competes with.

picture --judge's tower--> cells with an object, its shape and colour --3 bits, and 12.6 bits an object--> flat picture
"""

from math import log2
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import to_unit_range
from shared.codecs.answerers.network import CELLS, SIDE
from shared.datasets.drawn import COLOURS, SHAPES
from shared.types import Floats, Pixels

MOST: Final = 7
BITS_OF_OBJECT: Final = log2(CELLS * CELLS * len(SHAPES) * len(COLOURS))
BITS_OF_COUNT: Final = 3

_RADIUS: Final = np.float32(10)
_GREY: Final = np.float32(135)


def list_and_draw(judge: Answerer, pixels: Pixels) -> tuple[Pixels, float]:
    """Pictures [B, 64, 64, 3] as their objects drawn again, and the mean of the bits of their lists."""
    with torch.inference_mode():
        names = judge.network.naming(judge.network.see(to_unit_range(pixels)))
        objects = names[:, :1]
        peaks = ((objects > 0) & (objects == F.max_pool2d(objects, 3, 1, 1)))[:, 0].numpy()
        shapes = names[:, 1 : 1 + len(SHAPES)].argmax(1).numpy()
        colours = names[:, 1 + len(SHAPES) :].argmax(1).numpy()
    drawn, bits = [], []
    for number in range(len(pixels)):
        cells = np.argwhere(peaks[number])[:MOST]
        drawn.append(_drawn([(*cell, shapes[number][tuple(cell)], colours[number][tuple(cell)]) for cell in cells]))
        bits.append(BITS_OF_COUNT + len(cells) * BITS_OF_OBJECT)
    return np.stack(drawn), float(np.mean(bits))


def _drawn(objects: list[tuple[int, int, int, int]]) -> Pixels:
    """One flat picture [64, 64, 3] of objects (row, column, shape, colour), each in the middle of its cell."""
    picture: Floats = np.full((SIDE, SIDE, 3), _GREY, np.float32)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + np.float32(0.5)
    cell, figures, paints = SIDE / CELLS, tuple(SHAPES.values()), tuple(COLOURS.values())
    for row, column, shape, colour in objects:
        u, v = ((grid - np.float32((at + 0.5) * cell)) / _RADIUS for grid, at in ((x, column), (y, row)))
        opacity = np.clip(np.float32(0.5) - figures[shape](u[None], v[None])[0] * _RADIUS, 0, 1)[:, :, None]
        picture += opacity * (np.array(paints[colour], np.float32) - picture)
    return picture.astype(np.uint8)
