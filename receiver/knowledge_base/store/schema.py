"""The tables of a store and the digests that protect its content.

    items.digest     = SHA-256 of (position, id, label, caption, path, content, the three digests below)
    items.*_digest   = SHA-256 of the embedding, the thumbnail, the picture's file
    sum              = sum of all items' digests mod 2^256: adding or removing one item costs one addition
    meta.seal        = SHA-256 of all other rows of meta, the sum among them
    fingerprint      = SHA-256 of (CLIP fingerprint, dim, metric, number of items, sum)

A flipped bit in any value that is read breaks one of them; a lost, duplicated or foreign item breaks the sum. `sum` is
a multiset hash; it detects damage, not forgery: a forger could write a new seal as well.

Embeddings and pictures stand in tables of their own, so that opening reads some 200 bytes per item and not all.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

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
    return hashlib.sha256(_lengths(len(parts)).pack(*map(len, parts)) + b"".join(parts)).digest()


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
