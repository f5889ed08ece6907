"""What a knowledge base holds and answers, as plain values."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.types import Floats


@dataclass(frozen=True)
class Origin:
    """Where the items come from.

    source: what they were built from, as the user named it
    clip: name of the CLIP model that embedded them
    clip_fingerprint: of that model's weights and preprocessing
    dim: values in an embedding
    copied: whether the pictures' files were copied in
    """

    source: str
    clip: str
    clip_fingerprint: str
    dim: int = 512
    copied: bool = False


@dataclass(frozen=True)
class Description:
    """A knowledge base in a few words.

    items, labels: how many, labels counted once
    fingerprint: of the content: CLIP, dimension, metric and every item's texts, picture and embedding
    engine: name of the index engine
    version: how many changes it has seen; grows with each item added, removed or relabelled
    created_at: ISO 8601, UTC
    copied: whether the pictures' files were copied in
    """

    source: str
    items: int
    labels: int
    clip: str
    clip_fingerprint: str
    fingerprint: str
    engine: str
    dim: int
    version: int
    metric: str
    created_at: str
    copied: bool


@dataclass(frozen=True)
class NewItem:
    """One item to be stored.

    item_id: unique in the knowledge base, 1 to 4096 bytes of UTF-8
    label, caption: at most 4096 bytes; may be empty
    embedding: [dim], any length but 0; stored as float32 of unit length
    thumbnail: WebP, at most 96 pixels a side; empty for an item without a picture
    content: SHA-256 of the picture's size and pixels; empty without a picture
    path: where the picture's file lies; empty where it has none
    picture: the picture's file itself, to be kept in the store
    picture_digest: SHA-256 of that file, kept here or there; empty where there is no file
    """

    item_id: str
    label: str
    embedding: Floats
    caption: str = ""
    thumbnail: bytes = b""
    content: bytes = b""
    path: str = ""
    picture: bytes = b""
    picture_digest: bytes = b""


@dataclass(frozen=True)
class Item:
    """One stored item; fields as in `NewItem`.

    embedding: [dim], float32, unit length
    """

    item_id: str
    label: str
    caption: str
    path: str
    thumbnail: bytes
    embedding: Floats
    picture: bytes
    picture_digest: bytes


@dataclass(frozen=True)
class Listed:
    """One line of a list of items. position: its stable number, which grows with each item added."""

    position: int
    item_id: str
    label: str
    caption: str
    path: str


class Added(NamedTuple):
    """One item that was stored. code: of its label. embedding: [dim], float32, unit length."""

    position: int
    item_id: str
    code: int
    embedding: Floats
