"""The asynchronous client, the twin of `client.client`."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import grpc.aio
import numpy.typing as npt

from client.connection import TRANSMITTER, rpc_errors
from client.options import (
    AskOptions,
    SendOptions,
    build_pair,
    build_question,
    build_request,
    checked_timeout,
    with_timeout,
)
from client.pictures import Picture, one_of
from client.stream import (
    IN_FLIGHT,
    Answer,
    Build,
    Journal,
    Order,
    checked_in_flight,
    noted,
    read_delivery,
    sending,
)
from protos.semlink.v1 import transmitter_pb2 as api
from protos.semlink.v1.transmitter_pb2_grpc import TransmitterStub
from shared.frame.delivery import Delivery, TransmitterInfo
from shared.rpc.dial import Dialer, Security
from shared.rpc.status import FinalStatus
from shared.wire import from_message

if TYPE_CHECKING:
    from protos.semlink.v1.transmitter_pb2_grpc import TransmitterAsyncStub

Built = TypeVar("Built")
_END: Any = object()


class AsyncSemLink:
    """A connection to a transmitter, for one event loop.

        async with AsyncSemLink() as link:
            print((await link.send("cat.jpg", snr_db=5)).label)

    address: HOST:PORT of the transmitter. timeout: seconds that a call may take where it says nothing else.
    security: certificates and token; None takes those of the environment.
    """

    def __init__(self, address: str = TRANSMITTER, timeout: float = 30.0, security: Security | None = None) -> None:
        dialer = Dialer(address, security)
        self.address = dialer.address
        self.timeout = timeout
        checked_timeout(timeout)
        self._channel: grpc.aio.Channel = dialer.aio_channel()
        self._stub: TransmitterAsyncStub = TransmitterStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def describe(self) -> TransmitterInfo:
        """What the transmitter is: its CLIP, codecs, default codec and limits."""
        with rpc_errors(self.address):
            message = await self._stub.Describe(api.DescribeTransmitterRequest(), timeout=checked_timeout(self.timeout))
        return from_message(message, TransmitterInfo)

    async def send(
        self,
        picture: "Picture | None" = None,
        *,
        embedding: npt.ArrayLike | None = None,
        clip_fingerprint: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Delivery:
        """Send one picture, or one ready embedding, and wait for its answer; see `SemLink.send`."""
        given = one_of(picture, embedding, clip_fingerprint)
        request = await _off_loop(given, build_request, given, with_timeout(options, self.timeout))
        return await self._sent(request)

    async def _sent(self, request: api.SendImageRequest) -> Delivery:
        start = perf_counter()
        with rpc_errors(self.address), sending() as metadata:
            call = self._stub.SendEmbedding if request.HasField("embedding") else self._stub.SendImage
            message = await call(request, timeout=request.timeout_seconds or None, metadata=metadata)
            return noted(read_delivery(message, perf_counter() - start))

    async def ask(self, picture: Picture, question: str, **options: Unpack[AskOptions]) -> Delivery:
        """Send of a picture what a question is about, and get the receiver's answer; see `SemLink.ask`."""
        given = with_timeout(options, self.timeout)
        request = await _off_loop(picture, build_question, picture, question, given)
        return await self._sent(request)

    def send_many(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        in_flight: int = IN_FLIGHT,
        ordered: bool = False,
        **options: Unpack[SendOptions],
    ) -> AsyncIterator[Answer]:
        """Send many pictures over one stream; yields `(position, Delivery or SemLinkError)`; see `SemLink.send_many`.

        pictures: a plain iterable is stepped on the event loop; give an asynchronous one if its steps block.
        """
        given = with_timeout(options, self.timeout)
        stream = _Stream(pictures, partial(build_request, options=given), self.address, in_flight)
        return stream.answers(self._stub.SendImages, Order(ordered))

    def ask_many(
        self,
        pairs: Iterable[tuple[Picture, str]] | AsyncIterable[tuple[Picture, str]],
        *,
        in_flight: int = IN_FLIGHT,
        ordered: bool = False,
        **options: Unpack[AskOptions],
    ) -> AsyncIterator[Answer]:
        """Ask many questions over one stream; see `SemLink.ask_many`, and `send_many` about `pairs`."""
        given = with_timeout(options, self.timeout)
        stream = _Stream(pairs, partial(build_pair, options=given), self.address, in_flight)
        return stream.answers(self._stub.SendImages, Order(ordered))


class _Stream:
    """One SendImages call; the places work as in `client.client`."""

    def __init__(
        self, pictures: Iterable[Any] | AsyncIterable[Any], build: Build, address: str, in_flight: int
    ) -> None:
        self._pictures = pictures
        self._places = asyncio.Semaphore(checked_in_flight(in_flight))
        self._inbox: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._journal = Journal(build, address, self._inbox.put_nowait)

    async def answers(self, send_images: Any, order: Order) -> AsyncIterator[Answer]:
        call = send_images(self._requests())
        reader = asyncio.create_task(self._read(call, FinalStatus(call)))
        try:
            while (answer := await self._inbox.get()) is not None:
                for ready in order.put(answer):
                    yield ready
                    self._places.release()
            if self._journal.raised is not None:
                raise self._journal.raised
        finally:
            call.cancel()
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _requests(self) -> AsyncIterator[api.SendImageRequest]:
        """Requests for gRPC; a picture that cannot become one is answered here."""
        with self._journal.taking():
            async for position, picture in self._take():
                request = await _off_loop(picture, self._journal.request, position, picture)
                if isinstance(request, Answer):
                    self._inbox.put_nowait(request)
                else:
                    yield request

    async def _take(self) -> AsyncIterator[tuple[int, Any]]:
        pictures = _as_async(self._pictures)
        for position in count():
            await self._places.acquire()
            if (picture := await anext(pictures, _END)) is _END:
                return
            yield position, picture

    async def _read(self, call: AsyncIterable[api.SendImagesResponse], status: FinalStatus) -> None:
        with self._journal.reading():
            try:
                async for response in call:
                    self._journal.settle(response)
            except grpc.RpcError as error:
                raise await status.error(error) from error


async def _off_loop(picture: Any, build: Callable[..., Built], *args: Any) -> Built:
    """Build a request in a thread where that reads a file or encodes a picture; bytes are ready as they are."""
    return build(*args) if isinstance(picture, bytes) else await asyncio.to_thread(build, *args)


async def _as_async(pictures: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            yield picture
    else:
        for picture in pictures:
            yield picture
