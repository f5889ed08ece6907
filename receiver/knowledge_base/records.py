"""Records of the store alone; those that clients see as well are in `shared.frame.kb`."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.frame.kb import Item
from shared.types import Embedding


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
class ItemRecord(Item):
    """One item to be stored.

    item_id: unique in the knowledge base, 1 to 4096 bytes of UTF-8. label, caption: at most 4096 bytes; may be empty
    embedding: [dim], any length but 0; stored as float32 of unit length
    content: SHA-256 of the picture's size and pixels; empty without a picture
    """

    content: bytes = b""


class AddedRecord(NamedTuple):
    """One item that was stored. code: of its label. embedding: [dim], float32, unit length."""

    position: int
    item_id: str
    code: int
    embedding: Embedding
