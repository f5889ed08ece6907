"""Paint of the drawn pictures: colours, background, clutter, figure and light.

    keys --> uniforms --> background --> clutter --> figure (distance, texture, outline) --> light, blur, grain

Colours are float32 in [0, 255] until the last step, and pictures [N, 3, S, S]: numpy is quick along the last axis,
and three colours would make it a short one.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.datasets.drawn.randomness import Keys, pixel_noise, uniforms
from shared.datasets.drawn.shapes import SHAPES
from shared.types import Floats, Ints

SIZE = 64
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (218, 22, 30),
    "orange": (255, 132, 0),
    "yellow": (255, 228, 25),
    "green": (24, 150, 45),
    "cyan": (20, 220, 230),
    "blue": (25, 60, 215),
    "purple": (128, 30, 175),
    "pink": (255, 130, 195),
    "white": (250, 250, 250),
    "black": (18, 18, 20),
}
_PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)
_FIGURES = tuple(SHAPES.values())
_CLUTTER = 4
_NUMBERS = 96  # random numbers of one picture, a few more than it takes
_ZERO = np.float32(0)


class Grid(NamedTuple):
    """Where the pixels lie about the middle of a picture or of a part of it, in pixels of a picture 64 wide.

    x, y: each [S, S], or [N, S, S] if the pictures differ; float32
    """

    x: Floats
    y: Floats

    @classmethod
    def of_size(cls, size: int) -> "Grid":
        """The grid of a picture `size` pixels wide: each [size, size]."""
        step = np.float32(SIZE / size)
        y, x = (np.mgrid[0:size, 0:size].astype(np.float32) - np.float32((size - 1) / 2)) * step
        return cls(x, y)


_GRID = Grid.of_size(SIZE)


class Field(NamedTuple):
    """Where the pixels lie, in radians of the pattern's wave, and their noise in [-1, 1): each [N, S, S], float32."""

    u: Floats
    v: Floats
    noise: Floats


def _soft_step(value: Floats) -> Floats:
    return _clip(value * np.float32(2.5) + np.float32(0.5))


def _clip(value: Floats) -> Floats:
    clipped: Floats = np.clip(value, 0, 1)
    return clipped


def _grain(field: Field) -> Floats:
    coarse: Floats = field.noise[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2)
    return _clip(np.float32(0.5) + np.float32(0.35) * coarse + np.float32(0.2) * field.noise)


PATTERNS: Final[dict[str, Callable[[Field], Floats]]] = {
    "plain": lambda field: np.zeros_like(field.u),
    "gradient": lambda field: _clip(np.float32(0.5) + field.u * np.float32(1 / 14)),
    "radial": lambda field: _clip(np.sqrt(field.u * field.u + field.v * field.v) * np.float32(1 / 9)),
    "stripes": lambda field: _soft_step(np.sin(field.u)),
    "checks": lambda field: _soft_step(np.sin(field.u) * np.sin(field.v) * np.float32(1.4)),
    "dots": lambda field: _soft_step(np.sin(field.u) + np.sin(field.v) - np.float32(0.9)),
    "grain": _grain,
}


class Dice:
    """Hands out the columns of a table of uniform numbers as [N, 1, 1] parameters, in a fixed order."""

    def __init__(self, keys: Keys, grid: Grid = _GRID) -> None:
        self.grid = grid
        self._columns: Iterator[Floats] = iter(uniforms(keys, _NUMBERS).T)

    def between(self, low: float, high: float) -> Floats:
        """Numbers in [low, high): [N, 1, 1], float32."""
        column = next(self._columns)[:, None, None]
        return np.float32(low) + column * np.float32(high - low)

    def choice(self, count: int) -> Ints:
        """Whole numbers in [0, count): [N], int64."""
        return (next(self._columns) * np.float32(count)).astype(np.int64)


def paint(keys: Keys, shapes: Ints, colours: Ints) -> npt.NDArray[np.uint8]:
    """Paint one picture for each key.

    keys: [N], uint64
    shapes, colours: [N], int64, positions in `SHAPES` and `COLOURS`
    returns: [N, 64, 64, 3], uint8
    """
    dice = Dice(keys)
    noise = pixel_noise(keys, SIZE)
    canvas = background(dice, noise)
    add_clutter(canvas, dice)
    _add_figure(canvas, dice, noise, shapes, colours)
    add_light(canvas, dice, noise)
    pixels: npt.NDArray[np.uint8] = np.clip(canvas, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return pixels


def _pattern(dice: Dice, shortest: float, longest: float, noise: Floats) -> Floats:
    """A random pattern of a wavelength between two bounds in pixels: [N, S, S], in [0, 1]."""
    kinds = dice.choice(len(PATTERNS))
    scale = np.float32(2 * np.pi) / dice.between(shortest, longest)
    field = Field(*rotate(dice.grid, dice.between(0, np.pi), scale), noise)
    value, formulas = np.empty_like(field.u), tuple(PATTERNS.values())
    for kind in np.unique(kinds):
        members = kinds == kind
        value[members] = formulas[kind](Field(*(part[members] for part in field)))
    return value


def rotate(
    grid: Grid,
    angle: Floats,
    scale: Floats | np.float32,
    x: Floats | np.float32 = _ZERO,
    y: Floats | np.float32 = _ZERO,
) -> tuple[Floats, Floats]:
    """The pixel grid about (x, y), turned by an angle and scaled: two arrays [N, S, S]."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    grid_x, grid_y = grid.x - x, grid.y - y
    return cos * grid_x + sin * grid_y, cos * grid_y - sin * grid_x


def muted(dice: Dice, low: float, high: float) -> Floats:
    """A greyish colour for what is not the figure: [N, 3, 1, 1]."""
    grey = dice.between(low, high)
    return np.stack([grey + dice.between(-14, 14) for _ in range(3)], axis=1)


def mix(canvas: Floats, colour: Floats, alpha: Floats) -> None:
    """Lay a colour [N, 3, 1, 1] or [N, 3, S, S] over the canvas where alpha [N, S, S] says so, in place."""
    canvas += alpha[:, None] * (colour - canvas)


def background(dice: Dice, noise: Floats) -> Floats:
    """A pattern in two greyish colours: [N, 3, S, S]."""
    first, second = muted(dice, 95, 175), muted(dice, 95, 175)
    value = _pattern(dice, 7, 26, noise)
    return first + value[:, None] * (second - first)


def add_clutter(canvas: Floats, dice: Dice, count: int = _CLUTTER) -> None:
    """Small greyish blobs and bars that belong to no category, at most `count`, in place."""
    for _ in range(count):
        x, y = dice.between(-32, 32), dice.between(-32, 32)
        u, v = rotate(dice.grid, dice.between(0, np.pi), np.float32(1), x, y)
        long, flat = dice.between(2.0, 6.0), dice.between(0.25, 1.0)
        v = v / flat
        outside = np.sqrt(u * u + v * v) - long
        shown = dice.between(0, 1) < np.float32(0.6)
        mix(canvas, muted(dice, 70, 200), np.clip(np.float32(0.5) - outside, 0, 1) * shown)


def _add_figure(canvas: Floats, dice: Dice, noise: Floats, shapes: Ints, colours: Ints) -> None:
    """The shape that names the picture, in two tones of its colour, sometimes with an outline."""
    radius = dice.between(15, 25)
    room = np.float32(SIZE / 2) - radius
    x, y = dice.between(-1, 1) * room, dice.between(-1, 1) * room
    u, v = rotate(dice.grid, dice.between(0, 2 * np.pi), np.float32(1) / radius, x, y)
    outside = distance(shapes, u, v * dice.between(0.92, 1.08)) * radius
    mix(canvas, texture(dice, noise, colours), np.clip(np.float32(0.5) - outside, 0, 1))
    width = dice.between(-1.6, 1.4)  # half of the pictures have no outline
    line = np.clip(width + np.float32(0.5) - np.abs(outside), 0, 1)
    mix(canvas, muted(dice, 40, 215), line * np.float32(0.8))


def distance(shapes: Ints, u: Floats, v: Floats) -> Floats:
    """Signed distance to the outline of each picture's own shape, in radii: [N, S, S]."""
    outside = np.empty_like(u)
    for shape in np.unique(shapes):
        members = shapes == shape
        outside[members] = _FIGURES[shape](u[members], v[members])
    return outside


def texture(dice: Dice, noise: Floats, colours: Ints) -> Floats:
    """Two tones of one colour in a pattern: [N, 3, S, S]."""
    base = _PALETTE[colours][:, :, None, None]
    value = _pattern(dice, 5, 12, noise)
    strength = dice.between(0.10, 0.30) * value
    bright = base.mean(axis=1) > np.float32(225)
    lighter = (dice.between(0, 1) < np.float32(0.5)) & ~bright
    other: Floats = (lighter * np.float32(255))[:, None]
    return base + strength[:, None] * np.float32(0.8) * (other - base)


def add_light(canvas: Floats, dice: Dice, noise: Floats) -> None:
    """A slope of light over the picture, a little blur, a little grain, in place."""
    u, _ = rotate(dice.grid, dice.between(0, 2 * np.pi), dice.between(0.0, 0.16) / np.float32(SIZE / 2))
    canvas *= (dice.between(0.92, 1.06) + u)[:, None]
    blur = dice.between(-0.5, 0.9).clip(0)[:, None]
    inner = canvas[..., 1:-1, 1:-1]
    around = canvas[..., :-2, 1:-1] + canvas[..., 2:, 1:-1] + canvas[..., 1:-1, :-2] + canvas[..., 1:-1, 2:]
    inner += blur * (around * np.float32(0.25) - inner) * np.float32(0.8)
    canvas += (noise * dice.between(0, 11))[:, None]
