"""Append-only arrays: readers use the first rows while the one writer appends in place.

A reader holds an array and a length and never looks behind that length. Only a change inside needs a copy.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.types import Floats, Positions

Scalar = TypeVar("Scalar", bound=np.generic)

_LEAST_CAPACITY = 1024


def appended(array: npt.NDArray[Scalar], count: int, rows: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """An array whose first `count` rows are those of `array`, then `rows`; `array` itself if its capacity suffices."""
    wanted = count + len(rows)
    if wanted > len(array):
        capacity = max(_LEAST_CAPACITY, 2 * wanted)
        grown: npt.NDArray[Scalar] = np.empty((capacity, *array.shape[1:]), array.dtype)
        grown[:count] = array[:count]
        array = grown
    array[count:wanted] = rows
    return array


@dataclass(frozen=True)
class Delta:
    """Embeddings that the bulk does not hold, searched exactly: the first `count` rows of both arrays.

    positions: [capacity], int64, growing. vectors: [capacity, dim], float32, unit length.
    """

    positions: Positions
    vectors: Floats
    count: int = 0

    @classmethod
    def empty(cls, dim: int) -> "Delta":
        """An empty delta."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def extended(self, positions: Positions, vectors: Floats) -> "Delta":
        """With more, at higher positions; for the one writer, on the newest delta only."""
        return Delta(
            appended(self.positions, self.count, positions),
            appended(self.vectors, self.count, vectors),
            self.count + len(positions),
        )

    def extended_by(self, vectors: Vectors) -> "Delta":
        """With all of these, at higher positions."""
        delta = self
        for positions, embeddings in vectors.chunks():
            delta = delta.extended(positions, embeddings)
        return delta

    def since(self, position: int) -> "Delta":
        """A copy of those from a position on."""
        start = int(np.searchsorted(self.positions[: self.count], position))
        return Delta(
            self.positions[start : self.count].copy(), self.vectors[start : self.count].copy(), self.count - start
        )

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """Find the k nearest: positions and squared distances [B, min(k, count)], as `IndexEngine.search`."""
        rows, squared = exact_nearest(self.vectors[: self.count], queries, k)
        return self.positions[rows], squared
