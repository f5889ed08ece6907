"""A running receiver's knowledge base: asked, searched and changed.

with KnowledgeBaseClient() as knowledge_base:
    for added in knowledge_base.add([NewItem("tom", "cat", picture="tom.jpg")]):
        print(added.item_id, added.error or "stored")
    print(knowledge_base.search(text="a cat").hits)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from client.connection import RECEIVER, Client
from client.kb_upload import Adding
from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import knowledge_base_pb2 as api
from protos.semlink.v1.knowledge_base_pb2_grpc import KnowledgeBaseStub
from shared.errors import InvalidInput
from shared.frame.kb import Added, Found, Item, Kept, KnowledgeBaseInfo, Listed, NewItem, Snapshot, Verification
from shared.frame.symbols import pack_floats
from shared.rpc.dial import Security
from shared.types import Embedding
from shared.wire import from_message

_LONG_SECONDS = 3600.0  # for what reads or writes all of it


class Query(TypedDict, total=False):
    """What to search for; exactly one of them."""

    picture: Picture
    text: str
    embedding: Embedding
    item_id: str


class KnowledgeBaseClient(Client):
    """Asks and changes a running receiver's knowledge base."""

    def __init__(self, address: str = RECEIVER, timeout: float = 10.0, security: Security | None = None) -> None:
        super().__init__(address, timeout, security)
        self._stub = KnowledgeBaseStub(self._channel)

    def describe(self) -> KnowledgeBaseInfo:
        """What it was built from, how much it holds, and with which CLIP."""
        return from_message(self._call(self._stub.Describe, api.DescribeKnowledgeBaseRequest()), KnowledgeBaseInfo)

    def get_item(self, item_id: str, with_picture: bool = False) -> Item:
        """One item with its thumbnail, and its picture's file if asked. Raises NotFound for an id that is not there."""
        request = api.GetItemRequest(item_id=item_id, with_picture=with_picture)
        return from_message(self._call(self._stub.GetItem, request), Item)

    def add(self, items: Iterable[NewItem], clip_fingerprint: str = "") -> Iterator[Added]:
        """Add items while the receiver serves; yields each one's outcome once it is on the disk or refused.

        items: taken as fast as the receiver stores them
        clip_fingerprint: of the CLIP that made the embeddings; pictures need none
        """
        adding = Adding(items, clip_fingerprint)
        for response in self._stream(self._stub.Add(adding.requests())):
            yield from adding.outcomes(response)
        yield from adding.outcomes(None)

    def remove(self, item_ids: Sequence[str]) -> int:
        """Remove items, all or none; how many. Raises NotFound for an id that is not there."""
        return self._call(self._stub.Remove, api.RemoveRequest(item_ids=item_ids)).changed

    def relabel(self, labels: Mapping[str, str]) -> int:
        """Give items other labels, all or none: by id; how many. Raises NotFound for an id that is not there."""
        return self._call(self._stub.Relabel, api.RelabelRequest(labels=labels)).changed

    def search(self, top_k: int = 5, labels: Sequence[str] = (), **query: Unpack[Query]) -> Found:
        """The nearest items of a picture, a text, an embedding [dim] or an item. labels: only items with one of these.

        The first search by picture or text may take long, while the receiver loads CLIP.
        """
        request = api.SearchRequest(top_k=top_k, labels=labels, **_query(query))
        return from_message(self._call(self._stub.Search, request), Found)

    def list_items(self, label: str | None = None, page_items: int = 1000) -> Iterator[Listed]:
        """All items, or those of one label, in the order in which they were added; fetched page by page."""
        page = ""
        while True:
            response = self._call(self._stub.List, api.ListRequest(page=page, count=page_items, label=label))
            yield from (from_message(line, Listed) for line in response.items)
            page = response.next
            if not page:
                return

    def snapshot(self, name: str) -> Snapshot:
        """Copy it as it is now; changes and searches go on."""
        return from_message(self._call(self._stub.Snapshot, api.SnapshotRequest(name=name), _LONG_SECONDS), Snapshot)

    def list_snapshots(self) -> list[Kept]:
        """The snapshots that there are, by name."""
        return _kept(self._call(self._stub.ListSnapshots, api.ListSnapshotsRequest()))

    def remove_snapshot(self, name: str) -> list[Kept]:
        """Remove a snapshot; those that are left. Raises NotFound naming those that there are."""
        return _kept(self._call(self._stub.RemoveSnapshot, api.RemoveSnapshotRequest(name=name)))

    def restore(self, name: str) -> KnowledgeBaseInfo:
        """Go back to a snapshot. Raises NotFound naming the snapshots that there are, DataLoss for a damaged one."""
        described = self._call(self._stub.Restore, api.RestoreRequest(name=name), _LONG_SECONDS)
        return from_message(described, KnowledgeBaseInfo)

    def verify(self) -> Verification:
        """Read and check everything on the receiver's disk."""
        return from_message(self._call(self._stub.Verify, api.VerifyRequest(), _LONG_SECONDS), Verification)

    def compact(self) -> KnowledgeBaseInfo:
        """Build the index anew and give back the room of removed items; searches go on."""
        return from_message(self._call(self._stub.Compact, api.CompactRequest(), _LONG_SECONDS), KnowledgeBaseInfo)


def _kept(answer: api.ListSnapshotsResponse) -> list[Kept]:
    return [from_message(one, Kept) for one in answer.snapshots]


def _query(query: Query) -> dict[str, Any]:
    """The one field of a SearchRequest that holds the query."""
    if len(query) != 1:
        given = ", ".join(query) or "none"
        raise InvalidInput(f"a search needs one of picture, text, embedding and item_id; given: {given}")
    if "picture" in query:
        return {"picture": picture_bytes(query["picture"])}
    if "embedding" in query:
        return {"embedding": pack_floats(query["embedding"])}
    return dict(query)
