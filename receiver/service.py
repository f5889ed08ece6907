"""The receiver as gRPC services: bursts in, answers out, and the knowledge base."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, Self

import grpc
import structlog

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import knowledge_base_pb2 as kb_pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as kb_rpc
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1 import link_pb2_grpc as rpc
from receiver.embedder import Embedder
from receiver.kb_service import KnowledgeBaseService
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from receiver.startup import load_codecs, open_knowledge_base
from shared.codecs import AnyCodec, is_slow
from shared.device import device_type, use_threads
from shared.errors import SemLinkError
from shared.frame.burst import Burst, CodecSpec, LinkConfiguration
from shared.frame.reception import Reception
from shared.ledger import Entry, Stage
from shared.observe.metrics import CHANGES, ITEMS, LABELS, observe_stages
from shared.observe.tracing import note
from shared.rpc.server import Service
from shared.rpc.status import answer_burst, answer_control
from shared.rpc.streams import StreamAnswerer
from shared.rpc.together import answer_bursts
from shared.runtime.batching import Batcher, Lanes
from shared.runtime.deadline import Deadline
from shared.runtime.threads import use_one_numpy_thread
from shared.runtime.warming import Warming
from shared.version import VERSION
from shared.wire import to_message
from shared.wire.discretion import told
from shared.wire.link import reception_to_wire

log = structlog.get_logger()
Context = grpc.aio.ServicerContext[Any, Any]


class ReceiverService(Service, rpc.ReceiverServicer):
    """Decodes bursts and searches the knowledge base."""

    name = "receiver"
    rpc_names = ("semlink.v1.Receiver", "semlink.v1.KnowledgeBase")

    def __init__(
        self,
        settings: ReceiverSettings,
        knowledge_base: KnowledgeBase,
        codecs: Sequence[AnyCodec],
        pipeline: ReceivePipeline,
        embedder: Embedder,
    ) -> None:
        self.knowledge_base = knowledge_base
        self._device = device_type(settings.device)
        self._codecs = codecs
        self._pipeline = pipeline
        self._streams = StreamAnswerer(settings.max_in_flight)
        self._knowledge_service = KnowledgeBaseService(knowledge_base, embedder)
        self._warming = Warming()
        self._getting_ready: set[asyncio.Task[None]] = set()
        self._answered = 0
        self._headers: Batcher[Burst, Burst] = Batcher(
            pipeline.deframer.read_many, settings.batch_size, settings.batch_wait_seconds, "headers"
        )
        self._decoder: Lanes[tuple[Burst, AnyCodec], Reception] = Lanes(
            lambda name: Batcher(
                pipeline.receive,
                settings.decoded_together,
                settings.batch_wait_seconds,
                name,
                before=lambda: use_threads(settings.threads),
                alone=lambda: self._streams.at_work <= 1,
                kind=lambda item: (item[1].fingerprint, item[1].k),
            ),
            "decoder",
            is_slow=lambda item: is_slow(item[1]),
        )
        ITEMS.read_from(lambda: knowledge_base.view.head.items)
        LABELS.read_from(lambda: knowledge_base.description.labels)
        CHANGES.read_from(lambda: knowledge_base.view.head.version)

    @classmethod
    @asynccontextmanager
    async def load(cls, settings: ReceiverSettings) -> AsyncIterator[Self]:
        """Open the knowledge base, load the codecs, run each once."""
        use_one_numpy_thread()
        knowledge_base = await asyncio.to_thread(open_knowledge_base, settings)
        try:
            description = knowledge_base.description
            shelf, codecs = await asyncio.to_thread(load_codecs, settings, description.clip_fingerprint)
            embedder = Embedder(settings, description.clip, description.clip_fingerprint)
            pipeline = ReceivePipeline(settings, shelf, knowledge_base, embedder.pixels)
            await asyncio.to_thread(pipeline.warm_up, codecs)
            service = cls(settings, knowledge_base, codecs, pipeline, embedder)
            log.info("knowledge base", **vars(description))
            try:
                yield service
            finally:
                await service.stop()
        finally:
            knowledge_base.close()

    def register(self, server: grpc.aio.Server) -> None:
        """Add both servicers."""
        rpc.add_ReceiverServicer_to_server(self, server)
        kb_rpc.add_KnowledgeBaseServicer_to_server(self._knowledge_service, server)

    def drain(self) -> None:
        """Take no further burst."""
        self._streams.drain()
        self._knowledge_service.drain()

    async def stop(self) -> None:
        """End the threads."""
        await self._headers.stop()
        await self._decoder.stop()
        await self._knowledge_service.stop()
        log.info("closing the knowledge base", bursts_answered=self._answered)

    async def Receive(
        self, request_iterator: AsyncIterator[pb.Bursts], context: Context
    ) -> AsyncIterator[pb.Receptions]:
        """The end of the air."""
        async for receptions in answer_bursts(self._streams, request_iterator, self._answer):
            yield receptions

    async def _answer(self, message: pb.Burst) -> pb.Reception:
        if message.HasField("configure"):
            return await answer_control(message, self._configure)
        return await answer_burst(message, self._received)

    async def _configure(self, configuration: LinkConfiguration, timeout_seconds: float) -> None:
        self._pipeline.deframer.hold(configuration)
        task = asyncio.create_task(self._get_ready(configuration.codecs[-1]))
        self._getting_ready.add(task)  # the loop alone would not keep it
        task.add_done_callback(self._getting_ready.discard)

    async def _get_ready(self, spec: CodecSpec) -> None:
        """Load a codec and run what is slow at first, while its first picture is encoded."""
        with suppress(SemLinkError):  # its first burst is told
            await self._load(spec.codec)
            await self._warm(self._pipeline.shelf.get(spec.codec, spec.k).with_mode(spec.mode))

    async def _warm(self, codec: AnyCodec) -> None:
        if is_slow(codec):  # CLIP too is slow at first
            await self._warming.ready(codec.name, partial(self._pipeline.decode_once, codec))

    async def _load(self, name: str) -> None:
        """Import what a codec needs off the event loop, where it is the first of it."""
        shelf = self._pipeline.shelf
        if not shelf.holds(name):
            await self._warming.ready(f"load {name}", partial(shelf.get, name))

    async def _received(self, heard: Burst) -> pb.Reception:
        start = perf_counter()
        deadline = Deadline.after(heard.timeout_seconds)
        header: tuple[Entry, ...] = ()
        if heard.framing == "explicit":
            burst, _ = await self._headers.submit(heard, deadline)
            header = (Entry(Stage.HEADER, perf_counter() - start),)
        else:
            burst = self._pipeline.deframer.read(heard)
        await self._load(burst.codec.codec)
        codec = self._pipeline.admit(burst)
        note(codec=codec.name, k=codec.k)
        await self._warm(codec)
        reception, queue_seconds = await self._decoder.submit((burst, codec), deadline)
        self._answered += 1
        ledger = (*header, Entry(Stage.RECEIVE_QUEUE, queue_seconds), *reception.ledger)
        observe_stages(ledger)
        return reception_to_wire(replace(reception, ledger=ledger, elapsed_seconds=perf_counter() - start))

    async def Describe(self, request: pb.DescribeReceiverRequest, context: Context) -> pb.ReceiverDescription:
        """What this receiver holds."""
        description = self.knowledge_base.description
        clip = description.clip_fingerprint
        specs = [CodecSpec(codec.name, codec.k, codec.fingerprint, clip) for codec in self._codecs]
        return pb.ReceiverDescription(
            version=VERSION,
            device=self._device,
            codecs=[to_message(spec, common.CodecSpec) for spec in specs],
            knowledge_base=to_message(
                replace(description, source=told(description.source)), kb_pb.KnowledgeBaseDescription
            ),
        )
