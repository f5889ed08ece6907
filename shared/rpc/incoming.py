"""Requests as bytes that come in: parsed, or refused; one after the other on a stream that may not idle."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any, Final

import structlog
from google.protobuf.message import DecodeError

from shared.errors import InvalidInput, SemLinkError, Unavailable
from shared.security.guard import Caller
from shared.wire.limits import check_bytes, check_limits

log = structlog.get_logger()

_LINE_SECONDS: Final = 1.0


class Refused:
    """What stands in the place of a request that could not be read."""

    def __init__(self, reason: SemLinkError) -> None:
        self.reason = reason


class Requests:
    """The requests of a stream, up to the first that cannot be read; that is `last`.

    idle_seconds: after so long without a request it is closed; None for never. One timer watches a whole stream: a
    timeout around each wait would cost a burst more than reading it.
    """

    def __init__(self, requests: AsyncIterator[Any], by: Caller, idle_seconds: float | None) -> None:
        self._requests = requests
        self._by, self._idle_seconds = by, math.inf if idle_seconds is None else idle_seconds
        self.last: Any = None
        self.count = 0
        self._waits: asyncio.Task[Any] | None = None  # for a request
        self._since, self._idle = monotonic(), False
        self._timer = None if idle_seconds is None else self._later(idle_seconds)

    def close(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Cancel a wait that has lasted too long; else look again when it might have."""
        left = self._since + self._idle_seconds - monotonic()
        if self._waits is not None and left <= 0:
            self._idle = self._waits.cancel()
        else:
            self._timer = self._later(self._idle_seconds if self._waits is None else left)

    def __aiter__(self) -> "Requests":
        return self

    async def __anext__(self) -> Any:
        task = self._waits = asyncio.current_task()
        self._since = monotonic()
        try:
            self.last = await anext(self._requests)
        except asyncio.CancelledError:
            if task is None or not self._idle or task.uncancel():  # by another, who ends the stream
                raise
            raise Unavailable(
                f"no request for {self._idle_seconds:g} s, so the stream was closed: open another"
            ) from None
        finally:
            self._waits = None
        self.count += 1
        self._by.require_valid()
        for allowance in self._by.allowances:
            await allowance.wait()
        if isinstance(self.last, Refused):
            raise StopAsyncIteration
        return self.last


class Refusals:
    """Logs requests that cannot be read: one line a second at most, with the number of those since the line before."""

    def __init__(self) -> None:
        self._next, self._more = 0.0, 0

    def tell(self, reason: SemLinkError, peer: str) -> None:
        """One more."""
        self._more += 1
        if monotonic() >= self._next:
            log.warning("request refused", reason=str(reason), peer=peer, requests=self._more)
            self._next, self._more = monotonic() + _LINE_SECONDS, 0


def reader(parse: Callable[[bytes], Any], *, streamed: bool) -> Callable[[bytes], Any]:
    """A parser that gives a `Refused` where `parse` raises, or the request holds too much.

    streamed: one request of many is counted by who can answer it alone.
    """
    kind = getattr(getattr(parse, "__self__", None), "__name__", "message")

    def read(data: bytes) -> Any:
        try:
            check_bytes(data, kind)
            message = parse(data)
            if not streamed:
                check_limits(message)
        except DecodeError:
            return Refused(InvalidInput(f"{len(data)} bytes that are no {kind}: send protobuf by the published .proto"))
        except SemLinkError as error:
            return Refused(error)
        return message

    return read
