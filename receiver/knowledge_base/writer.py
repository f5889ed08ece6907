"""Writing a store: everything into a temporary file beside it, which then takes its place in one step."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from receiver.knowledge_base import schema
from receiver.knowledge_base.derived import index_store
from receiver.knowledge_base.durable import replacing, writer_lock
from receiver.knowledge_base.records import Floats, Origin
from receiver.knowledge_base.store import STORE_FILE
from shared.errors import Exhausted, InvalidInput


@contextmanager
def write_store(directory: Path, origin: Origin) -> Iterator["StoreWriter"]:
    """Write a directory's store anew; it replaces the old one when the block ends, and not when the block raises.

    Then the store is read back, which proves it, and the index is laid beside it.
    Raises Unavailable when another process writes there, InvalidInput when nothing was added, Exhausted when the disk
    is full.
    """
    with writer_lock(directory):
        with replacing(directory / STORE_FILE) as temporary:
            writer = StoreWriter(temporary, origin)
            try:
                yield writer
                writer.finish()
            finally:
                writer.close()
        index_store(directory)


class StoreWriter:
    """Adds items, in the order in which the index will count them. Made by `write_store`."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path = path
        self._origin = origin
        self._digests: list[bytes] = []
        with self._full_disk_named():
            # Until the file is in place nobody reads it, and whoever puts it there brings it to the disk first.
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;" + schema.TABLES)
            self._connection.execute("BEGIN")

    @property
    def items(self) -> int:
        """How many were added."""
        return len(self._digests)

    def add(self, item_id: str, label: str, embedding: Floats, *, thumbnail: bytes = b"", content: bytes = b"") -> None:
        """Add one item.

        embedding: [dim], any length but 0; stored as float32 of unit length
        thumbnail: WebP, at most 96 pixels a side
        content: SHA-256 of the picture's pixels
        Raises InvalidInput for an id that is there already, a text that cannot be stored or an embedding without
        direction.
        """
        check_text("id", item_id)
        check_text("label", label, empty=True)
        blob = self._unit(item_id, embedding).tobytes()
        proof = schema.item_digest(item_id, label, content, blob)
        row = (self.items, item_id, label, content, blob, proof, thumbnail, schema.digest((thumbnail,)))
        try:
            with self._full_disk_named():
                self._connection.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise InvalidInput(f"the id {item_id!r} comes twice; give each item an id of its own") from error
        self._digests.append(proof)

    def finish(self) -> None:
        """Write what describes the whole and commit."""
        if not self._digests:
            raise InvalidInput(f"{self._origin.source!r} gives no items; a knowledge base needs at least one")
        meta = self._meta()
        with self._full_disk_named():
            self._connection.executemany("INSERT INTO meta VALUES (?, ?)", [*meta.items(), ("seal", schema.seal(meta))])
            self._connection.execute("COMMIT")
            self._connection.close()

    def close(self) -> None:
        """Let go of the file, finished or not."""
        self._connection.close()

    def _unit(self, item_id: str, embedding: Floats) -> Floats:
        vector = np.asarray(embedding, dtype=np.float64)
        if vector.shape != (self._origin.dim,):
            raise InvalidInput(f"the embedding of {item_id!r} has shape {vector.shape}, not ({self._origin.dim},)")
        norm = np.linalg.norm(vector)
        if not np.isfinite(norm) or norm == 0:
            raise InvalidInput(f"the embedding of {item_id!r} has length {norm}; it needs a finite one above 0")
        return (vector / norm).astype("<f4")

    def _meta(self) -> dict[str, str]:
        return {
            "schema": str(schema.VERSION),
            "source": self._origin.source,
            "clip": self._origin.clip,
            "clip_fingerprint": self._origin.clip_fingerprint,
            "dim": str(self._origin.dim),
            "metric": schema.METRIC,
            "items": str(self.items),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprint": schema.fingerprint(self._origin.clip_fingerprint, self._origin.dim, self._digests),
        }

    @contextmanager
    def _full_disk_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Exhausted(
                f"cannot write the knowledge base in {self._path.parent}: {error}; "
                f"make room on that disk and build again. What was there before is unchanged."
            ) from error


def check_text(what: str, text: str, *, empty: bool = False) -> None:
    """Raise InvalidInput for an id or a label that cannot be stored: not UTF-8, too long, or empty."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the {what} {text!r} cannot be written as UTF-8; rename the file or folder") from error
    if length > schema.MAX_TEXT_BYTES:
        raise InvalidInput(f"the {what} {text[:40]!r}... has {length} bytes; at most {schema.MAX_TEXT_BYTES} fit")
    if not length and not empty:
        raise InvalidInput(f"an item has an empty {what}; give it one")
