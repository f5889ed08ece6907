"""The tables of a store and the digests that prove its content.

    items.digest     = SHA-256 of (id, label, content, embedding), each preceded by its length
    meta.fingerprint = SHA-256 of (CLIP fingerprint, dim, metric, all digests in order of position)
    meta.seal        = SHA-256 of all other rows of meta

A flipped bit in anything that a search uses breaks one of them. A thumbnail has a digest of its own, checked when it is
read.
"""

import hashlib
from collections.abc import Iterable, Mapping

VERSION = 1
METRIC = "euclidean"
MAX_TEXT_BYTES = 4096  # of an id or a label, in UTF-8; as long as a path can be

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    position INTEGER PRIMARY KEY,     -- 0, 1, 2 ...: the order of the index
    id TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    content BLOB NOT NULL,            -- SHA-256 of the picture's pixels; empty without a picture
    embedding BLOB NOT NULL,          -- float32 little endian, unit length
    digest BLOB NOT NULL,
    thumbnail BLOB NOT NULL,          -- WebP; empty without a picture
    thumbnail_digest BLOB NOT NULL
);
"""


def digest(parts: Iterable[bytes]) -> bytes:
    """SHA-256 of byte strings, each preceded by its length so that none runs into the next: 32 bytes."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def item_digest(item_id: str, label: str, content: bytes, embedding: bytes) -> bytes:
    """Prove one row: 32 bytes."""
    return digest((item_id.encode(), label.encode(), content, embedding))


def fingerprint(clip_fingerprint: str, dim: int, digests: Iterable[bytes]) -> str:
    """Prove the whole content: 64 hexadecimal digits."""
    head = (clip_fingerprint.encode(), str(dim).encode(), METRIC.encode())
    return digest((*head, b"".join(digests))).hex()


def seal(meta: Mapping[str, str]) -> str:
    """Prove the table `meta`: 64 hexadecimal digits."""
    return digest(text.encode() for key in sorted(meta) if key != "seal" for text in (key, meta[key])).hex()
