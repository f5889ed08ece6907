"""How a call or the answer to a burst ends with one of SemLink's errors, and what a failed call raises."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from traceback import clear_frames
from typing import Any, Final, NoReturn, cast

import grpc
import structlog

from protos.semlink.v1 import link_pb2 as pb
from shared import errors
from shared.frame.burst import Burst, LinkConfiguration, burst_name
from shared.observe.metrics import tracking
from shared.observe.tracing import note
from shared.wire.failure import BY_NUMBER, error_from_status, failure_from, status_of
from shared.wire.limits import check_limits
from shared.wire.link import burst_from_wire, configuration_from_wire

log = structlog.get_logger()

_LOST: Final = (
    "Internal error from Core"  # what grpc.aio makes, with INTERNAL, of a connection lost at the wrong moment
)
_GIVEN_UP: Final = (grpc.StatusCode.CANCELLED, grpc.StatusCode.OK)
"""Not cancelled by this end, which raises CancelledError; or ended well, and yet without the answer."""
_STATUS_SECONDS: Final = 0.5
"""Longest wait for the far end's status, where this end noticed first that the call is over."""
_LOST_BURST: Final = "semlink-lost"
"""Key in the trailing metadata of a call that ends with `errors.Lost`."""


def error_from_rpc(error: grpc.RpcError) -> errors.SemLinkError:
    """The SemLink error of what a gRPC call raised."""
    call = cast(grpc.Call, error)  # every RpcError that a call raises is one
    if call.details() == _LOST:
        return errors.Unavailable("the connection was lost while the call began")
    if any(name == _LOST_BURST for name, _ in call.trailing_metadata() or ()):
        return errors.Lost(call.details() or "")
    if call.code() in _GIVEN_UP:
        return errors.Unavailable(f"the far end gave the call up, since it stops: try again ({call.code().name})")
    return error_from_status(call.code(), call.details() or "")


class FinalStatus:
    """What the far end ended a stream with; made before anything is written to it.

    A write that fails makes grpc.aio set INTERNAL, before it has read the far end's status, which says why, or after.
    """

    def __init__(self, call: grpc.aio.Call) -> None:
        self._error: grpc.RpcError | None = None
        self._known = asyncio.Event()
        call.add_done_callback(self._note)

    async def error(self, raised: grpc.RpcError) -> grpc.RpcError:
        """The error to tell, given the one that reading raised: that one, where no status comes in half a second."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), _STATUS_SECONDS)
        return self._error or raised

    def _note(self, call: grpc.aio.Call) -> None:
        if self._error is None and _at_once(call.details()) != _LOST:
            parts = call.code(), call.initial_metadata(), call.trailing_metadata(), call.details()
            self._error = grpc.aio.AioRpcError(*(_at_once(part) for part in parts))
            self._known.set()


def _at_once(known: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        known.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError(f"{known} waits")


async def abort_with(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
    """End a call with the status and message of `error`."""
    failure = failure_from(error)
    clear_frames(error.__traceback__)  # which hold the request: many megabytes, until the collector comes
    trailing = ((_LOST_BURST, "1"),) if failure.lost else ()
    await context.abort(BY_NUMBER[failure.code], failure.message, trailing)


async def answer_burst(message: pb.Burst, handle: Callable[[Burst], Awaitable[pb.Reception]]) -> pb.Reception:
    """The answer of `handle` to one burst; what it raises becomes the reception's failure."""
    with tracking("Burst", message.traceparent) as tracked:
        note(burst_id=burst_name(message.burst_id))
        try:
            check_limits(message)
            return await handle(burst_from_wire(message))
        except Exception as error:  # the stream must go on for the other bursts
            tracked.status = status_of(error).name
            if isinstance(error, errors.SemLinkError):
                log.info("burst refused", burst=burst_name(message.burst_id), reason=str(error))
            return refusal(message.burst_id, error)


async def answer_control(
    message: pb.Burst, hold: Callable[[LinkConfiguration, float], Awaitable[None]]
) -> pb.Reception:
    """The answer to a control message: that its configuration is held now, or why not.

    hold: takes the configuration, and the seconds that are left, 0 for no limit.
    """
    try:
        check_limits(message)
        configuration = configuration_from_wire(message.configure)
        await hold(configuration, message.timeout_seconds)
    except Exception as error:  # the stream must go on for bursts
        log.info("configuration refused", reason=str(error))
        return refusal(message.burst_id, error)
    return pb.Reception(burst_id=message.burst_id, configured=configuration.version)


def refusal(burst_id: int, error: Exception) -> pb.Reception:
    """The answer to a burst that could not be served."""
    return pb.Reception(burst_id=burst_id, failure=failure_from(error))
