"""Patterns of backgrounds and figures: how far each pixel lies between two tones, in [0, 1]."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from shared.types import Floats, Ints


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
_FORMULAS: Final = tuple(PATTERNS.values())


def weave(kinds: Ints, field: Field) -> Floats:
    """Each picture's own pattern.

    kinds: [N], int64, positions in `PATTERNS`
    returns: [N, S, S], float32
    """
    value: Floats = np.empty_like(field.u)
    for kind in np.unique(kinds):
        members = kinds == kind
        value[members] = _FORMULAS[kind](Field(*(part[members] for part in field)))
    return value
