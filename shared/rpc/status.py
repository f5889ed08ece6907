"""How a call ends with one of SemLink's errors, and what a failed call raises."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, NoReturn, ParamSpec, TypeVar, cast

import grpc

from shared import errors
from shared.wire.failure import BY_NUMBER, error_from_status, failure_from

_LOST: Final = (
    "Internal error from Core"  # what grpc.aio makes, with INTERNAL, of a connection lost at the wrong moment
)
_LOST_BURST: Final = "semlink-lost"
"""Key in the trailing metadata of a call that ends with `errors.Lost`."""
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def error_from_rpc(error: grpc.RpcError) -> errors.SemLinkError:
    """The SemLink error of what a gRPC call raised."""
    call = cast(grpc.Call, error)  # every RpcError that a call raises is one
    if call.details() == _LOST:
        return errors.Unavailable("the connection was lost while the call began")
    if any(name == _LOST_BURST for name, _ in call.trailing_metadata() or ()):
        return errors.Lost(call.details() or "")
    return error_from_status(call.code(), call.details() or "")


def answers_errors(
    method: Callable[Arguments, Awaitable[Answer]],
) -> Callable[Arguments, Awaitable[Answer]]:
    """Decorate a unary servicer method `(self, request, context)`: its errors become gRPC statuses."""

    @wraps(method)
    async def answer(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return await method(*args, **kwargs)
        except Exception as error:
            await abort_with(cast(grpc.aio.ServicerContext[Any, Any], args[2]), error)

    return answer


async def abort_with(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
    """End a call with the status and message of `error`."""
    failure = failure_from(error)
    trailing = ((_LOST_BURST, "1"),) if failure.lost else ()
    await context.abort(BY_NUMBER[failure.code], failure.message, trailing)
