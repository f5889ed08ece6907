"""A running receiver's knowledge base: asked, searched and changed.

with KnowledgeBaseClient() as knowledge_base:
    for added in knowledge_base.add([NewItem("tom", "cat", picture="tom.jpg")]):
        print(added.item_id, added.error or "stored")
    print(knowledge_base.search(text="a cat").hits)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from client.connection import RECEIVER, Client, rpc_errors
from client.kb_upload import Adding
from client.pictures import Picture, picture_bytes
from protos.semlink.v1 import knowledge_base_pb2 as api
from protos.semlink.v1.knowledge_base_pb2_grpc import KnowledgeBaseStub
from shared.errors import InvalidInput
from shared.frame.kb import Added, Found, Item, KnowledgeBaseInfo, Listed, NewItem, Snapshot, Verification
from shared.frame.symbols import pack_floats
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

    def __init__(self, address: str = RECEIVER, timeout: float = 10.0) -> None:
        super().__init__(address, timeout)
        self._stub = KnowledgeBaseStub(self._channel)

    def describe(self) -> KnowledgeBaseInfo:
        """What it was built from, how much it holds, and with which CLIP."""
        with rpc_errors(self.address):
            return from_message(
                self._stub.Describe(api.DescribeKnowledgeBaseRequest(), timeout=self._timeout), KnowledgeBaseInfo
            )

    def get_item(self, item_id: str, with_picture: bool = False) -> Item:
        """One item with its thumbnail, and its picture's file if asked. Raises NotFound for an id that is not there."""
        request = api.GetItemRequest(item_id=item_id, with_picture=with_picture)
        with rpc_errors(self.address):
            item = self._stub.GetItem(request, timeout=self._timeout)
        return from_message(item, Item)

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
        return from_message(response, Found)

    def list_items(self, label: str | None = None, page_items: int = 1000) -> Iterator[Listed]:
        """All items, or those of one label, in the order in which they were added; fetched page by page."""
        page = ""
        while True:
            request = api.ListRequest(page=page, count=page_items, label=label)
            with rpc_errors(self.address):
                response = self._stub.List(request, timeout=self._timeout)
            yield from (from_message(line, Listed) for line in response.items)
            page = response.next
            if not page:
                return

    def snapshot(self, name: str) -> Snapshot:
        """Copy it as it is now; changes and searches go on."""
        with rpc_errors(self.address):
            made = self._stub.Snapshot(api.SnapshotRequest(name=name), timeout=_LONG_SECONDS)
        return from_message(made, Snapshot)

    def restore(self, name: str) -> KnowledgeBaseInfo:
        """Go back to a snapshot. Raises NotFound naming the snapshots that there are, DataLoss for a damaged one."""
        with rpc_errors(self.address):
            return from_message(
                self._stub.Restore(api.RestoreRequest(name=name), timeout=_LONG_SECONDS), KnowledgeBaseInfo
            )

    def verify(self) -> Verification:
        """Read and check everything on the receiver's disk."""
        with rpc_errors(self.address):
            found = self._stub.Verify(api.VerifyRequest(), timeout=_LONG_SECONDS)
        return from_message(found, Verification)

    def compact(self) -> KnowledgeBaseInfo:
        """Build the index anew and give back the room of removed items; searches go on."""
        with rpc_errors(self.address):
            description = self._stub.Compact(api.CompactRequest(), timeout=_LONG_SECONDS)
        return from_message(description, KnowledgeBaseInfo)


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
