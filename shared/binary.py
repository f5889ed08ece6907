"""Numbers as bits, the most significant first."""

import numpy as np

from shared.types import Bits, Ints


def to_bits(numbers: Ints, width: int) -> Bits:
    """Bits [B, N width], 0 or 1, of numbers [B, N] below 2^width."""
    bits: Bits = (numbers[..., None] >> np.arange(width - 1, -1, -1) & 1).astype(np.uint8)
    return bits.reshape(len(numbers), -1)


def from_bits(bits: Bits, width: int) -> Ints:
    """The reverse of `to_bits`: [B, N]."""
    numbers: Ints = bits.reshape(len(bits), -1, width).astype(np.int64) @ (1 << np.arange(width - 1, -1, -1))
    return numbers
