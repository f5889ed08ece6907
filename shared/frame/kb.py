"""Records of the knowledge base as plain values, for the receiver and for its clients."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.errors import SemLinkError
from shared.frame.reception import Hit
from shared.types import Floats

if TYPE_CHECKING:
    from PIL.Image import Image

    PictureLike: TypeAlias = str | Path | bytes | bytearray | memoryview | Image
else:
    PictureLike = Any


@dataclass(frozen=True)
class KnowledgeBaseInfo:
    """A knowledge base in a few words.

    source: what it was built from. items, labels: how many, labels counted once
    clip, clip_fingerprint: which CLIP embedded the items
    fingerprint: of the content: CLIP, dimension, metric and every item's texts, picture and embedding
    engine: name of the index engine. dim: values in an embedding
    version: how many changes it has seen; grows with each item added, removed or relabelled
    created_at: ISO 8601, UTC. copied: whether the pictures' files were copied in
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

    def to_json(self) -> dict[str, Any]:
        """A strict JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class NewItem:
    """An item to add: a picture, or an embedding [dim] that is ready.

    picture: a file's bytes; a client also takes its path or a PIL image
    copy: keep the picture's file as well, not only a thumbnail
    """

    item_id: str
    label: str = ""
    picture: PictureLike | None = None
    embedding: Floats | None = None
    caption: str = ""
    copy: bool = False


@dataclass(frozen=True)
class Added:
    """The outcome for one new item. error: why it was not stored, None for one that is on the receiver's disk."""

    item_id: str
    error: SemLinkError | None


@dataclass(frozen=True)
class Item:
    """One stored item.

    embedding: [dim], float32, unit length
    thumbnail: WebP, at most 96 pixels a side; empty for an item that came without a picture
    path: where the picture's file lay when it was added; empty without one
    picture: that file; a client gets it if it asks. picture_missing: why it is not there although it was asked for
    picture_digest: SHA-256 of that file, kept here or there; empty where there is no file
    """

    item_id: str
    label: str
    embedding: Floats
    caption: str = ""
    thumbnail: bytes = b""
    path: str = ""
    picture: bytes = b""
    picture_digest: bytes = b""
    picture_missing: str = ""


@dataclass(frozen=True)
class Listed:
    """One line of a list of items. position: its stable number, which grows with each item added."""

    position: int
    item_id: str
    label: str
    caption: str
    path: str


@dataclass(frozen=True)
class Found:
    """The answer to a search. hits: nearest first. knowledge_base, version: the state that answered."""

    hits: tuple[Hit, ...]
    knowledge_base: str
    version: int
    search_seconds: float


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that was made. path: on the receiver's machine. items, version, fingerprint: of its content."""

    name: str
    path: str
    size_bytes: int
    items: int
    version: int
    fingerprint: str


@dataclass(frozen=True)
class Kept:
    """A snapshot that is there. created_at: ISO 8601, UTC."""

    name: str
    size_bytes: int
    created_at: str


@dataclass(frozen=True)
class Verification:
    """The result of a check of everything on the disk.

    items, indexes: how many were read. problems: one sentence each; empty if there are none.
    """

    items: int
    indexes: int
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether there are no problems."""
        return not self.problems
