"""What a failed call raises, and what is left of it."""

import weakref

import grpc
import pytest

from shared import errors
from shared.rpc import status

Code = grpc.StatusCode


def test_a_connection_lost_while_a_call_begins_is_unavailable() -> None:
    """grpc.aio says INTERNAL, "Internal error from Core"."""
    lost = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core")
    assert type(status.error_from_rpc(lost)) is errors.Unavailable
    other = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "a bug")
    assert type(status.error_from_rpc(other)) is errors.SemLinkError


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

    with pytest.raises(errors.InvalidInput) as refused:
        refuse()
    assert held[0]() is not None
    with pytest.raises(grpc.aio.AbortError):
        await status.abort_with(Context(), refused.value)
    assert held[0]() is None
