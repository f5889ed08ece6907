"""Many requests on one stream: order of completion, the sender held, drain, cancellation; over real sockets."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from shared.errors import InvalidInput
from shared.rpc.streams import StreamAnswerer
from tests.tools.rpc import PATIENCE, standstill, until

_LARGE_BYTES, _LARGE = bytes(100_000), 1000
"""100 MB in all: flow-control windows and socket buffers were seen to hold 20 MB of one stream, how much varies."""


class Place:
    """A server with one stream method that answers `wait:KEY` once KEY is let go, all else at once, with itself."""

    def __init__(self, limit: int) -> None:
        self.streams = StreamAnswerer(limit)
        self.started: list[bytes] = []
        self.at_work = 0
        self.gates: dict[bytes, asyncio.Event] = {}

    async def answer(self, request: bytes) -> bytes:
        self.started.append(request)
        self.at_work += 1
        try:
            if request.startswith(b"wait"):
                await self.gates.setdefault(request, asyncio.Event()).wait()
            if request == b"raise":
                raise InvalidInput("a request that nobody answers")
            return request
        finally:
            self.at_work -= 1

    async def serve(self, request_iterator: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for answer in self.streams.map_unordered(request_iterator, self.answer):
            yield answer


@pytest.fixture
async def place():
    place = Place(limit=8)
    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(place.serve)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Place", {"Call": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        place.server, place.call = server, channel.stream_stream("/test.Place/Call")
        yield place
    await server.stop(0)


async def test_answers_come_as_they_are_done(place: Place) -> None:
    call = place.call()
    for request in (b"wait:1", b"a", b"b"):
        await call.write(request)
    assert {await call.read(), await call.read()} == {b"a", b"b"}
    place.gates[b"wait:1"].set()
    assert await call.read() == b"wait:1"
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_every_request_is_answered_once(place: Place) -> None:
    sent = [b"%d" % number for number in range(2000)]
    answers = [answer async for answer in place.call(iter(sent))]
    assert sorted(answers) == sorted(sent)


async def test_no_more_than_the_limit_is_at_work_and_the_sender_is_held(place: Place) -> None:
    written: list[int] = []
    call = place.call(_large(b"wait", written))
    await until(lambda: place.at_work == 8)
    assert await standstill(lambda: len(written)) < _LARGE, "flow control did not hold the sender"
    assert place.at_work == 8
    place.gates[b"wait" + _LARGE_BYTES].set()
    assert len([answer async for answer in call]) == len(written) == _LARGE


async def test_a_reader_who_does_not_read_holds_the_sender_too(place: Place) -> None:
    written: list[int] = []
    call = place.call(_large(b"", written))
    await until(lambda: len(place.started) >= 8)
    assert await standstill(lambda: len(place.started)) < _LARGE
    assert len([answer async for answer in call]) == len(written) == _LARGE


async def _large(prefix: bytes, written: list[int]) -> AsyncIterator[bytes]:
    for number in range(_LARGE):
        written.append(number)
        yield prefix + _LARGE_BYTES


async def test_draining_answers_what_is_at_work_and_ends_the_stream(place: Place) -> None:
    call = place.call()
    for request in (b"wait:1", b"wait:2"):
        await call.write(request)
    await until(lambda: place.at_work == 2)
    place.streams.drain()
    await asyncio.sleep(0.05)
    for gate in place.gates.values():
        gate.set()
    assert {await call.read(), await call.read()} == {b"wait:1", b"wait:2"}
    assert await call.read() == grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_draining_ends_an_idle_stream(place: Place) -> None:
    call = place.call()
    await call.write(b"a")
    assert await call.read() == b"a"
    place.streams.drain()
    assert await asyncio.wait_for(call.read(), PATIENCE) == grpc.aio.EOF


async def test_draining_a_full_stream_loses_no_answer(place: Place) -> None:
    call = place.call()
    for number in range(20):
        await call.write(b"wait:%d" % number)
    await until(lambda: place.at_work == 8)
    place.streams.drain()
    for gate in place.gates.values():
        gate.set()
    answers = [answer async for answer in call]
    assert sorted(answers) == sorted(place.started[: len(answers)])
    assert len(answers) == len(place.started) == 8


async def test_a_client_that_goes_away_cancels_its_work(place: Place) -> None:
    call = place.call()
    for number in range(5):
        await call.write(b"wait:%d" % number)
    await until(lambda: place.at_work == 5)
    call.cancel()
    await until(lambda: place.at_work == 0)
    assert not place.streams._readers


async def test_an_exception_ends_the_stream_and_leaves_nothing_behind(place: Place) -> None:
    call = place.call()
    await call.write(b"wait:1")
    await call.write(b"raise")
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    await until(lambda: place.at_work == 0)
    assert not place.streams._readers


async def test_hundreds_of_streams_leave_no_task_behind(place: Place) -> None:
    before = len(asyncio.all_tasks())
    for number in range(300):
        call = place.call()
        await call.write(b"wait:x" if number % 2 else b"a")
        if number % 2:
            await until(lambda: place.at_work > 0)
        else:
            await call.read()
        call.cancel()
    await until(lambda: place.at_work == 0)
    gc.collect()
    await until(lambda: len(asyncio.all_tasks()) <= before + 3)
    assert not place.streams._readers
