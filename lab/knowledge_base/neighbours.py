"""True neighbours, by looking at every vector, block by block."""

import faiss
import numpy as np

from shared.types import Floats, Positions


class TrueNeighbours:
    """The exact neighbours of queries among vectors that come in blocks.

    queries: [Q, dim], float32, unit length. count: how many neighbours of each.
    positions, cosines: [Q, count], nearest first, -1 and -2 while there are not so many.
    """

    def __init__(self, queries: Floats, count: int) -> None:
        self._queries = queries
        self._count = count
        self.cosines: Floats = np.full((len(queries), count), -2, np.float32)
        self.positions: Positions = np.full((len(queries), count), -1, np.int64)

    def look_at(self, vectors: Floats, positions: Positions) -> None:
        """Take the next block: vectors [n, dim], float32, unit length, at positions [n]."""
        count = min(self._count, len(vectors))
        found, rows = faiss.knn(self._queries, vectors, count, metric=faiss.METRIC_INNER_PRODUCT)
        cosines = np.concatenate([self.cosines, found], axis=1)
        candidates = np.concatenate([self.positions, positions[rows]], axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : self._count]
        self.cosines = np.take_along_axis(cosines, order, axis=1)
        self.positions = np.take_along_axis(candidates, order, axis=1)


def recall(true: Positions, found: Positions) -> float:
    """Share of true neighbours [Q, k] that are among those found [Q, n]."""
    return float(np.mean([np.isin(row, near).mean() for row, near in zip(true, found, strict=True)]))


def without(own: Positions, positions: Positions, near: Floats) -> tuple[Positions, Floats]:
    """Neighbours [Q, n] and how near they are, without each query's own item [Q] or the last: [Q, n - 1] each."""
    kept = positions != own[:, None]
    kept[kept.all(axis=1), -1] = False
    rows = (len(positions), positions.shape[1] - 1)
    return positions[kept].reshape(rows), near[kept].reshape(rows)
