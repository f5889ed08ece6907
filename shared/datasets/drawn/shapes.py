"""The ten shapes as signed distance functions, after Inigo Quilez's catalogue of 2-D distance functions.

Each takes coordinates `x`, `y` ([N, S, S], float32, in units of the shape's radius, y pointing up) and gives the
distance to the outline ([N, S, S], float32, negative inside; exact near the outline, a bound elsewhere).
"""

from collections.abc import Callable

import numpy as np

from shared.types import Floats

Distance = Callable[[Floats, Floats], Floats]


def _length(x: Floats, y: Floats) -> Floats:
    """sqrt(x^2 + y^2); `np.hypot` guards against an overflow that cannot happen here and is slower."""
    return np.sqrt(x * x + y * y)


_both: Callable[[Floats, Floats | np.float32], Floats] = np.maximum
"""Distance to the intersection of two shapes."""
_either: Callable[[Floats, Floats], Floats] = np.minimum
"""Distance to the union of two shapes."""


def circle(x: Floats, y: Floats) -> Floats:
    """A disc."""
    return _length(x, y) - np.float32(0.88)


def square(x: Floats, y: Floats) -> Floats:
    """A square."""
    return _both(np.abs(x), np.abs(y)) - np.float32(0.78)


def triangle(x: Floats, y: Floats) -> Floats:
    """An equilateral triangle: the intersection of three half-planes."""
    slanted = np.float32(0.8660254) * np.abs(x) + np.float32(0.5) * y
    return _both(slanted, -y) - np.float32(0.52)


def star(x: Floats, y: Floats) -> Floats:
    """A five-pointed star: the plane folded onto one tenth of it, then one edge."""
    angle = np.arctan2(x, y)
    wedge = np.float32(2 * np.pi / 5)
    angle = np.abs(angle - wedge * np.round(angle / wedge))
    radius = _length(x, y)
    return _edge(radius * np.sin(angle), radius * np.cos(angle), tip=1.05, notch=0.43, half_wedge=np.pi / 5)


def _edge(across: Floats, along: Floats, tip: float, notch: float, half_wedge: float) -> Floats:
    """Distance to the line from the tip (on the axis) to the notch (on the wedge's border)."""
    notch_x, notch_y = notch * np.sin(half_wedge), notch * np.cos(half_wedge)
    normal_x, normal_y = tip - notch_y, notch_x
    length = np.hypot(normal_x, normal_y)
    return np.float32(normal_x / length) * across + np.float32(normal_y / length) * (along - np.float32(tip))


def cross(x: Floats, y: Floats) -> Floats:
    """A plus: a large square that is also within one of two strips."""
    x, y = np.abs(x), np.abs(y)
    return _both(_both(x, y) - np.float32(0.95), _either(x, y) - np.float32(0.29))


def ring(x: Floats, y: Floats) -> Floats:
    """A ring."""
    middle: Floats = np.abs(_length(x, y) - np.float32(0.72))
    return middle - np.float32(0.21)


def heart(x: Floats, y: Floats) -> Floats:
    """A heart: a tilted square with two half-discs on it."""
    x, y = np.abs(x) * np.float32(2 / 3), (y + np.float32(0.86)) * np.float32(2 / 3)
    lobe = _length(x - np.float32(0.25), y - np.float32(0.75)) - np.float32(0.3535534)
    lean = np.float32(0.5) * _both(x + y, np.float32(0))
    body = _either(_length(x, y - 1), _length(x - lean, y - lean)) * np.sign(x - y)
    return np.where(x + y > 1, lobe, body) * np.float32(1.5)


def crescent(x: Floats, y: Floats) -> Floats:
    """A moon: a disc without a second disc."""
    outer = _length(x - np.float32(0.1), y) - np.float32(0.98)
    bite = _length(x - np.float32(0.62), y) - np.float32(0.80)
    return _both(outer, -bite)


def arrow(x: Floats, y: Floats) -> Floats:
    """An arrow: a triangular head on a shaft."""
    y = np.abs(y)
    head = _both(np.float32(0.6644) * x + np.float32(0.7474) * y - np.float32(0.6644), np.float32(-0.05) - x)
    shaft = _both(np.abs(x + np.float32(0.45)) - np.float32(0.55), y - np.float32(0.25))
    return _either(head, shaft)


def hourglass(x: Floats, y: Floats) -> Floats:
    """An hourglass: two triangles that meet in a waist."""
    x, y = np.abs(x), np.abs(y)
    return _both(y - np.float32(0.9), (x - np.float32(0.72) * y - np.float32(0.07)) * np.float32(0.8115))


SHAPES: dict[str, Distance] = {
    shape.__name__: shape for shape in (circle, square, triangle, star, cross, ring, heart, crescent, arrow, hourglass)
}
