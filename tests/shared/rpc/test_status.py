"""What a failed call raises."""

import grpc

from shared import errors
from shared.rpc import status

Code = grpc.StatusCode


def test_a_connection_lost_while_a_call_begins_is_unavailable() -> None:
    """grpc.aio says INTERNAL, "Internal error from Core"."""
    lost = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core")
    assert type(status.error_from_rpc(lost)) is errors.Unavailable
    other = grpc.aio.AioRpcError(Code.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "a bug")
    assert type(status.error_from_rpc(other)) is errors.SemLinkError
