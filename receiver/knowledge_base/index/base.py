"""The interface of index engines, and how the knowledge base uses one.

    bulk:  engine, built once over the items below a position, then only searched        (derived, on disk)
    delta: the items since, searched exactly                                             (from the store, in memory)
    answer = the nearest of both, without the items removed since, distances from the store's own embeddings

An engine is never changed while it is searched: compaction builds a new one, merging adds the delta to a `clone`, and
either is swapped in. An engine holds positions, which are stable: an item keeps its own, and that of a removed item is
never reused. It may return removed items: the knowledge base drops them and asks for more.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from receiver.knowledge_base.store.store import CHUNK_ITEMS
from shared.types import Floats, Positions


class Vectors(Protocol):
    """Embeddings to build an engine of, read from the store in chunks and checked."""

    @property
    def dim(self) -> int:
        """Values in an embedding."""

    def __len__(self) -> int:
        """How many items there are, at least 1."""

    def chunks(self, items: int = CHUNK_ITEMS) -> Iterator[tuple[Positions, Floats]]:
        """All of them: positions [n], int64, growing, and embeddings [n, dim], float32, unit length; n <= items."""

    def sample(self, items: int, seed: int = 0) -> Floats:
        """Embeddings of so many different items drawn at random, or of all: [n, dim], for training."""


class IndexEngine(Protocol):
    """Finds nearest neighbours among unit vectors."""

    @property
    def name(self) -> str:
        """As in the table of engines."""

    @property
    def exact(self) -> bool:
        """Whether `search` finds the true neighbours and gives their true distances, ties in order of position.

        Of other engines the knowledge base takes the candidates alone, and ranks them by the store's embeddings.
        """

    @property
    def growing(self) -> bool:
        """Whether `clone` and `add` work."""

    def __len__(self) -> int:
        """How many vectors it holds."""

    def build(self, vectors: Vectors) -> None:
        """Replace the content; trains if the engine needs it."""

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """Find the nearest, nearest first. Any number of threads may search one engine.

        queries: [B, dim], float32, unit length; 1 <= k
        Returns positions [B, n], int64, -1 where there are no more, and squared distances [B, n], float32, 0 to 4;
        n >= min(k, len). An engine that compresses gives more than k, as many as need to be ranked anew.
        """

    def clone(self) -> Self:
        """A copy that can be added to while this one is searched."""

    def add(self, positions: Positions, embeddings: Floats) -> None:
        """Add vectors: [n], int64, all above the positions that are there, and [n, dim], float32, unit length."""

    def save(self, path: Path) -> None:
        """Write the index into a file; the knowledge base appends a checksum."""

    def load(self, path: Path) -> None:
        """Read what `save` wrote, ignoring bytes after it. Raises RuntimeError for anything else."""
