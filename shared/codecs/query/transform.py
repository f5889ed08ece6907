"""Block transform code without a network: Karhunen-Loeve transform (KLT), reverse water-filling, Lloyd-Max quantizers.

    picture [64, 64, 3] --16 blocks of 16 x 16--> [16, 768] --KLT--> [16, 128] --quantizers--> bits of each block

How many bits a coefficient gets depends on the bits of its block alone, so both ends know it: bit after bit goes to the
coefficient whose error it lowers most (reverse water-filling, Cover and Thomas, 10.3.3, with the errors of real
quantizers in place of the Gaussian bound).
"""

from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from shared.binary import from_bits, to_bits
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.base.weight_files import holding_weights, read_weights
from shared.types import Bits, Floats, Ints, Pixels

BLOCK: Final = 16
GRID: Final = 4
BLOCKS: Final = GRID * GRID
DEEPEST: Final = 6
"""Most bits of one coefficient."""


class BlockTransform(NamedTuple):
    """Parameters of the code.

    mean: [768], of blocks in [0, 1]. basis: [768, C], orthonormal, by falling variance
    levels: [C, 6, 64], reconstruction levels of a coefficient with 1 to 6 bits, the first 2^b of each row
    order: [N], int64, the coefficient that gets the n-th bit of a block
    """

    mean: Floats
    basis: Floats
    levels: Floats
    order: Ints


class BlockCode:
    """The code. fingerprint: 16 hexadecimal digits of its parameters."""

    def __init__(self, transform: BlockTransform) -> None:
        self._transform = transform
        self.fingerprint = fingerprint_of([np.ascontiguousarray(part).tobytes() for part in transform])

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The code in a file of `semlink train klt-relevance`. Raises DataLoss if it holds none."""
        tensors, _ = read_weights(path, "klt-relevance")
        with holding_weights(path, "klt-relevance"):
            parts = {name: tensors[name].numpy() for name in BlockTransform._fields}
            return cls(BlockTransform(**{**parts, "order": parts["order"].astype(np.int64)}))

    @property
    def most_bits(self) -> int:
        """Bits of a block beyond which nothing gets better."""
        return len(self._transform.order)

    def encode(self, pixels: Pixels, budgets: Ints) -> Bits:
        """Bits of pictures, block after block, row by row.

        pixels: [B, 64, 64, 3], uint8. budgets: [B, 16], bits of each block, with the same sum in each picture
        returns: [B, that sum], 0 or 1
        """
        coefficients = (to_blocks(pixels) - self._transform.mean) @ self._transform.basis
        bits, starts = np.zeros((len(pixels), int(budgets[:1].sum())), np.uint8), _starts(budgets)
        for budget in np.unique(budgets).tolist():
            at = budgets == budget
            coded = self._quantize(coefficients[at], budget)
            rows, _ = np.nonzero(at)
            bits[rows[:, None], starts[at][:, None] + np.arange(budget)] = coded
        return bits

    def decode(self, bits: Bits, budgets: Ints) -> Pixels:
        """The reverse of `encode`: pictures [B, 64, 64, 3], uint8."""
        starts = _starts(budgets)
        coefficients = np.zeros((*budgets.shape, self._transform.basis.shape[1]), np.float32)
        for budget in np.unique(budgets).tolist():
            at = budgets == budget
            rows, _ = np.nonzero(at)
            coefficients[at] = self._reconstruct(bits[rows[:, None], starts[at][:, None] + np.arange(budget)], budget)
        return from_blocks(coefficients @ self._transform.basis.T + self._transform.mean)

    def _quantize(self, coefficients: Floats, budget: int) -> Bits:
        """Bits [M, budget] of coefficients [M, C]."""
        coded = np.zeros((len(coefficients), budget), np.uint8)
        for coefficient, (start, depth) in self._places(budget).items():
            levels = self._levels(coefficient, depth)
            index = np.searchsorted((levels[1:] + levels[:-1]) / 2, coefficients[:, coefficient])
            coded[:, start : start + depth] = to_bits(index[:, None], depth)
        return coded

    def _reconstruct(self, coded: Bits, budget: int) -> Floats:
        """Coefficients [M, C] of bits [M, budget]; those without bits are 0, their mean."""
        found = np.zeros((len(coded), self._transform.basis.shape[1]), np.float32)
        for coefficient, (start, depth) in self._places(budget).items():
            index = from_bits(coded[:, start : start + depth], depth)[:, 0]
            found[:, coefficient] = self._levels(coefficient, depth)[index]
        return found

    def _levels(self, coefficient: int, depth: int) -> Floats:
        return self._transform.levels[coefficient, depth - 1, : 1 << depth]

    def _places(self, budget: int) -> dict[int, tuple[int, int]]:
        """Of each coefficient that has bits in a block of this budget: where they start, and how many they are."""
        if budget not in self._known_places:
            counts = np.bincount(self._transform.order[:budget], minlength=self._transform.basis.shape[1])
            used = np.flatnonzero(counts)
            starts = np.cumsum(counts) - counts
            self._known_places[budget] = {int(each): (int(starts[each]), int(counts[each])) for each in used}
        return self._known_places[budget]

    @cached_property
    def _known_places(self) -> dict[int, dict[int, tuple[int, int]]]:
        return {}


def to_blocks(pixels: Pixels) -> Floats:
    """Blocks [B, 16, 768], float32, in [0, 1], of pictures [B, 64, 64, 3], uint8."""
    parts = pixels.reshape(-1, GRID, BLOCK, GRID, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(len(pixels), BLOCKS, -1).astype(np.float32) / np.float32(255)


def from_blocks(blocks: Floats) -> Pixels:
    """The reverse of `to_blocks`; values outside [0, 1] are clipped."""
    parts = blocks.reshape(-1, GRID, GRID, BLOCK, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
    pixels: Pixels = np.clip(np.round(parts * 255), 0, 255).astype(np.uint8).reshape(-1, *[GRID * BLOCK] * 2, 3)
    return pixels


def _starts(budgets: Ints) -> Ints:
    """Where the bits of each block start: [B, 16]."""
    starts: Ints = np.cumsum(budgets, axis=1) - budgets
    return starts
