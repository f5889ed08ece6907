"""A running receiver's knowledge base: asked, searched and changed.

with KnowledgeBaseClient() as knowledge_base:
    for added in knowledge_base.add([NewItem("tom", "cat", picture="tom.jpg")]):
        print(added.item_id, added.error or "stored")
    print(knowledge_base.search(text="a cat").hits)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict, Unpack

import numpy as np

from client.connection import RECEIVER, Client, rpc_errors
from client.kb_upload import Added, Adding, NewItem
from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import knowledge_base_pb2 as api
from protos.semlink.v1.knowledge_base_pb2_grpc import KnowledgeBaseStub
from shared.errors import InvalidInput
from shared.frame.burst import Hit
from shared.types import Embedding
from shared.wire.link import hits_from_wire

_LONG_SECONDS = 3600.0  # for what reads or writes all of it


@dataclass(frozen=True)
class KnowledgeBaseInfo:
    """A knowledge base: what it was built from, how much it holds, and with which CLIP.

    fingerprint: of the content. version: changes since it was made. copied: whether it was built with the pictures'
    files copied in.
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
class Item:
    """One item of a knowledge base.

    thumbnail: a WebP file, at most 96 pixels a side. embedding: [dim], float32, unit length. path: where the picture's
    file lay when the knowledge base was built. picture: that file, if asked for; picture_missing: why it is not there.
    """

    item_id: str
    label: str
    thumbnail: bytes
    embedding: Embedding
    caption: str = ""
    path: str = ""
    picture: bytes = b""
    picture_missing: str = ""


@dataclass(frozen=True)
class ListedItem:
    """One line of the list of items."""

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
class SnapshotInfo:
    """A snapshot that was made. path: on the receiver's machine."""

    name: str
    path: str
    size_bytes: int
    items: int
    version: int
    fingerprint: str


@dataclass(frozen=True)
class VerificationInfo:
    """What was read and proven, and what is wrong: one sentence each."""

    items: int
    indexes: int
    problems: tuple[str, ...]


class Query(TypedDict, total=False):
    """What to search for; exactly one of them."""

    picture: Picture
    text: str
    embedding: Embedding
    item_id: str


class KnowledgeBaseClient(Client):
    """Asks and changes a running receiver's knowledge base."""

    def __init__(self, address: str = RECEIVER, timeout: float = 10.0) -> None:
        super().__init__(address, timeout)
        self._stub = KnowledgeBaseStub(self._channel)

    def describe(self) -> KnowledgeBaseInfo:
        """What it was built from, how much it holds, and with which CLIP."""
        with rpc_errors(self.address):
            return _info(self._stub.Describe(api.DescribeKnowledgeBaseRequest(), timeout=self._timeout))

    def get_item(self, item_id: str, with_picture: bool = False) -> Item:
        """One item with its thumbnail, and its picture's file if asked. Raises NotFound for an id that is not there."""
        request = api.GetItemRequest(item_id=item_id, with_picture=with_picture)
        with rpc_errors(self.address):
            item = self._stub.GetItem(request, timeout=self._timeout)
        return Item(
            item.item_id,
            item.label,
            item.thumbnail,
            np.frombuffer(item.embedding, dtype="<f4"),
            item.caption,
            item.path,
            item.picture,
            item.picture_missing,
        )

    def add(self, items: Iterable[NewItem], clip_fingerprint: str = "") -> Iterator[Added]:
        """Add items while the receiver serves; yields each one's outcome once it is on the disk or refused.

        items: taken as fast as the receiver stores them
        clip_fingerprint: of the CLIP that made the embeddings; pictures need none
        """
        adding = Adding(items, clip_fingerprint)
        with rpc_errors(self.address):
            responses = self._stub.Add(adding.requests())
            try:
                for response in responses:
                    yield from adding.outcomes(response)
                yield from adding.outcomes(None)
            finally:
                responses.cancel()

    def remove(self, item_ids: Sequence[str]) -> int:
        """Remove items, all or none; how many. Raises NotFound for an id that is not there."""
        with rpc_errors(self.address):
            return self._stub.Remove(api.RemoveRequest(item_ids=item_ids), timeout=self._timeout).changed

    def relabel(self, labels: Mapping[str, str]) -> int:
        """Give items other labels, all or none: by id; how many. Raises NotFound for an id that is not there."""
        with rpc_errors(self.address):
            return self._stub.Relabel(api.RelabelRequest(labels=labels), timeout=self._timeout).changed

    def search(self, top_k: int = 5, labels: Sequence[str] = (), **query: Unpack[Query]) -> Found:
        """The nearest items of a picture, a text, an embedding [dim] or an item. labels: only items with one of these.

        The first search by picture or text may take long, while the receiver loads CLIP.
        """
        request = api.SearchRequest(top_k=top_k, labels=labels, **_query(query))
        with rpc_errors(self.address):
            response = self._stub.Search(request, timeout=self._timeout)
        return Found(
            hits_from_wire(response.hits),
            response.knowledge_base,
            response.knowledge_base_version,
            response.search_seconds,
        )

    def list_items(self, label: str | None = None, page_items: int = 1000) -> Iterator[ListedItem]:
        """All items, or those of one label, in the order in which they were added; fetched page by page."""
        page = ""
        while True:
            request = api.ListRequest(page=page, count=page_items, label=label)
            with rpc_errors(self.address):
                response = self._stub.List(request, timeout=self._timeout)
            for line in response.items:
                yield ListedItem(line.item_id, line.label, line.caption, line.path)
            page = response.next
            if not page:
                return

    def snapshot(self, name: str) -> SnapshotInfo:
        """Copy it as it is now; changes and searches go on."""
        with rpc_errors(self.address):
            made = self._stub.Snapshot(api.SnapshotRequest(name=name), timeout=_LONG_SECONDS)
        return SnapshotInfo(made.name, made.path, made.size_bytes, made.items, made.version, made.fingerprint)

    def restore(self, name: str) -> KnowledgeBaseInfo:
        """Go back to a snapshot. Raises NotFound naming the snapshots that there are, DataLoss for a damaged one."""
        with rpc_errors(self.address):
            return _info(self._stub.Restore(api.RestoreRequest(name=name), timeout=_LONG_SECONDS))

    def verify(self) -> VerificationInfo:
        """Read and prove everything on the receiver's disk."""
        with rpc_errors(self.address):
            found = self._stub.Verify(api.VerifyRequest(), timeout=_LONG_SECONDS)
        return VerificationInfo(found.items, found.indexes, tuple(found.problems))

    def compact(self) -> KnowledgeBaseInfo:
        """Build the index anew and give back the room of removed items; searches go on."""
        with rpc_errors(self.address):
            return _info(self._stub.Compact(api.CompactRequest(), timeout=_LONG_SECONDS))


def _info(message: api.KnowledgeBaseDescription) -> KnowledgeBaseInfo:
    return KnowledgeBaseInfo(
        source=message.source,
        items=message.items,
        labels=message.labels,
        clip=message.clip,
        clip_fingerprint=message.clip_fingerprint,
        fingerprint=message.fingerprint,
        engine=message.engine,
        dim=message.dim,
        version=message.version,
        metric=message.metric,
        created_at=message.created_at,
        copied=message.copied,
    )


def _query(query: Query) -> dict[str, Any]:
    """The one field of a SearchRequest that holds the query."""
    if len(query) != 1:
        given = ", ".join(query) or "none"
        raise InvalidInput(f"a search needs one of picture, text, embedding and item_id; given: {given}")
    if "picture" in query:
        return {"picture": picture_bytes(query["picture"])}
    if "embedding" in query:
        return {"embedding": np.asarray(query["embedding"], "<f4").tobytes()}
    return dict(query)
