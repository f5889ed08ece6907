"""SemLink's errors to gRPC statuses and `Failure` messages, and back: one table for both directions."""

from secrets import token_hex
from typing import Final

import grpc
import structlog

from protos.semlink.v1 import common_pb2 as pb
from shared import errors
from shared.wire.converter import register
from shared.wire.discretion import caller_is_local, told

log = structlog.get_logger()

# Most specific first; the first row that fits an error gives its status, the first row of a status its error.
STATUS: Final[tuple[tuple[type[errors.SemLinkError], grpc.StatusCode], ...]] = (
    (errors.InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.Mismatch, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Expired, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.DataLoss, grpc.StatusCode.DATA_LOSS),
    (errors.SemLinkError, grpc.StatusCode.INTERNAL),
)
BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def status_of(error: BaseException) -> grpc.StatusCode:
    """The gRPC status of an error; INTERNAL for one that is not SemLink's."""
    return next((code for kind, code in STATUS if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def error_from_status(code: grpc.StatusCode, message: str) -> errors.SemLinkError:
    """The error of a gRPC status, for the side that called."""
    kind = next((kind for kind, row in STATUS if row is code), errors.SemLinkError)
    return kind(message or f"the service answered {code.name}")


def failure_from(error: BaseException) -> pb.Failure:
    """An error as the answer to one burst or picture of a stream. Logs the ones that are not SemLink's."""
    if not isinstance(error, errors.SemLinkError):
        log_id = token_hex(4)
        log.error("unexpected error", log_id=log_id, exc_info=error)
        what = f": {error!r}" if caller_is_local.get() else ""
        message = f"internal error {log_id}{what}; the service's log has it by this id"
        return pb.Failure(code=grpc.StatusCode.INTERNAL.value[0], message=message)
    return pb.Failure(
        code=status_of(error).value[0],
        message=told(str(error)),
        lost=isinstance(error, errors.Lost),
        unconfigured=isinstance(error, errors.Unconfigured),
    )


def error_from_failure(failure: pb.Failure) -> errors.SemLinkError:
    """The SemLink error of a `Failure` message."""
    if failure.lost:
        return errors.Lost(failure.message)
    if failure.unconfigured:
        return errors.Unconfigured(failure.message)
    return error_from_status(BY_NUMBER.get(failure.code, grpc.StatusCode.UNKNOWN), failure.message)


register(errors.SemLinkError, failure_from, error_from_failure)
