"""Reading a store, the authoritative SQLite file of a knowledge base.

    at `load`   each item's row is checked by its digest, and all of them together by the sum
    when read   an embedding, a thumbnail and a picture are checked by their digests before use
    `verify`    reads and checks all of it

The writer is not blocked: SQLite's write-ahead log gives each reader one consistent state.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from receiver.knowledge_base.records import AddedRecord
from receiver.knowledge_base.store import schema
from receiver.knowledge_base.store.schema import Head
from receiver.knowledge_base.store.sqlite import connect_reader, damaged, reading, store_uri
from shared.errors import Unavailable
from shared.frame.kb import Item, Listed
from shared.types import Bools, Floats, Positions

CHUNK_ITEMS = 16_384  # embeddings read at once


@dataclass(frozen=True)
class Contents:
    """All items of one state, indexed by position; the first P = head.next_position rows are valid, there may be more.

    item_ids: at least P texts; empty where an item was removed
    room_codes: [at least P], int64, places in `labels`; 0 where an item was removed
    room_live: [at least P], bool, false where an item was removed
    labels: each label that ever was in use, by code
    """

    head: Head
    item_ids: list[str]
    room_codes: Positions
    room_live: Bools
    labels: tuple[str, ...]

    @property
    def label_codes(self) -> Positions:
        """Place in `labels` of each item's label: [P], int64."""
        return self.room_codes[: self.head.next_position]

    @property
    def live(self) -> Bools:
        """Which positions hold an item: [P]."""
        return self.room_live[: self.head.next_position]


class Store:
    """One open store. Safe for use from several threads; it stays readable when its file is removed.

    head: counters of changes, as they were when this was opened. origin: where the items come from
    store_id: of this store alone; a restored copy gets its own. created_at: when it was built: ISO 8601, UTC
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._uri = store_uri(path)
        with reading(path):
            self._connection: sqlite3.Connection | None = connect_reader(self._uri)
        try:
            with self._reading() as connection:
                meta = schema.read_meta(connection, path)
                self.head, self.origin = Head.from_meta(meta), schema.origin_from_meta(meta)
                self.store_id, self.created_at = meta["store_id"], meta["created_at"]
        except BaseException:
            self.close()
            raise

    def copy_to(self, path: Path) -> None:
        """Copy the current state into a new file, compacted; the writer is not blocked."""
        with closing(connect_reader(self._uri)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def load(self) -> Contents:
        """Read and check each item's row, in one consistent state. Raises DataLoss naming the first damaged one."""
        with self.consistent() as connection:
            head = Head.from_meta(schema.read_meta(connection, self.path))
            labels = schema.read_labels(connection)
            item_ids = [""] * head.next_position
            codes = np.zeros(head.next_position, np.int64)
            live = np.zeros(head.next_position, np.bool_)
            total = items = 0
            for row in connection.execute(f"SELECT {schema.ITEM_COLUMNS} FROM items ORDER BY position"):
                position = schema.check_row(row, labels, self.path)
                item_ids[position], codes[position], live[position] = row[1], row[2], True
                total += int.from_bytes(row[-1], "big")
                items += 1
            if items != head.items or schema.sum_digests(total) != head.total:
                raise damaged(self.path, f"it holds {items} items that are not the {head.items} that were stored")
        return Contents(head, item_ids, codes, live, tuple(labels.values()))

    def data_version(self) -> int:
        """A number that changes when another connection, of any process, changes the store; costs microseconds."""
        with self._reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def load_added(self, known: Head) -> tuple[list[AddedRecord], Head, tuple[str, ...]] | None:
        """Read and check the additions since a head, and head and labels now; None if anything else has changed."""
        query = (
            f"SELECT {schema.ITEM_COLUMNS}, embedding FROM items JOIN embeddings USING (position) WHERE position >= ?"
        )
        added, proofs = [], []
        with self.consistent() as connection:
            head = Head.from_meta(schema.read_meta(connection, self.path))
            labels = schema.read_labels(connection)
            for *row, embedding in connection.execute(query, (known.next_position,)):
                position = schema.check_row(tuple(row), labels, self.path)
                vector = schema.checked_embedding(repr(row[1]), embedding, row[6], self.path)
                added.append(AddedRecord(position, row[1], row[2], vector))
                proofs.append(row[-1])
        whole = head.next_position - known.next_position == head.items - known.items == len(added)
        if not whole or head.total != schema.sum_digests(known.total, proofs):
            return None
        return added, head, tuple(labels.values())

    def position_of(self, item_id: str) -> int | None:
        """Position of an id, None for an unknown one."""
        with self._reading() as connection:
            row = connection.execute("SELECT position FROM items WHERE id = ?", (item_id,)).fetchone()
        return None if row is None else int(row[0])

    def read_item(self, position: int) -> Item | None:
        """Read and check one item with its blobs; None for a removed one."""
        with self._reading() as connection:
            row = connection.execute(f"{schema.WHOLE_ITEMS} WHERE position = ?", (position,)).fetchone()
            return None if row is None else schema.check_item(row[:-1], self.path)

    def read_embeddings(self, positions: Sequence[int] | Positions) -> Floats:
        """Read and check embeddings: [n, dim], float32; NaN in the rows of removed items."""
        query = "SELECT position, embedding, proof FROM embeddings WHERE position IN (SELECT value FROM json_each(?))"
        found = np.full((len(positions), self.origin.dim), np.nan, np.float32)
        rows = {position: row for row, position in enumerate(map(int, positions))}
        with self._reading() as connection:  # one statement sees one state, and takes a third of the time of many
            stored = connection.execute(query, (json.dumps(list(rows)),)).fetchall()
        with reading(self.path):
            for position, embedding, proof in stored:
                schema.require_intact(position, embedding, proof, self.path)
            if stored:
                vectors = np.frombuffer(b"".join(row[1] for row in stored), dtype="<f4")
                found[[rows[row[0]] for row in stored]] = vectors.reshape(len(stored), -1)
        return found

    def list_items(self, after: int, count: int, label: str | None = None) -> list[Listed]:
        """Up to `count` items after a position, in order of position, of one label or of all."""
        query = (
            f"SELECT {schema.ITEM_COLUMNS}, labels.label FROM items JOIN labels ON labels.code = items.label "
            "WHERE position > ? AND (? IS NULL OR labels.label = ?) ORDER BY position LIMIT ?"
        )
        with self._reading() as connection:
            rows = connection.execute(query, (after, label, label, count)).fetchall()
            for row in rows:
                schema.check_row(row[:-1], {row[2]: row[-1]}, self.path)
        return [Listed(row[0], row[1], row[-1], row[3], os.fsdecode(row[4])) for row in rows]

    def vectors(self, start: int, stop: int, live: Bools) -> "StoreVectors":
        """The embeddings of the live items from position `start` to before `stop`; live: [P]."""
        return StoreVectors(self, start + np.flatnonzero(live[start:stop]))

    def close(self) -> None:
        """Close the file; what is read after that raises Unavailable."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread at a time, and translate errors."""
        with self._lock:
            if self._connection is None:
                raise Unavailable(f"{self.path} is closed; open the knowledge base again")
            with reading(self.path):
                yield self._connection

    @contextmanager
    def consistent(self) -> Iterator[sqlite3.Connection]:
        """A separate connection, for a long read of one consistent state."""
        with reading(self.path), closing(connect_reader(self._uri)) as connection:
            connection.execute("BEGIN")
            yield connection


class StoreVectors:
    """Some items' embeddings, read piece by piece; see `index.base.Vectors`."""

    def __init__(self, store: Store, positions: Positions) -> None:
        self.dim = store.origin.dim
        self._store = store
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def chunks(self, items: int = CHUNK_ITEMS) -> Iterator[tuple[Positions, Floats]]:
        """All of them, in order; removed ones are left out."""
        query = "SELECT position, embedding, proof FROM embeddings WHERE position BETWEEN ? AND ? ORDER BY position"
        for start in range(0, len(self._positions), items):
            piece = self._positions[start : start + items]
            with self._store.consistent() as connection:  # not the shared one, whose lock would block searches
                rows = connection.execute(query, (int(piece[0]), int(piece[-1]))).fetchall()
                vectors = [
                    schema.checked_embedding(at, vector, digest, self._store.path) for at, vector, digest in rows
                ]
            if rows:
                yield np.array([row[0] for row in rows], np.int64), np.stack(vectors)

    def sample(self, items: int, seed: int = 0) -> Floats:
        """So many of them drawn at random, or all: [n, dim]."""
        count = min(items, len(self))
        drawn = np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))
        found = self._store.read_embeddings(self._positions[drawn])
        kept: Floats = found[~np.isnan(found[:, 0])]
        return kept
