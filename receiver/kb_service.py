"""The knowledge base as a gRPC service.

Add:    items --pictures to the embedder--> one batch of all streams --one transaction--> acknowledged
Search: picture or text --embedder--> embedding --thread--> hits
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import grpc

from protos.semlink.v1 import knowledge_base_pb2 as pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as rpc
from receiver.embedder import Embedder
from receiver.knowledge_base import ItemRecord, KnowledgeBase, View, read_original
from shared.datasets import Picture
from shared.errors import InvalidInput, NotFound
from shared.frame.kb import Added, Found, Item, Kept, NewItem
from shared.rpc.streams import StreamAnswerer
from shared.runtime.batching import Batcher
from shared.runtime.deadline import Deadline
from shared.types import Embedding
from shared.wire import from_message, to_message
from shared.wire.discretion import told
from shared.wire.failure import failure_from
from shared.wire.kb import embedding_from_wire, page_from_wire, page_to_wire, verification_to_wire, with_path_to_wire
from shared.wire.limits import check_limits
from shared.wire.link import top_k_from_wire

Context = grpc.aio.ServicerContext[Any, Any]
Outcome = int | InvalidInput

_IN_FLIGHT = 16  # Add requests of one stream at work, of some MiB each
_TRANSACTION_REQUESTS = 256  # of all streams, stored together


class KnowledgeBaseService(rpc.KnowledgeBaseServicer):
    """Serves an open knowledge base. embedder: of what is added and asked; this service stops it."""

    def __init__(self, knowledge_base: KnowledgeBase, embedder: Embedder) -> None:
        self.knowledge_base = knowledge_base
        self._embedder = embedder
        self._streams = StreamAnswerer(_IN_FLIGHT)
        self._adder: Batcher[Sequence[ItemRecord], list[Outcome]] = Batcher(
            self._store, _TRANSACTION_REQUESTS, 0, "adder"
        )

    def drain(self) -> None:
        """Take no further item."""
        self._streams.drain()

    async def stop(self) -> None:
        """End the threads."""
        await self._embedder.stop()
        await self._adder.stop()

    async def Describe(self, request: pb.DescribeKnowledgeBaseRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """What it holds and where it comes from."""
        return await self._described()

    async def GetItem(self, request: pb.GetItemRequest, context: Context) -> pb.Item:
        """One item as it is stored."""
        return with_path_to_wire(await asyncio.to_thread(self._get_item, request), pb.Item)

    async def Add(
        self, request_iterator: AsyncIterator[pb.AddRequest], context: Context
    ) -> AsyncIterator[pb.AddResponse]:
        """Store items while searches go on."""
        async for response in self._streams.map_unordered(request_iterator, self._add):
            yield response

    async def Remove(self, request: pb.RemoveRequest, context: Context) -> pb.ChangeResponse:
        """Remove items, all or none."""
        changed = await asyncio.to_thread(lambda: self.knowledge_base.remove(list(request.item_ids)))
        return pb.ChangeResponse(changed=changed, version=self._version)

    async def Relabel(self, request: pb.RelabelRequest, context: Context) -> pb.ChangeResponse:
        """Give items other labels, all or none."""
        changed = await asyncio.to_thread(lambda: self.knowledge_base.relabel(dict(request.labels)))
        return pb.ChangeResponse(changed=changed, version=self._version)

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """The items nearest to a picture, a text, an embedding or an item."""
        top_k = top_k_from_wire(request.top_k)
        query = await self._query(request, Deadline.after(context.time_remaining()))
        found = await asyncio.to_thread(_search, self.knowledge_base.view, query, top_k, list(request.labels))
        return to_message(found, pb.SearchResponse)

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:
        """A page of items."""
        after, count, label = page_from_wire(request)
        items = await asyncio.to_thread(self.knowledge_base.list_items, after, count + 1, label)
        return await asyncio.to_thread(page_to_wire, items, count)

    async def Snapshot(self, request: pb.SnapshotRequest, context: Context) -> pb.SnapshotResponse:
        """Take a snapshot."""
        made = await asyncio.to_thread(self.knowledge_base.snapshot, request.name)
        return with_path_to_wire(made, pb.SnapshotResponse)

    async def ListSnapshots(self, request: pb.ListSnapshotsRequest, context: Context) -> pb.ListSnapshotsResponse:
        """Those that there are."""
        return _snapshots_to_wire(await asyncio.to_thread(self.knowledge_base.list_snapshots))

    async def RemoveSnapshot(self, request: pb.RemoveSnapshotRequest, context: Context) -> pb.ListSnapshotsResponse:
        """Remove one."""
        return _snapshots_to_wire(await asyncio.to_thread(self.knowledge_base.remove_snapshot, request.name))

    async def Restore(self, request: pb.RestoreRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """Go back to a snapshot."""
        await asyncio.to_thread(self.knowledge_base.restore, request.name)
        return await self._described()

    async def Verify(self, request: pb.VerifyRequest, context: Context) -> pb.VerifyResponse:
        """Read and check everything."""
        return verification_to_wire(await asyncio.to_thread(self.knowledge_base.verify))

    async def Compact(self, request: pb.CompactRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """Rebuild the index and free the space of removed items."""
        await asyncio.to_thread(self.knowledge_base.compact)
        return await self._described()

    @property
    def _version(self) -> int:
        return self.knowledge_base.view.head.version

    async def _described(self) -> pb.KnowledgeBaseDescription:
        description = await asyncio.to_thread(lambda: self.knowledge_base.description)
        return to_message(replace(description, source=told(description.source)), pb.KnowledgeBaseDescription)

    def _get_item(self, request: pb.GetItemRequest) -> Item:
        item = self.knowledge_base.get_item(request.item_id)
        if not request.with_picture:
            return replace(item, picture=b"")
        try:
            return replace(item, picture=read_original(item))
        except NotFound as error:
            return replace(item, picture_missing=told(str(error)))

    async def _add(self, request: pb.AddRequest) -> pb.AddResponse:
        try:
            outcomes = await self._added(request)
        except Exception as error:  # the stream must go on for the other requests
            return pb.AddResponse(request_id=request.request_id, version=self._version, failure=failure_from(error))
        added = [
            to_message(Added(item.item_id, None if isinstance(outcome, int) else outcome), pb.Added)
            for item, outcome in zip(request.items, outcomes, strict=True)
        ]
        return pb.AddResponse(request_id=request.request_id, items=added, version=self._version)

    async def _added(self, request: pb.AddRequest) -> list[Outcome]:
        """The outcome for each item of a request; those that can be read are stored together."""
        check_limits(request)
        if any(item.WhichOneof("content") == "embedding" for item in request.items):
            self.knowledge_base.require_clip(request.clip_fingerprint)
        read = await asyncio.to_thread(_read, request.items)
        ready = await asyncio.gather(*map(self._ready, read))
        items = [one for one in ready if isinstance(one, ItemRecord)]
        stored = iter((await self._adder.submit(items, Deadline.after(None)))[0])
        return [next(stored) if isinstance(one, ItemRecord) else one for one in ready]

    async def _ready(self, item: NewItem | InvalidInput) -> ItemRecord | InvalidInput:
        """An item to store, or why it alone is refused. Raises errors of CLIP, which concern the whole request."""
        if isinstance(item, InvalidInput):
            return item
        if item.embedding is not None:
            return ItemRecord(item.item_id, item.label, item.embedding, item.caption)
        if not isinstance(item.picture, bytes):
            return InvalidInput(f"the item {item.item_id!r} has neither a picture nor an embedding; send one")
        picture = Picture(item.item_id, item.label, item.picture, item.caption)
        try:
            return await self._embedder.item(picture, Deadline.after(None), copy=item.copy)
        except InvalidInput as error:
            return error

    def _store(self, requests: Sequence[Sequence[ItemRecord]]) -> list[list[Outcome] | Exception]:
        """One transaction for many requests; the outcomes of each one's items."""
        outcomes = iter(self.knowledge_base.add([item for items in requests for item in items]))
        return [[next(outcomes) for _ in items] for items in requests]

    async def _query(self, request: pb.SearchRequest, deadline: Deadline) -> Embedding:
        """The embedding that a search begins with: [dim]."""
        match request.WhichOneof("query"):
            case "picture":
                return (await self._embedder.item(Picture("query", "", request.picture), deadline)).embedding
            case "text" if not request.text.strip():
                raise InvalidInput("the text of the search is empty: say what to look for")
            case "text":
                return await self._embedder.text(request.text, deadline)
            case "embedding":
                return embedding_from_wire(request.embedding, "the query")
            case "item_id":
                return (await asyncio.to_thread(self.knowledge_base.get_item, request.item_id)).embedding
        raise InvalidInput("the search has no query; send a picture, a text, an embedding or an item_id")


def _snapshots_to_wire(found: Sequence[Kept]) -> pb.ListSnapshotsResponse:
    lines = [to_message(one, pb.ListSnapshotsResponse.Line) for one in found]
    return pb.ListSnapshotsResponse(snapshots=lines)


def _read(messages: Iterable[pb.NewItem]) -> list[NewItem | InvalidInput]:
    """The items of a request, or why one of them is none."""
    found: list[NewItem | InvalidInput] = []
    for message in messages:
        try:
            check_limits(message)
            found.append(from_message(message, NewItem))
        except InvalidInput as error:
            found.append(error)
    return found


def _search(view: View, query: Embedding, top_k: int, labels: Sequence[str]) -> Found:
    start = perf_counter()
    hits = view.hits(*view.nearest(query[None], top_k, labels or None))[0]
    return Found(tuple(hits), view.fingerprint, view.head.version, perf_counter() - start)
