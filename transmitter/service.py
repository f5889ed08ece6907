"""The transmitter as a gRPC service: what a client talks to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any, Final, Self

import grpc
import structlog

from protos.semlink.v1 import transmitter_pb2 as pb
from protos.semlink.v1 import transmitter_pb2_grpc as rpc
from shared.clip import Clip, codecs_of, load_clip
from shared.codecs import AnyCodec, CodecShelf
from shared.codecs.base.weight_files import use_weights_dir
from shared.device import use_threads
from shared.errors import Exhausted, InvalidInput, InvalidSetting, SemLinkError
from shared.frame.delivery import Delivery, TransmitterInfo
from shared.ledger import AIR, RECEIVER
from shared.observe.metrics import DELIVERIES, HARQ_ROUNDS, observe_stages, tracking
from shared.observe.tracing import note_delivery
from shared.rpc.burst_link import link_to_channel
from shared.rpc.secured import security_of
from shared.rpc.server import Service
from shared.rpc.streams import StreamAnswerer
from shared.runtime.deadline import Deadline
from shared.runtime.threads import use_one_numpy_thread
from shared.version import VERSION
from shared.wire import to_message
from shared.wire.failure import failure_from, status_of
from shared.wire.limits import check_limits
from shared.wire.link import request_from_wire
from transmitter.pipeline import SendPipeline
from transmitter.settings import TransmitterSettings

log = structlog.get_logger()
_CONFIGURE_SECONDS: Final = 10.0
Context = grpc.aio.ServicerContext[Any, Any]


class TransmitterService(Service, rpc.TransmitterServicer):
    """Encodes pictures and sends them over the channel."""

    name = "transmitter"
    rpc_names = ("semlink.v1.Transmitter",)

    def __init__(
        self, settings: TransmitterSettings, clip: Clip, codecs: Sequence[AnyCodec], pipeline: SendPipeline
    ) -> None:
        self._settings, self._clip, self._codecs, self._pipeline = settings, clip, codecs, pipeline
        self._streams = StreamAnswerer(settings.max_in_flight_per_stream)
        self._places = asyncio.Semaphore(settings.max_in_flight)

    @classmethod
    @asynccontextmanager
    async def load(cls, settings: TransmitterSettings) -> AsyncIterator[Self]:
        """Load CLIP and the codecs, run each once, and make the hop."""
        use_one_numpy_thread()
        use_weights_dir(settings.weights_dir or codecs_of(settings.bundle))
        clip = await asyncio.to_thread(_load_clip, settings)
        shelf = await asyncio.to_thread(CodecShelf, clip.device, clip.fingerprint, settings.own_codec)
        codecs = await asyncio.to_thread(shelf.load_all)
        hop = link_to_channel(settings.channel_address, settings.max_message_bytes, security_of(settings))
        next_hop = partial(hop.exchange, unread=("channel",))  # all of the channel's report is for the client
        pipeline = SendPipeline(
            settings, clip, shelf, next_hop, partial(hop.configure, timeout_seconds=_CONFIGURE_SECONDS)
        )
        try:
            await pipeline.warm_up()  # a wrong default codec is an error now, not at the first request
            log.info("encoder", **clip.describe())
            yield cls(settings, clip, codecs, pipeline)
        finally:
            await hop.close()
            await pipeline.stop()

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        rpc.add_TransmitterServicer_to_server(self, server)

    def drain(self) -> None:
        """Take no further picture from open streams."""
        self._streams.drain()

    async def SendImage(self, request: pb.SendImageRequest, context: Context) -> pb.Delivery:
        """One picture; refused at once when too much is in flight."""
        if request.HasField("embedding"):
            raise InvalidInput("SendImage with an embedding: call SendEmbedding, or SendImages")
        return await self._at_once(request, context)

    async def SendEmbedding(self, request: pb.SendImageRequest, context: Context) -> pb.Delivery:
        """One embedding; refused at once when too much is in flight."""
        if not request.HasField("embedding"):
            raise InvalidInput("SendEmbedding without an embedding: give it in the field `embedding`")
        return await self._at_once(request, context)

    async def _at_once(self, request: pb.SendImageRequest, context: Context) -> pb.Delivery:
        if self._places.locked():
            raise Exhausted(
                f"{self._settings.max_in_flight} pictures are in flight, the limit: try again, or use SendImages"
            )
        async with self._places:
            return await self._send(request, self._deadline(context.time_remaining()))

    async def SendImages(
        self, request_iterator: AsyncIterator[pb.SendImageRequest], context: Context
    ) -> AsyncIterator[pb.SendImagesResponse]:
        """Many pictures; the sender waits while too much is in flight."""
        async for response in self._streams.map_unordered(request_iterator, self._answer):
            yield response

    async def _answer(self, request: pb.SendImageRequest) -> pb.SendImagesResponse:
        with tracking("SendImages", request.traceparent) as tracked:
            try:
                deadline = self._deadline(request.timeout_seconds)
                async with deadline.enforced(), self._places:
                    delivery = await self._send(request, deadline)
            except Exception as error:  # one picture's error is its answer; the stream goes on
                tracked.status = status_of(error).name
                return pb.SendImagesResponse(request_id=request.request_id, failure=failure_from(error))
        return pb.SendImagesResponse(request_id=request.request_id, delivery=delivery)

    def _deadline(self, seconds: float | None) -> Deadline:
        """The deadline that the sender named, or the default one. Raises InvalidSetting for no duration."""
        if seconds is not None and not 0 <= seconds < inf:
            raise InvalidSetting(f"timeout_seconds = {seconds}: give seconds, or 0 for the default")
        return Deadline.after(seconds or self._settings.timeout_seconds)

    async def _send(self, request: pb.SendImageRequest, deadline: Deadline) -> pb.Delivery:
        try:
            check_limits(request)
            delivery = await self._pipeline.send(request_from_wire(request), deadline)
        except SemLinkError as error:
            log.info("refused", request=request.request_id, reason=str(error))
            raise
        _trace(delivery)  # while its span is open
        asyncio.get_running_loop().call_soon(_tell, request.request_id, delivery)  # once the answer is on its way
        return to_message(delivery, pb.Delivery)

    async def Describe(self, request: pb.DescribeTransmitterRequest, context: Context) -> pb.TransmitterDescription:
        """What this transmitter can do."""
        settings, clip, planner = self._settings, self._clip, self._pipeline.planner
        info = TransmitterInfo(
            version=VERSION,
            clip=clip.name,
            clip_fingerprint=clip.fingerprint,
            device=clip.device,
            engine=clip.engine,
            precision=clip.precision,
            codecs=tuple(map(planner.spec, self._codecs)),
            default_codec=planner.spec(planner.default_codec()),
            max_picture_bytes=settings.max_picture_bytes,
            max_picture_pixels=settings.max_picture_pixels,
            max_in_flight=settings.max_in_flight,
        )
        return to_message(info, pb.TransmitterDescription)


def _trace(delivery: Delivery) -> None:
    """Count the stages that this service has booked for a delivery, and tell of it in the span of its request."""
    note_delivery(delivery)
    observe_stages(entry for entry in delivery.ledger if entry.stage not in AIR and entry.stage not in RECEIVER)


def _tell(request_id: int, delivery: Delivery) -> None:
    """Log and count a delivery."""
    log.info("delivered", request=request_id, **_summary(delivery))
    DELIVERIES.add(delivery.codec, str(delivery.accepted).lower())
    if delivery.rounds:
        HARQ_ROUNDS.observe(len(delivery.rounds))


def _summary(delivery: Delivery) -> dict[str, Any]:
    """What a line of the log says of a delivery. snr_db: achieved on the channel, where it reports."""
    report = delivery.channel
    return {
        "burst": delivery.burst_id,
        "codec": delivery.codec,
        "k": delivery.k,
        "snr_db": None if report is None else round(report.snr_db_achieved, 2),
        "label": delivery.label,
        "confidence": round(delivery.confidence, 3),
        "seconds": round(delivery.total_seconds, 6),
    }


def _load_clip(settings: TransmitterSettings) -> Clip:
    use_threads(settings.threads)
    clip = load_clip(
        settings.clip,
        settings.weights,
        settings.device,
        settings.precision,
        download=settings.download,
        engine=settings.clip_engine,
        bundle=settings.bundle,
    )
    clip.warm_up(settings.batch_size)
    return clip
