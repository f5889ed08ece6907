"""Vectors that lie in an array, in memory or mapped into it."""

from collections.abc import Iterator

import numpy as np

from receiver.knowledge_base.index.base import CHUNK_ITEMS
from shared.types import Floats, Positions


class ArrayVectors:
    """Embeddings [N, dim], float32, unit length, under positions [N], int64, growing; 0 to N - 1 where none are given.

    It is a `Vectors`.
    """

    def __init__(self, embeddings: Floats, positions: Positions | None = None) -> None:
        self._embeddings = embeddings
        self._positions = np.arange(len(embeddings), dtype=np.int64) if positions is None else positions

    @property
    def dim(self) -> int:
        """Values in an embedding."""
        return int(self._embeddings.shape[1])

    def __len__(self) -> int:
        return len(self._embeddings)

    def chunks(self, items: int = CHUNK_ITEMS) -> Iterator[tuple[Positions, Floats]]:
        """See `Vectors.chunks`."""
        for start in range(0, len(self), items):
            part = slice(start, start + items)
            yield self._positions[part], np.ascontiguousarray(self._embeddings[part], np.float32)

    def sample(self, items: int, seed: int = 0) -> Floats:
        """See `Vectors.sample`."""
        if items >= len(self):
            return np.ascontiguousarray(self._embeddings, np.float32)
        rows = np.sort(np.random.default_rng(seed).choice(len(self), items, replace=False))
        return np.ascontiguousarray(self._embeddings[rows], np.float32)
