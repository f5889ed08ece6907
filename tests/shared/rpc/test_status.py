"""What a failed call raises, and what is left of it."""

import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from protos.semlink.v1.link_pb2_grpc import ReceiverServicer, ReceiverStub, add_ReceiverServicer_to_server
from shared import errors
from shared.rpc import status

Code = grpc.StatusCode


def test_a_connection_lost_while_a_call_begins_is_unavailable() -> None:
    """grpc.aio says INTERNAL, "Internal error from Core"."""
    lost = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core")
    assert type(status.error_from_rpc(lost)) is errors.Unavailable
    other = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "a bug")
    assert type(status.error_from_rpc(other)) is errors.SemLinkError


@pytest.mark.parametrize("code", [Code.CANCELLED, Code.OK])
def test_a_call_that_the_far_end_gives_up_is_unavailable(code: Code) -> None:
    """A server that stops cancels what is at work, or ends it well without an answer."""
    empty = grpc.aio.Metadata()
    error = status.error_from_rpc(grpc.aio.AioRpcError(code, empty, empty, ""))
    assert type(error) is errors.Unavailable
    assert f"the far end gave the call up, since it stops: try again ({code.name})" in str(error)


class Refusing(ReceiverServicer):
    """Ends each stream before it reads from it."""

    async def Receive(self, request_iterator, context):  # noqa: N802
        await status.abort_with(context, errors.InvalidInput("no burst today"))


@asynccontextmanager
async def refused() -> AsyncIterator[grpc.aio.Call]:
    """A stream to a receiver that ends it."""
    server = grpc.aio.server()
    add_ReceiverServicer_to_server(Refusing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield ReceiverStub(channel).Receive()
    await server.stop(None)


@pytest.mark.parametrize("write_fails", ["before the status is read", "after the status is read"])
async def test_a_write_that_fails_does_not_hide_what_the_far_end_says(write_fails: str) -> None:
    async with refused() as call:
        told = status.FinalStatus(call)
        if write_fails.startswith("after"):
            assert await call.code() is Code.INVALID_ARGUMENT
        call._cython_call.set_internal_error("what grpc.aio does when a write fails")
        with pytest.raises(grpc.RpcError) as raised:
            await call.read()
        assert "Internal error" in raised.value.details()
        error = status.error_from_rpc(await told.error(raised.value))
        assert type(error) is errors.InvalidInput
        assert str(error) == "no burst today"


async def test_an_error_that_was_answered_holds_no_request() -> None:
    """Its frames would, until the collector of cycles comes, which counts objects and not bytes."""

    class Request:
        """Stands for many megabytes."""

    class Context:
        async def abort(self, *_: object) -> None:
            raise grpc.aio.AbortError

    held: list[weakref.ref[Request]] = []

    def refuse() -> None:
        request = Request()
        held.append(weakref.ref(request))
        raise errors.InvalidInput("no")

    with pytest.raises(errors.InvalidInput) as raised:
        refuse()
    assert held[0]() is not None
    with pytest.raises(grpc.aio.AbortError):
        await status.abort_with(Context(), raised.value)
    assert held[0]() is None
