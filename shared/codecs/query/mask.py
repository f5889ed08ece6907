"""Which blocks of a picture a question needs, and the bits that say so.

    relevance [8, 8] --spread, sum--> [16] --the 4 largest--> set of blocks --its number--> 11 bits

The set travels as its number among all sets of that size (enumerative code: Cover, 1973), so no position is free.
"""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Final

import numpy as np

from shared.binary import from_bits, to_bits
from shared.codecs.query.transform import BLOCKS, GRID
from shared.types import Bits, Bools, Floats, Ints

CHOSEN: Final = 4
"""Blocks that get the bits: an object covers 1 to 4 of the 16."""
POSITION_BITS: Final = (comb(BLOCKS, CHOSEN) - 1).bit_length()

_SHARE_OF_BASE = 90  # a block that is not chosen gets one bit of so many of the picture
_LEAST_BASE = 2
_SPREAD = 1.0  # of a cell's relevance, in cells: an object is wider than the cells that tell what it is
_BASE_FROM = 160  # bits of a picture; below, what is not chosen gets nothing


def most_relevant(relevance: Floats) -> Bools:
    """The four blocks with the largest sum of relevance, which is spread over its surroundings before: [B, 16].

    relevance: [B, 8, 8], or any multiple of 4 x 4
    """
    cells = relevance.shape[1]
    apart = np.arange(cells) - np.arange(cells)[:, None]
    spread = np.exp(-0.5 * np.square(apart / _SPREAD)).astype(np.float32)
    side = cells // GRID
    spread_out = spread @ relevance @ spread
    sums = spread_out.reshape(-1, GRID, side, GRID, side).sum((2, 4)).reshape(-1, BLOCKS)
    chosen = np.zeros(sums.shape, np.bool_)
    np.put_along_axis(chosen, np.argsort(-sums, axis=1, kind="stable")[:, :CHOSEN], values=True, axis=1)
    return chosen


def to_positions(chosen: Bools) -> Bits:
    """The number of each set of four blocks [B, 16] in bits: [B, 11]."""
    numbers = [_numbers()[tuple(np.flatnonzero(row).tolist())] for row in chosen]
    return to_bits(np.array(numbers)[:, None], POSITION_BITS)


def from_positions(bits: Bits) -> Bools:
    """The reverse of `to_positions`. A number that is none, which only errors make, is taken modulo 1820."""
    chosen: Bools = _sets()[from_bits(bits, POSITION_BITS)[:, 0] % len(_sets())]
    return chosen


def budgets_for(bits: int, chosen: Bools, most: int) -> Ints:
    """Bits of each block [B, 16], if `bits` are there for the blocks of a picture.

    Blocks that are not chosen get a base, the chosen ones share the rest, but not more than `most` each; what is left
    over goes to the first of them.
    """
    base = max(_LEAST_BASE, bits // _SHARE_OF_BASE) if bits >= _BASE_FROM else 0
    base = max(base, -((CHOSEN * most - bits) // (BLOCKS - CHOSEN)))
    return _shared(bits - base * (BLOCKS - CHOSEN), chosen, base)


def even_budgets(bits: int, count: int) -> Ints:
    """The same for a code without a question: all blocks are chosen. Returns [count, 16]."""
    return _shared(bits, np.ones((count, BLOCKS), np.bool_), 0)


def _shared(bits: int, chosen: Bools, base: int) -> Ints:
    each, over = divmod(bits, int(chosen[:1].sum()))
    first = chosen & (np.cumsum(chosen, axis=1) <= over)
    budgets: Ints = np.where(chosen, each + first, base).astype(np.int64)
    return budgets


@lru_cache(maxsize=1)
def _sets() -> Bools:
    """All sets of four blocks: [1820, 16]."""
    chosen = np.zeros((comb(BLOCKS, CHOSEN), BLOCKS), np.bool_)
    for row, members in enumerate(combinations(range(BLOCKS), CHOSEN)):
        chosen[row, list(members)] = True
    return chosen


@lru_cache(maxsize=1)
def _numbers() -> dict[tuple[int, ...], int]:
    return {tuple(np.flatnonzero(row).tolist()): number for number, row in enumerate(_sets())}
