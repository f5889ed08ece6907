"""Paints scenes with the brushes of the drawn set.

    keys --> background --> clutter --> object by object (texture, outline) --> light, blur, grain

Each object is painted in a window of its own, so five small objects cost about as much as one large figure.
"""

from typing import Final

import numpy as np

from shared.datasets.drawn.paint import (
    SIZE,
    Dice,
    Grid,
    add_clutter,
    add_light,
    background,
    distance,
    muted,
    rotate,
    texture,
)
from shared.datasets.drawn.randomness import Keys, mix, pixel_noise
from shared.datasets.scenes.layout import Objects
from shared.types import Floats, Ints, Pixels

_CLUTTER: Final = 2
_WINDOW: Final = 28  # pixels of a picture 64 wide; the largest object is 25 wide, with its outline 27
_SALTS = (np.uint64(0xBAC6), np.uint64(0x0B1EC7))


def paint_scenes(keys: Keys, objects: Objects, size: int = SIZE) -> Pixels:
    """Paint one picture for each key: [N, size, size, 3], uint8.

    keys: [N], uint64. size: a multiple of 64; the scene is the same in each size, its grain is not
    """
    ground = mix(keys ^ _SALTS[0])
    dice, noise = Dice(ground, Grid.of_size(size)), pixel_noise(ground, size)
    canvas = background(dice, noise)
    add_clutter(canvas, dice, _CLUTTER)
    _add_objects(canvas, keys, objects, size // SIZE)
    add_light(canvas, dice, noise)
    return np.clip(canvas, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _add_objects(canvas: Floats, keys: Keys, objects: Objects, scale: int) -> None:
    """Paint all objects of all scenes at once, then lay each over its scene, in place."""
    scene, slot = np.nonzero(objects.there)
    side = _WINDOW * scale
    x, y = (values[scene, slot] * scale for values in (objects.x, objects.y))
    left, top = (np.round(centre).astype(np.int64) - side // 2 for centre in (x, y))
    across, down = ((each / scale).astype(np.float32) for each in (x - left, y - top))
    grid = _window(across, down, side, scale)
    dice = Dice(mix(keys[scene] ^ _SALTS[1] + slot.astype(np.uint64)), grid)
    colour, opacity = _layer(dice, objects.shape[scene, slot], objects.colour[scene, slot], objects.radius[scene, slot])
    width = canvas.shape[-1]
    for row, (at, first, above) in enumerate(zip(scene.tolist(), left.tolist(), top.tolist(), strict=True)):
        columns, rows = (slice(max(0, -start), min(side, width - start)) for start in (first, above))
        part = canvas[at, :, max(0, above) : above + side, max(0, first) : first + side]
        part *= 1 - opacity[row, rows, columns]
        part += colour[row, :, rows, columns]


def _window(x: Floats, y: Floats, side: int, scale: int) -> Grid:
    """The grid of each window about its object's centre (x, y), measured from its corner: [M, side, side]."""
    middles = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(scale)
    across = middles - x[:, None]
    down = middles - y[:, None]
    shape = (len(x), side, side)
    return Grid(np.broadcast_to(across[:, None, :], shape), np.broadcast_to(down[:, :, None], shape))


def _layer(dice: Dice, shapes: Ints, colours: Ints, radius: Floats) -> tuple[Floats, Floats]:
    """The objects alone: premultiplied colour [M, 3, S, S] and opacity [M, S, S].

    The picture under an object becomes (1 - opacity) picture + colour; half of the objects have an outline.
    """
    r = radius[:, None, None]
    u, v = rotate(dice.grid, dice.between(0, 2 * np.pi), np.float32(1) / r)
    outside = distance(shapes, u, v * dice.between(0.92, 1.08)) * r
    fill = np.clip(np.float32(0.5) - outside, 0, 1)
    line = np.clip(dice.between(-1.6, 1.0) + np.float32(0.5) - np.abs(outside), 0, 1) * np.float32(0.8)
    grain = np.zeros(outside.shape, np.float32)
    inner = texture(dice, grain, colours)
    inner *= (fill * (1 - line))[:, None]
    inner += line[:, None] * muted(dice, 40, 215)
    return inner, 1 - (1 - fill) * (1 - line)
