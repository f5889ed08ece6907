"""Ranking file: a copy of the store's embeddings for fast ranking of candidates, with a checksum in each row.

    row p = | embedding of the item at position p, float32 [dim] | SHA-256 of it |

SQLite reads a page of 16 KiB for each embedding; a row here is one read of 2 KiB, which halves the cost of ranking. An
embedding never changes, nor does its position, so rows are only added. A missing or damaged row is read from the store
instead.
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import structlog

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.store.schema import blob_digest
from receiver.knowledge_base.store.store import Store
from shared.files import fsync
from shared.types import Bools, Floats, Positions

_PROOF_BYTES = 32

_log = structlog.get_logger()


class RankingFile:
    """Rows below `count`, 0 without a file. Safe for use from several threads, also after the file was removed."""

    def __init__(self, path: Path, dim: int) -> None:
        self._embedding_bytes = 4 * dim
        self._row_bytes = self._embedding_bytes + _PROOF_BYTES
        self._missing = np.full(dim, np.nan, "<f4").tobytes()
        self.count = 0
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        weakref.finalize(self, os.close, self._descriptor)
        self.count = os.fstat(self._descriptor).st_size // self._row_bytes

    def read(self, positions: Positions) -> Floats:
        """Embeddings: positions [n] -> [n, dim], float32; NaN in rows that are missing or damaged."""
        rows = b"".join([self._row(position) for position in positions.tolist()])
        return np.frombuffer(rows, "<f4").reshape(len(positions), self._embedding_bytes // 4)

    def holds(self, position: int, proof: bytes) -> bool:
        """Whether a row is the embedding that has this SHA-256."""
        return blob_digest(self._row(position)) == proof

    def _row(self, position: int) -> bytes:
        if not 0 <= position < self.count:
            return self._missing
        row = os.pread(self._descriptor, self._row_bytes, position * self._row_bytes)
        embedding = row[: self._embedding_bytes]
        return embedding if blob_digest(embedding) == row[self._embedding_bytes :] else self._missing


def extended_ranking_file(path: Path, store: Store, live: Bools, stop: int) -> RankingFile:
    """The file with all rows below the position `stop`; with fewer if it cannot be written.

    live: [P], which positions hold an item; for the store's one writer
    """
    ranking = RankingFile(path, store.origin.dim)
    if ranking.count >= stop:
        return ranking
    try:
        _extend(path, store.vectors(ranking.count, stop, live), stop)
    except OSError as error:
        _log.warning("candidates are ranked by the store, the ranking file is not whole", error=str(error))
        with suppress(OSError):  # free the space again: other files need a full disk more
            os.truncate(path, ranking.count * (4 * store.origin.dim + _PROOF_BYTES))
    return RankingFile(path, store.origin.dim)


def _extend(path: Path, vectors: Vectors, stop: int) -> None:
    """Append the rows of these items, and empty ones for the positions between."""
    row_bytes = 4 * vectors.dim + _PROOF_BYTES
    with path.open("r+b" if path.exists() else "xb") as file:
        for start, rows in _runs(vectors):
            file.seek(start * row_bytes)
            file.write(rows)
        file.truncate(stop * row_bytes)
    fsync(path)


def _runs(vectors: Vectors) -> Iterator[tuple[int, bytes]]:
    """Rows of items without a gap between their positions, and the first one's position."""
    for positions, embeddings in vectors.chunks():
        rows = [blob + blob_digest(blob) for blob in map(np.ndarray.tobytes, embeddings.astype("<f4"))]
        edges = [0, *(np.flatnonzero(np.diff(positions) != 1) + 1).tolist(), len(rows)]
        for first, end in pairwise(edges):
            yield int(positions[first]), b"".join(rows[first:end])
