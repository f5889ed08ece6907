"""Checks what is read from a store against its digests; see `schema`. Each raises DataLoss for a mismatch."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from receiver.knowledge_base.records import Origin
from receiver.knowledge_base.store import schema
from receiver.knowledge_base.store.sqlite import damaged
from shared.errors import Mismatch
from shared.frame.kb import Item
from shared.types import Floats


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """Read and check the table `meta`."""
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    if "schema" not in meta:
        raise damaged(path, "it has no schema version")
    if (version := meta["schema"]) != str(schema.VERSION):
        raise Mismatch(
            f"{path} has schema version {version!r} and this SemLink reads {schema.VERSION}; "
            f"use the SemLink that wrote it, or build it again with `semlink kb build SOURCE --out DIR`"
        )
    if schema.seal(meta) != meta.get("seal"):
        raise damaged(path, "its description is not what was stored")
    return meta


def origin_from_meta(meta: Mapping[str, str]) -> Origin:
    """Where a store's items come from."""
    texts = (meta["source"], meta["clip"], meta["clip_fingerprint"])
    return Origin(*texts, dim=int(meta["dim"]), copied=meta["copied"] == "1")


def check_row(row: tuple, labels: dict[int, str], path: Path) -> int:  # type: ignore[type-arg]
    """The position of one checked row of `schema.ITEM_COLUMNS`."""
    position, item_id, code, caption, *blobs, stored = row
    label = labels.get(code)
    if label is None or schema.item_digest(position, item_id, label, caption, blobs) != stored:
        raise damaged(path, f"the item {item_id!r} at position {position} is not what was stored")
    return int(position)


def check_item(row: tuple, path: Path) -> Item:  # type: ignore[type-arg]
    """One checked item, of a row of `schema.ITEM_COLUMNS`, label, embedding, thumbnail and picture."""
    *columns, label, embedding, thumbnail, picture = row
    thumbnail, picture = thumbnail or b"", picture or b""  # an item without a picture has no row there
    check_row(tuple(columns), {columns[2]: label}, path)
    item_id, digests = columns[1], columns[6:9]
    if schema.blob_digest(thumbnail) != digests[1]:
        raise damaged(path, f"the thumbnail of {item_id!r} is not what was stored")
    if picture and schema.blob_digest(picture) != digests[2]:
        raise damaged(path, f"the picture of {item_id!r} is not what was stored")
    vector = checked_embedding(repr(item_id), embedding, digests[0], path)
    return Item(item_id, label, vector, columns[3], thumbnail, os.fsdecode(columns[4]), picture, digests[2])


def checked_embedding(whose: str | int, embedding: bytes, digest: bytes, path: Path) -> Floats:
    """A checked embedding: [dim], float32. whose: for the error."""
    require_intact(whose, embedding, digest, path)
    return np.frombuffer(embedding, dtype="<f4").astype(np.float32)


def require_intact(whose: str | int, embedding: bytes, digest: bytes, path: Path) -> None:
    """Raise DataLoss unless an embedding has this digest. whose: name or position of the item, for the error."""
    if schema.blob_digest(embedding) != digest:
        name = whose if isinstance(whose, str) else f"the item at position {whose}"
        raise damaged(path, f"the embedding of {name} is not what was stored")


def read_labels(connection: sqlite3.Connection) -> dict[int, str]:
    """Labels by code; codes count from 0 without a gap, or the store is damaged."""
    labels = dict(connection.execute("SELECT code, label FROM labels ORDER BY code"))
    if list(labels) != list(range(len(labels))):
        raise ValueError("its labels are not numbered as they were stored")
    return labels
