"""The knowledge base as a gRPC service.

Add:    items --pictures to the embedder--> one batch of all streams --one transaction--> acknowledged
Search: picture or text --embedder--> embedding --thread--> hits
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import grpc

from protos.semlink.v1 import knowledge_base_pb2 as pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as rpc
from receiver.embedder import Embedder
from receiver.kb_messages import (
    added_to_wire,
    description_to_wire,
    embedding_from_wire,
    item_to_wire,
    page_from_wire,
    page_to_wire,
    snapshot_to_wire,
    verification_to_wire,
)
from receiver.knowledge_base import KnowledgeBase, NewItem, View, read_original
from receiver.settings import ReceiverSettings
from shared.datasets import Picture
from shared.errors import InvalidInput, NotFound, SemLinkError
from shared.rpc.status import answers_errors, failure_from
from shared.rpc.streams import StreamAnswerer
from shared.runtime.batching import Batcher
from shared.runtime.deadline import Deadline
from shared.types import Embedding
from shared.wire.link import hits_to_wire, top_k_from_wire

Context = grpc.aio.ServicerContext[Any, Any]
Outcome = int | Exception

_IN_FLIGHT = 16  # Add requests of one stream at work, of some MiB each
_TRANSACTION_REQUESTS = 256  # of all streams, stored together


class KnowledgeBaseService(rpc.KnowledgeBaseServicer):
    """A receiver's knowledge base, to be asked and changed."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._streams = StreamAnswerer(_IN_FLIGHT)
        self._knowledge_base: KnowledgeBase | None = None

    def start(self, knowledge_base: KnowledgeBase, embedder: Embedder) -> None:
        """Serve an open knowledge base. embedder: of what is added and asked; this service stops it."""
        self._embedder = embedder
        self._adder: Batcher[Sequence[NewItem], list[Outcome]] = Batcher(self._store, _TRANSACTION_REQUESTS, 0, "adder")
        self._knowledge_base = knowledge_base

    def drain(self) -> None:
        """Take no further item."""
        self._streams.drain()

    async def stop(self) -> None:
        """End the threads."""
        if self._knowledge_base is not None:
            await self._embedder.stop()
            await self._adder.stop()

    @property
    def knowledge_base(self) -> KnowledgeBase:
        """The open knowledge base."""
        assert self._knowledge_base is not None, "the gate lets no call in before start"
        return self._knowledge_base

    @answers_errors
    async def Describe(self, request: pb.DescribeKnowledgeBaseRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """What it holds and where it comes from."""
        return await self._described()

    @answers_errors
    async def GetItem(self, request: pb.GetItemRequest, context: Context) -> pb.Item:
        """One item as it is stored."""
        return await asyncio.to_thread(self._get_item, request)

    async def Add(
        self, request_iterator: AsyncIterator[pb.AddRequest], context: Context
    ) -> AsyncIterator[pb.AddResponse]:
        """Store items while searches go on."""
        async for response in self._streams.map_unordered(request_iterator, self._add):
            yield response

    @answers_errors
    async def Remove(self, request: pb.RemoveRequest, context: Context) -> pb.ChangeResponse:
        """Remove items, all or none."""
        changed = await asyncio.to_thread(self.knowledge_base.remove, list(request.item_ids))
        return pb.ChangeResponse(changed=changed, version=self._version)

    @answers_errors
    async def Relabel(self, request: pb.RelabelRequest, context: Context) -> pb.ChangeResponse:
        """Give items other labels, all or none."""
        changed = await asyncio.to_thread(self.knowledge_base.relabel, dict(request.labels))
        return pb.ChangeResponse(changed=changed, version=self._version)

    @answers_errors
    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """What is near a picture, a text, an embedding or an item."""
        top_k = top_k_from_wire(request.top_k)
        query = await self._query(request, Deadline.after(context.time_remaining()))
        return await asyncio.to_thread(_search, self.knowledge_base.view, query, top_k, list(request.labels))

    @answers_errors
    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:
        """A page of items."""
        after, count, label = page_from_wire(request)
        items = await asyncio.to_thread(self.knowledge_base.list_items, after, count + 1, label)
        return page_to_wire(items, count)

    @answers_errors
    async def Snapshot(self, request: pb.SnapshotRequest, context: Context) -> pb.SnapshotResponse:
        """Copy all of it as it is now."""
        return snapshot_to_wire(await asyncio.to_thread(self.knowledge_base.snapshot, request.name))

    @answers_errors
    async def Restore(self, request: pb.RestoreRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """Go back to a snapshot."""
        await asyncio.to_thread(self.knowledge_base.restore, request.name)
        return await self._described()

    @answers_errors
    async def Verify(self, request: pb.VerifyRequest, context: Context) -> pb.VerifyResponse:
        """Read and prove everything."""
        return verification_to_wire(await asyncio.to_thread(self.knowledge_base.verify))

    @answers_errors
    async def Compact(self, request: pb.CompactRequest, context: Context) -> pb.KnowledgeBaseDescription:
        """Build the index anew, give back room."""
        await asyncio.to_thread(self.knowledge_base.compact)
        return await self._described()

    @property
    def _version(self) -> int:
        return self.knowledge_base.view.head.version

    async def _described(self) -> pb.KnowledgeBaseDescription:
        return description_to_wire(await asyncio.to_thread(lambda: self.knowledge_base.description))

    def _get_item(self, request: pb.GetItemRequest) -> pb.Item:
        item = self.knowledge_base.get_item(request.item_id)
        if not request.with_picture:
            return item_to_wire(item)
        try:
            return item_to_wire(item, read_original(item))
        except NotFound as error:
            return item_to_wire(item, missing=str(error))

    async def _add(self, request: pb.AddRequest) -> pb.AddResponse:
        try:
            outcomes = await self._added(request)
        except SemLinkError as error:
            return pb.AddResponse(request_id=request.request_id, version=self._version, failure=failure_from(error))
        added = [added_to_wire(item.item_id, outcome) for item, outcome in zip(request.items, outcomes, strict=True)]
        return pb.AddResponse(request_id=request.request_id, items=added, version=self._version)

    async def _added(self, request: pb.AddRequest) -> list[Outcome]:
        """What became of each item of a request; those that can be read are stored together."""
        if any(item.WhichOneof("content") == "embedding" for item in request.items):
            self.knowledge_base.require_clip(request.clip_fingerprint)
        given = [_parsed(item) for item in request.items]
        embedded = await asyncio.gather(
            *(self._embedded(one) for one in given if isinstance(one, _Given)), return_exceptions=True
        )
        waiting = iter(embedded)
        ready = [next(waiting) if isinstance(one, _Given) else one for one in given]
        for one in ready:  # what is wrong with CLIP, and not with a picture, concerns the whole request
            if isinstance(one, BaseException) and not isinstance(one, InvalidInput):
                raise one
        new = [one for one in ready if isinstance(one, NewItem)]
        stored = iter((await self._adder.submit(new, Deadline.after(None)))[0])
        return [next(stored) if isinstance(one, NewItem) else _refusal(one) for one in ready]

    async def _embedded(self, given: "_Given") -> NewItem:
        return await self._embedder.item(given.picture, Deadline.after(None), copy=given.copy)

    def _store(self, requests: Sequence[Sequence[NewItem]]) -> list[list[Outcome] | Exception]:
        """One transaction for many requests; the outcomes of each one's items."""
        outcomes = iter(self.knowledge_base.add([item for items in requests for item in items]))
        return [[next(outcomes) for _ in items] for items in requests]

    async def _query(self, request: pb.SearchRequest, deadline: Deadline) -> Embedding:
        """The embedding that a search begins with: [dim]."""
        match request.WhichOneof("query"):
            case "picture":
                return (await self._embedder.item(Picture("query", "", request.picture), deadline)).embedding
            case "text":
                return await self._embedder.text(request.text, deadline)
            case "embedding":
                return embedding_from_wire(request.embedding, "the query")
            case "item_id":
                return (await asyncio.to_thread(self.knowledge_base.get_item, request.item_id)).embedding
        raise InvalidInput("the search has no query; send a picture, a text, an embedding or an item_id")


class _Given(NamedTuple):
    """A picture that is to be embedded. copy: keep its file."""

    picture: Picture
    copy: bool


def _parsed(item: pb.NewItem) -> NewItem | _Given | InvalidInput:
    """A new item from the wire, as far as it goes without CLIP, or what is wrong with it."""
    if item.WhichOneof("content") == "embedding":
        try:
            embedding = embedding_from_wire(item.embedding, repr(item.item_id))
        except InvalidInput as error:
            return error
        return NewItem(item.item_id, item.label, embedding, caption=item.caption)
    if not item.picture:
        return InvalidInput(f"the item {item.item_id!r} has neither a picture nor an embedding; send one")
    return _Given(Picture(item.item_id, item.label, item.picture, item.caption), item.copy)


def _search(view: View, query: Embedding, top_k: int, labels: Sequence[str]) -> pb.SearchResponse:
    start = perf_counter()
    hits = view.hits(*view.nearest(query[None], top_k, labels or None))[0]
    return pb.SearchResponse(
        hits=hits_to_wire(hits),
        knowledge_base=view.fingerprint,
        knowledge_base_version=view.head.version,
        search_seconds=perf_counter() - start,
    )


def _refusal(error: NewItem | BaseException) -> Outcome:
    assert isinstance(error, InvalidInput)
    return error
