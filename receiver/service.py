"""The receiver as gRPC services: bursts in, answers out, and the knowledge base."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter
from typing import Any

import grpc
import structlog

from protos.semlink.v1 import knowledge_base_pb2 as kb_pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as kb_rpc
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1 import link_pb2_grpc as rpc
from receiver.confidence import load_confidence
from receiver.embedder import Embedder
from receiver.harq_buffer import Sessions
from receiver.kb_service import KnowledgeBaseService
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import Answer, ReceivePipeline
from receiver.settings import ReceiverSettings
from receiver.startup import load_codecs, open_knowledge_base
from shared.codecs import AnyCodec, PictureCodec
from shared.device import use_threads
from shared.frame.burst import Burst, CodecSpec, Reception
from shared.ledger import Entry, Stage
from shared.rpc.exchange import answer_burst
from shared.rpc.server import Service
from shared.rpc.status import answers_errors
from shared.rpc.streams import StreamAnswerer
from shared.runtime.batching import Batcher
from shared.runtime.deadline import Deadline
from shared.runtime.warming import Warming
from shared.version import VERSION
from shared.wire.converter import to_message
from shared.wire.link import reception_to_wire, spec_to_wire

log = structlog.get_logger()
Context = grpc.aio.ServicerContext[Any, Any]


class ReceiverService(Service, rpc.ReceiverServicer):
    """Decodes bursts and searches the knowledge base."""

    name = "receiver"
    rpc_names = ("semlink.v1.Receiver", "semlink.v1.KnowledgeBase")

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._knowledge_base: KnowledgeBase | None = None
        self._knowledge_service: KnowledgeBaseService | None = None
        self._warming = Warming()
        self._batcher: Batcher[tuple[Burst, AnyCodec], Answer] | None = None
        self._answered = 0

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer of bursts; that of the knowledge base is added once it is open."""
        rpc.add_ReceiverServicer_to_server(self, server)
        self._server = server

    async def start(self) -> None:
        """Open the knowledge base, load the codecs, run each once."""
        settings = self._settings
        self._knowledge_base = await asyncio.to_thread(open_knowledge_base, settings)
        clip_fingerprint = self._knowledge_base.description.clip_fingerprint
        shelf, self._codecs = await asyncio.to_thread(load_codecs, settings, clip_fingerprint)
        self._device = shelf.device
        description = self._knowledge_base.description
        embedder = Embedder(settings, description.clip, description.clip_fingerprint)
        self._pipeline = ReceivePipeline(
            shelf,
            self._knowledge_base,
            settings.equalizer,
            load_confidence(settings.kb),
            settings.accept_confidence,
            embed_pictures=embedder.pixels,
            sessions=Sessions(settings.max_sessions, settings.session_seconds),
        )
        await asyncio.to_thread(self._pipeline.warm_up, self._codecs)
        self._batcher = Batcher(
            self._pipeline.receive,
            settings.batch_size,
            settings.batch_wait_seconds,
            "decoder",
            initializer=lambda: use_threads(settings.threads),
        )
        self._knowledge_service = KnowledgeBaseService(self._knowledge_base, embedder)
        kb_rpc.add_KnowledgeBaseServicer_to_server(self._knowledge_service, self._server)
        log.info("knowledge base", **vars(self._knowledge_base.description))

    def drain(self) -> None:
        """Take no further burst."""
        self._streams.drain()
        if self._knowledge_service is not None:
            self._knowledge_service.drain()

    async def stop(self) -> None:
        """Release the decoder and the knowledge base."""
        if self._batcher is not None:
            await self._batcher.stop()
        if self._knowledge_service is not None:
            await self._knowledge_service.stop()
        if self._knowledge_base is not None:
            log.info("closing the knowledge base", bursts_answered=self._answered)
            self._knowledge_base.close()

    @property
    def knowledge_base(self) -> KnowledgeBase:
        """The open knowledge base."""
        assert self._knowledge_base is not None, "the gate lets no call in before start"
        return self._knowledge_base

    async def Receive(self, request_iterator: AsyncIterator[pb.Burst], context: Context) -> AsyncIterator[pb.Reception]:
        """The end of the air."""
        async for reception in self._streams.map_unordered(request_iterator, self._answer):
            yield reception

    async def _answer(self, message: pb.Burst) -> pb.Reception:
        return await answer_burst(message, self._receive)

    async def _receive(self, burst: Burst) -> pb.Reception:
        start = perf_counter()
        deadline = Deadline.after(burst.timeout_seconds)
        codec = self._pipeline.admit(burst)
        if isinstance(codec, PictureCodec) or not codec.quick:  # CLIP too is slow at first
            await self._warming.ready(codec.name, partial(self._pipeline.decode_once, codec))
        assert self._batcher is not None
        answer, queue_seconds = await self._batcher.submit((burst, codec), deadline)
        self._answered += 1
        reception = Reception(
            burst_id=burst.burst_id,
            top=answer.top,
            confidence=answer.confidence,
            accepted=answer.accepted,
            reason=answer.reason,
            snr_db_estimated=answer.snr_db_estimated,
            trace=answer.trace,
            ledger=(Entry(Stage.RECEIVE_QUEUE, queue_seconds), *answer.ledger),
            elapsed_seconds=perf_counter() - start,
            knowledge_base=answer.knowledge_base,
            knowledge_base_version=answer.knowledge_base_version,
            certainty=answer.certainty,
            request_more=answer.request_more,
        )
        return reception_to_wire(reception)

    @answers_errors
    async def Describe(self, request: pb.DescribeReceiverRequest, context: Context) -> pb.ReceiverDescription:
        """What this receiver holds."""
        description = self.knowledge_base.description
        clip = description.clip_fingerprint
        specs = [CodecSpec(codec.name, codec.k, codec.fingerprint, clip) for codec in self._codecs]
        return pb.ReceiverDescription(
            version=VERSION,
            device=self._device,
            codecs=map(spec_to_wire, specs),
            knowledge_base=to_message(description, kb_pb.KnowledgeBaseDescription),
        )
