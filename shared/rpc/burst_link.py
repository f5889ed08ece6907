"""The near end of a hop: long-lived streams, one as a rule, that carry many bursts and heal by themselves."""

import asyncio
import gc
import secrets
from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import grpc
import structlog

from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1.channel_pb2_grpc import ChannelStub
from protos.semlink.v1.link_pb2_grpc import ReceiverStub
from shared.errors import Expired, InvalidInput, SemLinkError, Unavailable
from shared.frame.burst import Burst, LinkConfiguration, burst_name
from shared.frame.reception import Reception
from shared.observe.tracing import call_span, note
from shared.rpc.dial import Dialer, Security
from shared.rpc.options import MAX_MESSAGE_BYTES
from shared.rpc.status import FinalStatus, error_from_rpc
from shared.rpc.together import MOST_TOGETHER, fitting
from shared.wire import from_message, to_message
from shared.wire.failure import error_from_failure
from shared.wire.link import burst_to_wire

log = structlog.get_logger()

Call: TypeAlias = grpc.aio.StreamStreamCall[pb.Bursts, pb.Receptions]
OpenStream: TypeAlias = Callable[[grpc.aio.Channel], Call]


_ENDLESS_SECONDS: Final = 1e9
"""A longer timeout is none: no timer holds it."""


class StreamReset(Unavailable):
    """The stream was broken at this end, by `BurstLink.reset`; the next exchange opens a new one."""


class _Stream:
    """One stream while it lasts: a writer task, a reader task and the bursts that wait for an answer."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._status = FinalStatus(call)
        self.waiting: dict[int, asyncio.Future[pb.Reception]] = {}
        # gRPC allows one write at a time and kills the call of a cancelled one, so a task of its own writes. A burst
        # that is given up leaves the outbox, which so holds no more than what callers wait for.
        self.outbox: dict[int, pb.Burst] = {}
        self._filled = asyncio.Event()
        self._reset = False
        self._reason: SemLinkError = Unavailable("the stream was closed")
        self.ended: asyncio.Task[None] = asyncio.create_task(self._run())
        self.ended.add_done_callback(self._fail_waiting)  # also when it is ended before it began

    async def exchange(self, burst: pb.Burst, seconds: float = 0.0) -> pb.Reception:
        """The answer, within `seconds` (0: no limit). Raises TimeoutError when time is up."""
        loop, burst_id = asyncio.get_running_loop(), burst.burst_id
        answer: asyncio.Future[pb.Reception] = loop.create_future()
        # A timer of its own: `asyncio.timeout` would cancel this task, and costs three times as much.
        timer = loop.call_later(seconds, _expire, answer) if 0 < seconds < _ENDLESS_SECONDS else None
        self.waiting[burst_id] = answer
        self.outbox[burst_id] = burst
        self._filled.set()
        try:
            return await answer
        finally:
            if timer is not None:
                timer.cancel()
            del self.waiting[burst_id]
            self.outbox.pop(burst_id, None)

    def end(self, reset: bool) -> None:
        """Break the stream; what waits on it fails, with StreamReset where that was asked for."""
        self._reset = reset
        self.ended.cancel()

    async def _run(self) -> None:
        """Read and write until the stream breaks."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        except grpc.RpcError as error:
            self._reason = error_from_rpc(await self._status.error(error))
        finally:
            writer.cancel()
            self.call.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _fail_waiting(self, _: asyncio.Task[None]) -> None:
        self.call.cancel()
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(StreamReset() if self._reset else Unavailable(str(self._reason)))

    async def _write(self) -> None:
        try:
            while True:
                while self.outbox:
                    await self.call.write(pb.Bursts(bursts=self._taken()))
                self._filled.clear()
                await self._filled.wait()
        except (grpc.RpcError, asyncio.InvalidStateError):
            log.debug("the stream broke while writing")  # the reader knows why

    def _taken(self) -> Sequence[pb.Burst]:
        """The next bursts of the outbox, as many as fit one message."""
        together = next(fitting(list(islice(self.outbox.values(), MOST_TOGETHER))))
        for burst in together:
            del self.outbox[burst.burst_id]
        return together

    async def _read(self) -> None:
        async for message in self.call:
            for reception in message.receptions:
                answer = self.waiting.get(reception.burst_id)
                if answer is not None and not answer.done():
                    answer.set_result(reception)
                else:
                    log.debug("answer came too late", burst=burst_name(reception.burst_id))


class BurstLink:
    """Sends bursts to the next hop and returns its answers, matched by burst id.

    A broken stream fails the bursts on it with Unavailable, at once; the next burst opens a new stream, so the link
    works again as soon as the far end does.

    address: HOST:PORT. open_stream: the stub's streaming method. Flow control reaches the caller through its wait for
    the answer; how many bursts wait at once is the caller's to limit.
    streams: bursts take turns on so many, and the streams on all addresses that HOST stands for; those of one session
    take the same one, so that they reach the receiver that holds the earlier ones
    security: certificates and token of this end; None takes those of the environment. Certificates that are replaced
    hold for streams that are opened from then on.
    """

    def __init__(
        self,
        address: str,
        open_stream: OpenStream,
        max_message_bytes: int,
        streams: int = 1,
        security: Security | None = None,
    ) -> None:
        self._dialer = Dialer(address, security)
        self.address = self._dialer.address
        self._max_message_bytes = max_message_bytes
        self._channel = self._dial()
        self._earlier: list[grpc.aio.Channel] = []  # of earlier certificates, with streams that go on
        self._open_stream = open_stream
        self._streams: list[_Stream | None] = [None] * streams
        self._turn = 0
        self._closing: set[asyncio.Task[None]] = set()

    async def exchange(self, burst: Burst, unread: tuple[str, ...] = ()) -> Reception:
        """The answer to `burst`, within `burst.timeout_seconds` (0: no limit).

        unread: fields of the answer that stay messages, as for `from_message`.
        Raises Unavailable when the far end is lost, Expired when time is up, InvalidInput when a burst of the same id
        waits already, and what the far end answers as the burst's failure.
        """
        return from_message(await self.exchange_message(burst_to_wire(burst), burst.session or None), Reception, unread)

    async def configure(self, configuration: LinkConfiguration, timeout_seconds: float = 0.0) -> None:
        """Let all that bursts may reach hold a configuration; returns when each has acknowledged it.

        timeout_seconds: 0 for no limit. Raises as `exchange`.
        """
        message = to_message(configuration, pb.Configure)
        sent = [
            pb.Burst(burst_id=secrets.randbits(64), timeout_seconds=timeout_seconds, configure=message)
            for _ in self._streams
        ]
        answers = await asyncio.gather(*(self.exchange_message(each, place) for place, each in enumerate(sent)))
        if any(answer.configured != configuration.version for answer in answers):
            raise Unavailable(f"{self.address} did not acknowledge configuration {configuration.version}: try again")

    async def exchange_message(self, burst: pb.Burst, route: int | None = None) -> pb.Reception:
        """The same on messages, for who passes them on. route: bursts of one route take the same stream."""
        stream = self._current_stream(route)
        if any(other is not None and burst.burst_id in other.waiting for other in self._streams):
            raise InvalidInput(f"burst id {burst.burst_id} is in flight already: choose ids that differ")
        try:
            with call_span("configure" if burst.HasField("configure") else "burst") as traceparent:
                if traceparent and not burst.HasField("configure"):
                    note(burst_id=burst_name(burst.burst_id))
                    burst.traceparent = traceparent  # the far end's span is a child of this one
                answer = await stream.exchange(burst, burst.timeout_seconds)
        except TimeoutError:
            raise Expired(f"no answer from {self.address} within the {burst.timeout_seconds:.3f} s left") from None
        except StreamReset:
            raise
        except Unavailable as error:
            raise Unavailable(f"{self.address} cannot be reached: {error}") from error
        if answer.HasField("failure"):
            raise error_from_failure(answer.failure)
        return answer

    def _dial(self) -> grpc.aio.Channel:
        """Connect at once: streams opened before all addresses are connected would crowd on the first."""
        channel: grpc.aio.Channel = self._dialer.aio_channel(self._max_message_bytes, use_proxy=False)
        channel.get_state(try_to_connect=True)
        return channel

    def _current_stream(self, route: int | None = None) -> _Stream:
        self._turn = (self._turn + 1) % len(self._streams)
        place = self._turn if route is None else route % len(self._streams)
        stream = self._streams[place]
        if stream is None or stream.ended.done() or stream.call.done():
            if self._dialer.files_changed():
                self._renew()
            stream = self._streams[place] = _Stream(self._open_stream(self._channel))
        return stream

    def _renew(self) -> None:
        """Dial with new certificates; connections of earlier ones are closed unless a stream goes on there."""
        alive = any(stream is not None and not stream.ended.done() for stream in self._streams)
        earlier, self._channel = [*self._earlier, self._channel], self._dial()
        self._earlier = earlier if alive else []
        for channel in () if alive else earlier:
            self._close_later(_end([], channel))

    def reset(self) -> None:
        """Break the connection, as a fault would: what waits on it fails with StreamReset, the next makes a new one."""
        streams, channel = self._streams, self._channel
        self._streams = [None] * len(streams)
        self._channel = self._dial()
        self._close_later(_end(streams, channel, reset=True))

    def _close_later(self, ending: Coroutine[Any, Any, None]) -> None:
        closing = asyncio.create_task(ending)
        self._closing.add(closing)  # the loop alone would not keep it
        closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Task[None]) -> None:
        """Let a connection go: grpc.aio holds it open by cycles of a stream's objects, until the collector comes."""
        self._closing.discard(closing)
        gc.collect()

    async def close(self) -> None:
        """Cancel the stream and close the connection."""
        await asyncio.gather(*self._closing)
        await _end(self._streams, self._channel)
        for channel in self._earlier:
            await channel.close()


def _expire(answer: asyncio.Future[pb.Reception]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


async def _end(streams: list[_Stream | None], channel: grpc.aio.Channel, *, reset: bool = False) -> None:
    open_streams = [stream for stream in streams if stream is not None]
    for stream in open_streams:
        stream.end(reset)
    await asyncio.gather(*(stream.ended for stream in open_streams), return_exceptions=True)
    await channel.close()


def link_to_channel(
    address: str, max_message_bytes: int = MAX_MESSAGE_BYTES, security: Security | None = None
) -> BurstLink:
    """The near end of the hop to a channel."""
    return BurstLink(address, lambda channel: ChannelStub(channel).Relay(), max_message_bytes, security=security)


def link_to_receiver(
    address: str, max_message_bytes: int = MAX_MESSAGE_BYTES, streams: int = 1, security: Security | None = None
) -> BurstLink:
    """The near end of the hop to a receiver, or to all that an address such as dns:///receiver:50053 stands for."""
    return BurstLink(address, lambda channel: ReceiverStub(channel).Receive(), max_message_bytes, streams, security)
