"""Which cells of a picture become tokens of `uo-isc`, and how a picture's bits are shared by them.

    relevance [8, 8] --peaks, one after the other--> k of 64 cells --their number--> position bits
    bits = positions + k tokens of s segments + rest

Both ends know k and s from the number of bits alone. The set of cells travels as its number among all sets of that
size (enumerative code: Cover, 1973).
"""

from functools import lru_cache
from math import comb
from typing import Final, NamedTuple

import numpy as np

from shared.types import Bits, Bools, Floats

CELLS: Final = 8
PLACES: Final = CELLS * CELLS
SEGMENT_BITS: Final = 6
SEGMENTS: Final = 24
"""Most of a token."""

TOKENS: Final = (
    (96, 1), (192, 2), (384, 3), (1024, 5), (1536, 7), (2048, 10), (3072, 12), (4096, 18), (6144, 26)
)  # fmt: skip
"""Tokens of a picture with fewer bits than the first number.

Up to 2,048 bits chosen by the answers that match on 360 scenes for validation, which no training saw, where differences
below a point are chance; above, as many as can have all their segments.
"""
_MOST_TOKENS: Final = 48
_NEIGHBOUR = np.float32(0.25)  # what is left of the relevance of cells around a token, which shows them too


class Layout(NamedTuple):
    """How the bits of a picture are shared. tokens: k. segments: of each token, s. position_bits: of the set."""

    tokens: int
    segments: int
    position_bits: int


@lru_cache(maxsize=64)
def layout_of(bits: int) -> Layout:
    """The layout of pictures of so many bits; what is left over is filled with zeros."""
    tokens = next((count for below, count in TOKENS if bits < below), _MOST_TOKENS)
    return layout_with(bits, tokens)


def layout_with(bits: int, tokens: int) -> Layout:
    """The layout with a given number of tokens."""
    position_bits = set_bits(PLACES, tokens)
    segments = min(SEGMENTS, (bits - position_bits) // (tokens * SEGMENT_BITS))
    return Layout(tokens, segments, position_bits)


def choose_cells(relevance: Floats, tokens: int) -> Bools:
    """The cells that become tokens: [B, 64]. relevance: [B, 8, 8], not negative.

    The most relevant one, and so on; each takes most of the relevance of the eight cells around it, because its token
    shows them too.
    """
    left = relevance.astype(np.float32).reshape(-1, PLACES).copy()
    chosen, rows = np.zeros(left.shape, np.bool_), np.arange(len(left))
    for _ in range(tokens):
        best = np.where(chosen, -1, left).argmax(1)
        chosen[rows, best] = True
        left = np.where(_around()[best], left * _NEIGHBOUR, left)
    return chosen


def to_position_bits(chosen: Bools, layout: Layout) -> Bits:
    """The number of each set of cells [B, 64] in bits: [B, position_bits]."""
    return np.array([to_set_bits(row, layout.position_bits) for row in chosen], np.uint8).reshape(len(chosen), -1)


def from_position_bits(bits: Bits, layout: Layout) -> Bools:
    """The reverse of `to_position_bits`. A number that is none, which only errors make, is taken modulo their count."""
    return np.array([from_set_bits(row, PLACES, layout.tokens) for row in bits], np.bool_).reshape(len(bits), PLACES)


def set_bits(places: int, members: int) -> int:
    """Bits that name one set of so many members among so many places."""
    return (comb(places, members) - 1).bit_length()


def to_set_bits(chosen: Bools, width: int) -> Bits:
    """The number of one set of places [N] among all sets of its size, in bits: [width]."""
    number = sum(comb(int(place), member + 1) for member, place in enumerate(np.flatnonzero(chosen)))
    return np.array([number >> shift & 1 for shift in range(width - 1, -1, -1)], np.uint8)


def from_set_bits(bits: Bits, places: int, members: int) -> Bools:
    """The reverse of `to_set_bits`: [places]. A number that is none is taken modulo the count of sets."""
    number = int("".join(map(str, bits.tolist())) or "0", 2) % comb(places, members)
    chosen = np.zeros(places, np.bool_)
    for member in range(members, 0, -1):
        place = next(place for place in range(places - 1, -1, -1) if comb(place, member) <= number)
        number -= comb(place, member)
        chosen[place] = True
    return chosen


@lru_cache(maxsize=1)
def _around() -> Bools:
    """Which cells lie around each, itself among them: [64, 64]."""
    row, column = np.divmod(np.arange(PLACES), CELLS)
    near: Bools = (abs(row[:, None] - row) <= 1) & (abs(column[:, None] - column) <= 1)
    return near
