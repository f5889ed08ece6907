"""Exact nearest neighbours among vectors in memory.

    queries -> FAISS: k + a few candidates -> exact distances -> sort by (distance, position) -> the first k

The order in which FAISS sums products depends on the device and on the batch. The distances of the few candidates are
therefore computed again, one pair at a time: a query has the same answer on each device and in any batch.
"""

from collections.abc import Callable

import faiss
import numpy as np

from shared.types import Floats, Positions

_SPARE = 8  # neighbours looked at beyond those asked for, so that ties at the edge are seen
_TIE = 2e-6  # squared distances of FAISS and of `squared_distances` differ by less, for unit vectors

Candidates = Callable[[Floats, int], Positions]


def exact_nearest(vectors: Floats, queries: Floats, k: int, candidates: Candidates | None = None) -> tuple:  # type: ignore[type-arg]
    """Find the k nearest rows, nearest first, equally near ones by row; all where k is more.

    vectors: [N, dim], queries: [B, dim]; float32, unit length. candidates: gives rows [B, n] of the n nearest, in
    FAISS's own arithmetic; by default of `vectors` on the CPU.
    Returns rows [B, min(k, N)], int64, and squared distances of the same shape, float32, 0 to 4.
    """
    k = min(k, len(vectors))
    if not k:
        return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    find = candidates or (lambda asked, count: _nearest_rows(vectors, asked, count))
    wanted = k + _SPARE
    while True:
        found = find(queries, min(wanted, len(vectors)))
        rows, squared = sort_neighbours(found, squared_distances(queries, vectors[found]))
        if wanted >= len(vectors) or not (squared[:, -1] - squared[:, k - 1] <= _TIE).any():
            return rows[:, :k], squared[:, :k]
        wanted *= 4  # ties may continue beyond the last candidate


def squared_distances(queries: Floats, found: Floats) -> Floats:
    """|q - v|^2 of each query [B, dim] to its own vectors [B, n, dim]: [B, n], float32.

    The same pair gives the same value always; infinite where the vector is NaN.
    """
    squared = np.empty(found.shape[:2], np.float32)
    for row, (query, vectors) in enumerate(zip(queries, found, strict=True)):
        difference = vectors - query
        squared[row] = np.einsum("nd,nd->n", difference, difference)
    squared[np.isnan(squared)] = np.inf
    return squared


def sort_neighbours(positions: Positions, squared: Floats) -> tuple[Positions, Floats]:
    """Both [B, n], sorted in each row by distance and then by position."""
    order = np.lexsort((positions, squared), axis=-1)
    return np.take_along_axis(positions, order, axis=-1), np.take_along_axis(squared, order, axis=-1)


def _nearest_rows(vectors: Floats, queries: Floats, count: int) -> Positions:
    found: Positions = faiss.knn(queries, vectors, count, metric=faiss.METRIC_INNER_PRODUCT)[1]
    return found
