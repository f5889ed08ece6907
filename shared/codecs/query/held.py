"""What a receiver holds of a picture that several questions are asked about, and what a further question still needs.

    question 1 --k cells--> held      question 2 --those of its k cells that are not held--> held      ...

    bits = how many cells | which of those that are not held | their segments | rest

Both ends know the layout, k cells of s segments, from the bits of the first question. The segments stand as those of a
first question do: the first ones of all cells, then the second ones, and so on.
"""

from typing import NamedTuple, Self

import numpy as np

from shared.binary import from_bits, to_bits
from shared.codecs.query.tokens import PLACES, SEGMENT_BITS, Layout, from_set_bits, set_bits, to_set_bits
from shared.types import Bits, Bools, Ints


class Held(NamedTuple):
    """Cells of one picture.

    layout: of its first question. indices: [64, s], uint8, of the cells that are `there`: [64]
    """

    layout: Layout
    indices: Bits
    there: Bools

    @classmethod
    def nothing(cls, layout: Layout) -> Self:
        """Of a picture of which nothing has arrived."""
        return cls(layout, np.zeros((PLACES, layout.segments), np.uint8), np.zeros(PLACES, np.bool_))

    def bits_for(self, count: int) -> int:
        """Bits that so many further cells take, with how many and which they are."""
        return self._of_the_set(count) + count * self.layout.segments * SEGMENT_BITS

    def with_cells(self, new: Bools, indices: Ints) -> Self:
        """The same with further cells, `new`: [64], and their `indices`: [n, s], in their order."""
        held = self.indices.copy()
        held[new] = indices
        return self._replace(indices=held, there=self.there | new)

    def encode(self, new: Bools, indices: Ints, bits: int) -> Bits:
        """Cells that are not held in `bits` bits, of which the rest is 0: [bits]. Arguments as of `with_cells`."""
        count = int(new.sum())
        parts = (
            to_bits(np.array([[count]]), self._count_bits)[0],
            to_set_bits(new[~self.there], set_bits(self._free, count)),
            to_bits(indices.T.reshape(1, -1), SEGMENT_BITS)[0],
        )
        coded = np.concatenate(parts)
        return np.pad(coded, (0, bits - len(coded)))

    def decode(self, bits: Bits) -> Self:
        """The reverse of `encode`: what is held with the cells that arrived."""
        count = int(from_bits(bits[None, : self._count_bits], self._count_bits)[0, 0])
        count, start, segments = (
            min(count, self.layout.tokens, self._free),
            self._of_the_set(count),
            self.layout.segments,
        )
        new = np.zeros(PLACES, np.bool_)
        new[~self.there] = from_set_bits(bits[self._count_bits : start], self._free, count)
        coded = bits[start : start + count * segments * SEGMENT_BITS]
        return self.with_cells(new, from_bits(coded[None], SEGMENT_BITS).reshape(segments, count).T)

    @property
    def _free(self) -> int:
        return PLACES - int(self.there.sum())

    @property
    def _count_bits(self) -> int:
        return self.layout.tokens.bit_length()

    def _of_the_set(self, count: int) -> int:
        """Bits before the segments."""
        return self._count_bits + set_bits(self._free, count)
