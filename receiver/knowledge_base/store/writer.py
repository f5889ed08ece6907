"""Writing a store, in durable transactions.

items -> checked -> one transaction, its new sum and version in it -> COMMIT, fsync -> acknowledged
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np

from receiver.knowledge_base.records import AddedRecord, ItemRecord, Origin
from receiver.knowledge_base.store import schema
from receiver.knowledge_base.store.schema import Head
from receiver.knowledge_base.store.sqlite import damaged, writing
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.types import Floats

_VACUUM_SHARE = 0.2  # unused share of the file from which on it is vacuumed
_ADD_ITEM = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class StoreWriter:
    """The one writer of a store. Each method is one transaction; an error rolls it back.

    origin: where the items come from. head: counters after the last change
    durable: fsync each commit. Without, a crash of the machine may lose the last transactions but not damage the store;
    a crash of the process loses none.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        with writing(path):
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._keep_log()
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._meta = schema.read_meta(self._connection, path)
            self._codes: dict[str, int] = {
                label: code for code, label in self._connection.execute("SELECT code, label FROM labels")
            }
        self.head, self.origin = Head.from_meta(self._meta), schema.origin_from_meta(self._meta)

    @property
    def labels(self) -> tuple[str, ...]:
        """Each label ever used, by code."""
        return tuple(self._codes)

    @property
    def label_count(self) -> int:
        """How many `labels` there are."""
        return len(self._codes)

    def add(self, items: Sequence[ItemRecord]) -> list[AddedRecord | InvalidInput]:
        """Add items; the outcome of each, or the error of one that is refused: a taken id, a text or an embedding that
        cannot be stored.
        """
        outcomes: list[AddedRecord | InvalidInput] = []
        with self._transaction():
            for item in items:
                try:
                    outcomes.append(self._add(item))
                except InvalidInput as error:
                    outcomes.append(error)
        return outcomes

    def remove(self, item_ids: Sequence[str]) -> list[int]:
        """Remove items, all or none; their positions. Raises NotFound for an id that is not there."""
        with self._transaction():
            positions = [self._remove(item_id) for item_id in dict.fromkeys(item_ids)]
            if not self.head.items:
                raise InvalidInput(
                    "these are all items that there are, and a knowledge base needs at least one; "
                    "add another first, or build a new one with `semlink kb build`"
                )
        return positions

    def relabel(self, labels: Mapping[str, str]) -> dict[int, int]:
        """Give items other labels, all or none: by id. Returns the new codes by position."""
        with self._transaction():
            return dict(self._relabel(item_id, label) for item_id, label in labels.items())

    def renew(self, version: int) -> None:
        """Give a copied store its own store_id, and a version."""
        with self._transaction():
            self._meta["store_id"] = uuid4().hex
            self.head = replace(self.head, version=version)

    def contents(self) -> dict[str, bytes]:
        """Content digests of all items, by id."""
        return dict(self._connection.execute("SELECT id, content FROM items"))

    def vacuum(self) -> None:
        """Free the space of removed items if it is a large share of the file; then empty the log."""
        with writing(self.path):
            free, pages = (self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
            if free > _VACUUM_SHARE * pages:
                self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Merge the log into the store and close the file."""
        self._connection.close()

    def _keep_log(self) -> None:
        """Use SQLite's write-ahead log, so that readers and the writer do not block each other."""
        mode = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise Unavailable(
                f"SQLite cannot keep its write-ahead log beside {self.path} (journal mode {mode}); "
                f"put the knowledge base on a local disk"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before, meta, codes = self.head, dict(self._meta), dict(self._codes)
        try:
            with writing(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                if (self.head, self._meta) != (before, meta):
                    self._write_meta()
                self._connection.execute("COMMIT")
        except BaseException:
            self.head, self._meta, self._codes = before, meta, codes
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _write_meta(self) -> None:
        self._meta |= self.head.to_meta()
        self._meta["seal"] = schema.seal(self._meta)
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", self._meta.items())

    def _add(self, item: ItemRecord) -> AddedRecord:
        check_texts(item.item_id, item.label, item.caption)
        unit = unit_embedding(item.item_id, item.embedding, self.origin.dim)
        embedding = unit.tobytes()
        position = self.head.next_position
        digests = (schema.blob_digest(embedding), schema.blob_digest(item.thumbnail), item.picture_digest)
        digested = (os.fsencode(item.path), item.content, *digests)
        row_digest = schema.item_digest(position, item.item_id, item.label, item.caption, digested)
        code = self._code(item.label)
        row = (position, item.item_id, code, item.caption, *digested, row_digest)
        try:
            self._connection.execute(_ADD_ITEM, row)
        except sqlite3.IntegrityError as error:
            raise InvalidInput(
                f"the id {item.item_id!r} comes twice: an item of that id is stored already; "
                f"give each item an id of its own, or remove the other first"
            ) from error
        self._connection.execute("INSERT INTO embeddings VALUES (?, ?, ?)", (position, embedding, digests[0]))
        if item.thumbnail or item.picture:
            pictures = (position, item.thumbnail, item.picture)
            self._connection.execute("INSERT INTO pictures VALUES (?, ?, ?)", pictures)
        self._change(added=[row_digest], positions=1)
        return AddedRecord(position, item.item_id, code, unit)

    def _remove(self, item_id: str) -> int:
        position, digest = self._find(item_id)
        for table in ("items", "embeddings", "pictures"):
            self._connection.execute(f"DELETE FROM {table} WHERE position = ?", (position,))
        self._change(removed=[digest])
        return position

    def _relabel(self, item_id: str, label: str) -> tuple[int, int]:
        position, before = self._find(item_id)
        check_text("label", label, empty=True)
        columns = "caption, path, content, embedding_digest, thumbnail_digest, picture_digest"
        query = f"SELECT {columns} FROM items WHERE position = ?"
        caption, *digested = self._connection.execute(query, (position,)).fetchone()
        row_digest = schema.item_digest(position, item_id, label, caption, digested)
        code = self._code(label)
        self._connection.execute(
            "UPDATE items SET label = ?, digest = ? WHERE position = ?", (code, row_digest, position)
        )
        self._change(added=[row_digest], removed=[before])
        return position, code

    def _find(self, item_id: str) -> tuple[int, bytes]:
        """Position and digest of an item."""
        check_text("id", item_id)
        found = self._connection.execute("SELECT position FROM items WHERE id = ?", (item_id,)).fetchone()
        if found is None:
            raise NotFound(f"the knowledge base {self.path.parent} has no item {item_id[:200]!r}")
        row = self._connection.execute("SELECT id, digest FROM items WHERE position = ?", found).fetchone()
        if row is None or row[0] != item_id:
            raise damaged(self.path, f"its index of ids does not lead to {item_id!r}")
        return int(found[0]), bytes(row[1])

    def _code(self, label: str) -> int:
        """The code of a label, a new one for a new label."""
        if label not in self._codes:
            self._codes[label] = len(self._codes)
            self._connection.execute("INSERT INTO labels VALUES (?, ?)", (self._codes[label], label))
        return self._codes[label]

    def _change(self, added: Sequence[bytes] = (), removed: Sequence[bytes] = (), positions: int = 0) -> None:
        head, items = self.head, self.head.items + len(added) - len(removed)
        total = schema.sum_digests(head.total, added, removed)
        self.head = Head(items, head.next_position + positions, head.version + 1, total)


_PAGES = ("freelist_count", "page_count")


def create_store(path: Path, origin: Origin) -> None:
    """Make an empty store."""
    meta = {
        "schema": str(schema.VERSION),
        "store_id": uuid4().hex,
        **{name: str(value) for name, value in vars(origin).items()},
        "copied": str(int(origin.copied)),
        "metric": schema.METRIC,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **Head().to_meta(),
    }
    with writing(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA page_size = {schema.PAGE_BYTES};{schema.TABLES}")
        rows = [*meta.items(), ("seal", schema.seal(meta))]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        connection.execute("COMMIT")


def unit_embedding(item_id: str, embedding: Floats, dim: int) -> Floats:
    """An embedding of unit length: [dim], float32, little endian. Raises InvalidInput for one without direction."""
    vector = np.asarray(embedding, dtype=np.float64)
    if vector.shape != (dim,):
        raise InvalidInput(f"the embedding of {item_id!r} has shape {vector.shape}, not ({dim},)")
    norm = float(np.sqrt(vector @ vector))
    if not np.isfinite(norm) or norm == 0:
        raise InvalidInput(f"the embedding of {item_id!r} has length {norm}; it needs a finite one above 0")
    return (vector / norm).astype("<f4")


def check_texts(item_id: str, label: str, caption: str) -> None:
    """Raise InvalidInput unless these texts of an item can be stored."""
    check_text("id", item_id)
    check_text("label", label, empty=True)
    check_text("caption", caption, empty=True)


def check_text(what: str, text: str, *, empty: bool = False) -> None:
    """Raise InvalidInput for an id, a label or a caption that cannot be stored: not UTF-8, too long, or empty."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the {what} {text!r} cannot be written as UTF-8; rename the file or folder") from error
    if length > schema.MAX_TEXT_BYTES:
        raise InvalidInput(f"the {what} {text[:40]!r}... has {length} bytes; at most {schema.MAX_TEXT_BYTES} fit")
    if not length and not empty:
        raise InvalidInput(f"an item has an empty {what}; give it one")
