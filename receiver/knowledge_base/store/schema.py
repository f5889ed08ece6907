"""The tables of a store, the digests that protect its content, and checks of what was read against them.

    items.digest     = SHA-256 of (position, id, label, caption, path, content, the three digests below)
    items.*_digest   = SHA-256 of the embedding, the thumbnail, the picture's file
    sum              = sum of all items' digests mod 2^256: adding or removing one item costs one addition
    meta.seal        = SHA-256 of all other rows of meta, the sum among them
    fingerprint      = SHA-256 of (CLIP fingerprint, dim, metric, number of items, sum)

A flipped bit in any value that is read breaks one of them; a lost, duplicated or foreign item breaks the sum. `sum` is
a multiset hash; it detects damage, not forgery: a forger could write a new seal as well.

Each check raises DataLoss for a mismatch.

Embeddings and pictures stand in tables of their own, so that opening reads some 200 bytes per item and not all.
"""

import hashlib
import os
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from receiver.knowledge_base.records import Origin
from receiver.knowledge_base.store.sqlite import damaged
from shared.errors import Mismatch
from shared.frame.kb import Item
from shared.types import Floats

VERSION = 2
METRIC = "euclidean"
MAX_TEXT_BYTES = 4096  # of an id, a label or a caption, in UTF-8; as long as a path can be
PAGE_BYTES = 16_384  # 7 embeddings of 512 float32 fit; with 4,096 half of each page would stay empty

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE labels (code INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE);
CREATE TABLE items (
    position INTEGER PRIMARY KEY,     -- never given twice
    id TEXT NOT NULL UNIQUE,
    label INTEGER NOT NULL,           -- code
    caption TEXT NOT NULL,
    path BLOB NOT NULL,               -- of the picture's file, as the file system spells it; empty without one
    content BLOB NOT NULL,            -- SHA-256 of the picture's pixels; empty without a picture
    embedding_digest BLOB NOT NULL,
    thumbnail_digest BLOB NOT NULL,
    picture_digest BLOB NOT NULL,     -- of the file, kept here or there; empty without one
    digest BLOB NOT NULL
);
CREATE TABLE embeddings (
    position INTEGER PRIMARY KEY,
    embedding BLOB NOT NULL,          -- float32 little endian, unit length
    proof BLOB NOT NULL               -- embedding_digest again: a search that ranks candidates need not read that row
);
CREATE TABLE pictures (
    position INTEGER PRIMARY KEY,
    thumbnail BLOB NOT NULL,          -- WebP; empty without a picture
    picture BLOB NOT NULL             -- the file itself where it was copied in, else empty
);
"""
ITEM_COLUMNS = (
    "position, id, items.label, caption, path, content, embedding_digest, thumbnail_digest, picture_digest, digest"
)
WHOLE_ITEMS = (
    f"SELECT {ITEM_COLUMNS}, labels.label, embedding, thumbnail, picture, proof FROM items "
    "LEFT JOIN labels ON labels.code = items.label LEFT JOIN embeddings USING (position) "
    "LEFT JOIN pictures USING (position)"
)

_MODULUS = 1 << 256


def digest(parts: Sequence[bytes]) -> bytes:
    """SHA-256 of byte strings, their lengths before them so that none runs into the next: 32 bytes."""
    return digest_of_pieces([len(part) for part in parts], parts)


def digest_of_pieces(lengths: Sequence[int], pieces: Iterable[bytes]) -> bytes:
    """The same of byte strings of these lengths that come in pieces."""
    summed = hashlib.sha256(_lengths(len(lengths)).pack(*lengths))
    for piece in pieces:
        summed.update(piece)
    return summed.digest()


@cache
def _lengths(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}Q")


def blob_digest(blob: bytes) -> bytes:
    """SHA-256 of an embedding, a thumbnail or a file: 32 bytes."""
    return hashlib.sha256(blob).digest()


def item_digest(position: int, item_id: str, label: str, caption: str, blobs: Sequence[bytes]) -> bytes:
    """Digest of one row of items: 32 bytes. blobs: path, content, the three digests."""
    return digest((b"%d" % position, item_id.encode(), label.encode(), caption.encode(), *blobs))


def sum_digests(start: int, added: Iterable[bytes] = (), removed: Iterable[bytes] = ()) -> int:
    """The sum after items were added and removed."""
    change = sum(int.from_bytes(one, "big") for one in added) - sum(int.from_bytes(one, "big") for one in removed)
    return (start + change) % _MODULUS


def seal(meta: Mapping[str, str]) -> str:
    """Digest of the table `meta`: 64 hexadecimal digits."""
    return digest([text.encode() for key in sorted(meta) if key != "seal" for text in (key, meta[key])]).hex()


@dataclass(frozen=True)
class Head:
    """Counters and the sum, which each change updates.

    items: how many there are. next_position: of the next item added. version: changes so far. total: sum of digests.
    """

    items: int = 0
    next_position: int = 0
    version: int = 0
    total: int = 0

    def to_meta(self) -> dict[str, str]:
        """As rows of meta."""
        return {
            "items": str(self.items),
            "next_position": str(self.next_position),
            "version": str(self.version),
            "sum": f"{self.total:064x}",
        }

    @classmethod
    def from_meta(cls, meta: Mapping[str, str]) -> "Head":
        """From rows of meta."""
        return cls(int(meta["items"]), int(meta["next_position"]), int(meta["version"]), int(meta["sum"], 16))

    def fingerprint(self, clip_fingerprint: str, dim: int) -> str:
        """Digest of the whole content: 64 hexadecimal digits."""
        texts = (clip_fingerprint, str(dim), METRIC, str(self.items), f"{self.total:064x}")
        return digest([text.encode() for text in texts]).hex()


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """Read and check the table `meta`."""
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    if "schema" not in meta:
        raise damaged(path, "it has no schema version")
    if (version := meta["schema"]) != str(VERSION):
        raise Mismatch(
            f"{path} has schema version {version!r} and this SemLink reads {VERSION}; "
            f"use the SemLink that wrote it, or build it again with `semlink kb build SOURCE --out DIR`"
        )
    if seal(meta) != meta.get("seal"):
        raise damaged(path, "its description is not what was stored")
    return meta


def origin_from_meta(meta: Mapping[str, str]) -> Origin:
    """Where a store's items come from."""
    texts = (meta["source"], meta["clip"], meta["clip_fingerprint"])
    return Origin(*texts, dim=int(meta["dim"]), copied=meta["copied"] == "1")


def check_row(row: tuple, labels: dict[int, str], path: Path) -> int:  # type: ignore[type-arg]
    """The position of one checked row of `ITEM_COLUMNS`."""
    position, item_id, code, caption, *blobs, stored = row
    label = labels.get(code)
    if label is None or item_digest(position, item_id, label, caption, blobs) != stored:
        raise damaged(path, f"the item {item_id!r} at position {position} is not what was stored")
    return int(position)


def check_item(row: tuple, path: Path) -> Item:  # type: ignore[type-arg]
    """One checked item, of a row of `ITEM_COLUMNS`, label, embedding, thumbnail and picture."""
    *columns, label, embedding, thumbnail, picture = row
    thumbnail, picture = thumbnail or b"", picture or b""  # an item without a picture has no row there
    check_row(tuple(columns), {columns[2]: label}, path)
    item_id, digests = columns[1], columns[6:9]
    if blob_digest(thumbnail) != digests[1]:
        raise damaged(path, f"the thumbnail of {item_id!r} is not what was stored")
    if picture and blob_digest(picture) != digests[2]:
        raise damaged(path, f"the picture of {item_id!r} is not what was stored")
    vector = checked_embedding(repr(item_id), embedding, digests[0], path)
    return Item(item_id, label, vector, columns[3], thumbnail, os.fsdecode(columns[4]), picture, digests[2])


def checked_embedding(whose: str | int, embedding: bytes, digest: bytes, path: Path) -> Floats:
    """A checked embedding: [dim], float32. whose: for the error."""
    require_intact(whose, embedding, digest, path)
    return np.frombuffer(embedding, dtype="<f4").astype(np.float32)


def require_intact(whose: str | int, embedding: bytes, digest: bytes, path: Path) -> None:
    """Raise DataLoss unless an embedding has this digest. whose: name or position of the item, for the error."""
    if blob_digest(embedding) != digest:
        name = whose if isinstance(whose, str) else f"the item at position {whose}"
        raise damaged(path, f"the embedding of {name} is not what was stored")


def read_labels(connection: sqlite3.Connection) -> dict[int, str]:
    """Labels by code; codes count from 0 without a gap, or the store is damaged."""
    labels = dict(connection.execute("SELECT code, label FROM labels ORDER BY code"))
    if list(labels) != list(range(len(labels))):
        raise ValueError("its labels are not numbered as they were stored")
    return labels
