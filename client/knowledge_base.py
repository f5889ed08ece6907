"""A running receiver's knowledge base: asked, searched and changed.

with KnowledgeBaseClient() as knowledge_base:
    for added in knowledge_base.add([NewItem("tom", "cat", picture="tom.jpg")]):
        print(added.item_id, added.error or "stored")
    print(knowledge_base.search(text="a cat").hits)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack

from google.protobuf.message import Message

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

Response = TypeVar("Response", bound=Message)
Record = TypeVar("Record")

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
        return self._call(self._stub.Describe, api.DescribeKnowledgeBaseRequest(), KnowledgeBaseInfo)

    def get_item(self, item_id: str, with_picture: bool = False) -> Item:
        """One item with its thumbnail, and its picture's file if asked. Raises NotFound for an id that is not there."""
        request = api.GetItemRequest(item_id=item_id, with_picture=with_picture)
        return self._call(self._stub.GetItem, request, Item)

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
        return self._ask(self._stub.Remove, api.RemoveRequest(item_ids=item_ids)).changed

    def relabel(self, labels: Mapping[str, str]) -> int:
        """Give items other labels, all or none: by id; how many. Raises NotFound for an id that is not there."""
        return self._ask(self._stub.Relabel, api.RelabelRequest(labels=labels)).changed

    def search(self, top_k: int = 5, labels: Sequence[str] = (), **query: Unpack[Query]) -> Found:
        """The nearest items of a picture, a text, an embedding [dim] or an item. labels: only items with one of these.

        The first search by picture or text may take long, while the receiver loads CLIP.
        """
        request = api.SearchRequest(top_k=top_k, labels=labels, **_query(query))
        return self._call(self._stub.Search, request, Found)

    def list_items(self, label: str | None = None, page_items: int = 1000) -> Iterator[Listed]:
        """All items, or those of one label, in the order in which they were added; fetched page by page."""
        page = ""
        while True:
            request = api.ListRequest(page=page, count=page_items, label=label)
            response = self._ask(self._stub.List, request)
            yield from (from_message(line, Listed) for line in response.items)
            page = response.next
            if not page:
                return

    def snapshot(self, name: str) -> Snapshot:
        """Copy it as it is now; changes and searches go on."""
        return self._call(self._stub.Snapshot, api.SnapshotRequest(name=name), Snapshot, _LONG_SECONDS)

    def restore(self, name: str) -> KnowledgeBaseInfo:
        """Go back to a snapshot. Raises NotFound naming the snapshots that there are, DataLoss for a damaged one."""
        return self._call(self._stub.Restore, api.RestoreRequest(name=name), KnowledgeBaseInfo, _LONG_SECONDS)

    def verify(self) -> Verification:
        """Read and check everything on the receiver's disk."""
        return self._call(self._stub.Verify, api.VerifyRequest(), Verification, _LONG_SECONDS)

    def compact(self) -> KnowledgeBaseInfo:
        """Build the index anew and give back the room of removed items; searches go on."""
        return self._call(self._stub.Compact, api.CompactRequest(), KnowledgeBaseInfo, _LONG_SECONDS)

    def _ask(self, method: Callable[..., Response], request: Message, seconds: float | None = None) -> Response:
        """The response to one request. seconds: until the deadline; None for the client's timeout."""
        with rpc_errors(self.address):
            return method(request, timeout=seconds or self._timeout)

    def _call(
        self, method: Callable[..., Message], request: Message, kind: type[Record], seconds: float | None = None
    ) -> Record:
        """The same, as a record of `kind`."""
        return from_message(self._ask(method, request, seconds), kind)


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
