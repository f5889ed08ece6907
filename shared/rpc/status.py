"""The one table between SemLink's errors and gRPC statuses, read in both directions."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, NoReturn, ParamSpec, TypeVar, cast

import grpc
import structlog

from protos.semlink.v1 import common_pb2 as pb
from shared import errors

log = structlog.get_logger()

# Most specific first; the first row that fits an error gives its status, the first row of a status its error.
STATUS: tuple[tuple[type[errors.SemLinkError], grpc.StatusCode], ...] = (
    (errors.InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.Mismatch, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Expired, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.DataLoss, grpc.StatusCode.DATA_LOSS),
    (errors.SemLinkError, grpc.StatusCode.INTERNAL),
)
_LOST: Final = (
    "Internal error from Core"  # what grpc.aio makes, with INTERNAL, of a connection lost at the wrong moment
)
_LOST_BURST: Final = "semlink-lost"
"""Key in the trailing metadata of a call that ends with `errors.Lost`."""
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def status_of(error: BaseException) -> grpc.StatusCode:
    """The gRPC status of an error; INTERNAL for one that is not SemLink's."""
    return next((code for kind, code in STATUS if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def error_from_status(code: grpc.StatusCode, message: str) -> errors.SemLinkError:
    """The error of a gRPC status, for the side that called."""
    kind = next((kind for kind, row in STATUS if row is code), errors.SemLinkError)
    return kind(message or f"the service answered {code.name}")


def error_from_rpc(error: grpc.RpcError) -> errors.SemLinkError:
    """The SemLink error of what a gRPC call raised."""
    call = cast(grpc.Call, error)  # every RpcError that a call raises is one
    if call.details() == _LOST:
        return errors.Unavailable("the connection was lost while the call began")
    if any(name == _LOST_BURST for name, _ in call.trailing_metadata() or ()):
        return errors.Lost(call.details() or "")
    return error_from_status(call.code(), call.details() or "")


def failure_from(error: BaseException) -> pb.Failure:
    """An error as the answer to one burst or picture of a stream. Logs the ones that are not SemLink's."""
    if not isinstance(error, errors.SemLinkError):
        log.error("unexpected error", exc_info=error)
        return pb.Failure(code=grpc.StatusCode.INTERNAL.value[0], message=f"internal error: {error!r}")
    return pb.Failure(code=status_of(error).value[0], message=str(error), lost=isinstance(error, errors.Lost))


def error_from_failure(failure: pb.Failure) -> errors.SemLinkError:
    """The SemLink error of a `Failure` message."""
    if failure.lost:
        return errors.Lost(failure.message)
    return error_from_status(_BY_NUMBER.get(failure.code, grpc.StatusCode.UNKNOWN), failure.message)


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
    await context.abort(_BY_NUMBER[failure.code], failure.message, trailing)
