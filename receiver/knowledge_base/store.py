"""Reading a store, the SQLite file that is the truth of a knowledge base.

Everything that is read is proven by its digest (see `schema`) before it is given out. A store never changes once it
is in place; a new build replaces the file as a whole, and whoever has the old one open goes on with the old one.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from receiver.knowledge_base import schema
from receiver.knowledge_base.records import Floats, Item, Origin
from shared.errors import DataLoss, Mismatch, NotFound, Unavailable

STORE_FILE = "store.sqlite"

_SQLITE_MAGIC = b"SQLite format 3\x00"
# What a wrong byte in a row can lead to before its digest is looked at: another type, half a character, a huge length.
_DAMAGE = (sqlite3.DatabaseError, AttributeError, TypeError, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Contents:
    """All items in order of position.

    item_ids, labels: [N]
    embeddings: [N, dim], float32, unit length
    """

    item_ids: tuple[str, ...]
    labels: tuple[str, ...]
    embeddings: Floats


class Store:
    """One open store. Safe for use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = _connect(path)
        try:
            self._meta = self._read_meta()
        except BaseException:
            self.close()
            raise

    @property
    def origin(self) -> Origin:
        """Where the items come from."""
        meta = self._meta
        return Origin(meta["source"], meta["clip"], meta["clip_fingerprint"], int(meta["dim"]))

    @property
    def items(self) -> int:
        """How many items there are."""
        return int(self._meta["items"])

    @property
    def fingerprint(self) -> str:
        """The proof of the content: 64 hexadecimal digits."""
        return self._meta["fingerprint"]

    def read(self) -> Contents:
        """Read and prove all items. Raises DataLoss naming the first that is damaged."""
        item_ids: list[str] = []
        labels: list[str] = []
        digests: list[bytes] = []
        embeddings = np.empty((self.items, self.origin.dim), dtype=np.float32)
        query = "SELECT position, id, label, content, embedding, digest FROM items ORDER BY position"
        with self._reading() as connection:
            for expected, row in enumerate(connection.execute(query)):
                position, item_id, label, content, embedding, digest = row
                if position != expected or schema.item_digest(item_id, label, content, embedding) != digest:
                    raise self._damaged(f"the item {item_id!r} at position {expected} is not what was stored")
                embeddings[position] = np.frombuffer(embedding, dtype="<f4")
                item_ids.append(item_id)
                labels.append(label)
                digests.append(digest)
        if schema.fingerprint(self.origin.clip_fingerprint, self.origin.dim, digests) != self.fingerprint:
            raise self._damaged(f"it holds {len(digests)} items that are not the {self.items} that were stored")
        return Contents(tuple(item_ids), tuple(labels), embeddings)

    def read_item(self, position: int) -> Item:
        """Read and prove one item with its thumbnail."""
        columns = "id, label, content, embedding, digest, thumbnail, thumbnail_digest"
        with self._reading() as connection:
            row = connection.execute(f"SELECT {columns} FROM items WHERE position = ?", (position,)).fetchone()
            if row is None:
                raise self._damaged(f"the item at position {position} is gone")
            item_id, label, content, embedding, digest, thumbnail, thumbnail_digest = row
            if schema.item_digest(item_id, label, content, embedding) != digest:
                raise self._damaged(f"the item {item_id!r} at position {position} is not what was stored")
            if schema.digest((thumbnail,)) != thumbnail_digest:
                raise self._damaged(f"the thumbnail of {item_id!r} is not what was stored")
        return Item(item_id, label, thumbnail, np.frombuffer(embedding, dtype="<f4").astype(np.float32))

    def close(self) -> None:
        """Close the file; what is read after that raises Unavailable."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _read_meta(self) -> dict[str, str]:
        with self._reading() as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            if "schema" not in meta:
                raise self._damaged("it has no schema version")
            if (version := meta["schema"]) != str(schema.VERSION):
                raise Mismatch(
                    f"{self.path} has schema version {version!r} and this SemLink reads {schema.VERSION}; "
                    f"use the SemLink that wrote it, or build it again with `semlink kb build SOURCE --out DIR`"
                )
            if schema.seal(meta) != meta.get("seal"):
                raise self._damaged("its description is not what was stored")
        return meta

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread at a time, and give damage its name."""
        with self._lock:
            if self._connection is None:
                raise Unavailable(f"{self.path} is closed; open the knowledge base again")
            try:
                yield self._connection
            except _DAMAGE as error:
                raise self._damaged(str(error) or type(error).__name__) from error

    def _damaged(self, why: str) -> DataLoss:
        return DataLoss(
            f"{self.path} is damaged: {why}. "
            f"Put a copy back, or build it again with `semlink kb build SOURCE --out DIR`."
        )


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file for reading alone, so that a read-only disk will do."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise NotFound(
            f"no knowledge base in {path.parent} ({error.strerror}: {path.name}); "
            f"make one with `semlink kb build SOURCE --out {path.parent}`"
        ) from error
    if head != _SQLITE_MAGIC:
        raise DataLoss(f"{path} is damaged: it does not begin like SQLite. Build it again with `semlink kb build`.")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
