"""What every request passes before its servicer sees it, and every answer on its way back.

bytes --parse, limits--> request --servicer--> answer --size--> bytes
              '--> INVALID_ARGUMENT, and a line of log; of a stream after the answers that are under way
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from time import monotonic
from typing import Any, Final, TypeAlias, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from shared.errors import Exhausted, InvalidInput, SemLinkError
from shared.observe.metrics import tracking
from shared.observe.tracing import traceparent_of
from shared.rpc.status import abort_with
from shared.wire.discretion import caller_is_local, is_local
from shared.wire.failure import status_of
from shared.wire.limits import check_bytes, check_limits

log = structlog.get_logger()

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # generic to the type checker only
Place: TypeAlias = Callable[[], AbstractContextManager[None]]
_LINE_SECONDS: Final = 1.0


class Refused:
    """What stands in the place of a request that could not be read."""

    def __init__(self, reason: SemLinkError) -> None:
        self.reason = reason


class ReadsRequests(grpc.aio.ServerInterceptor):
    """Parses and counts requests: what cannot be read is the caller's error. Holds answers to the message's limit.

    What a servicer raises ends the call with a status of SemLink's table. max_calls: at work at once, of all clients;
    health checks and reflection are not counted.
    """

    def __init__(self, max_message_bytes: int, max_calls: int) -> None:
        self._most = max_message_bytes
        self._max_calls = max_calls
        self._calls = 0
        self._refusals = _Refusals()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler of a method, with this around it."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return cast("Handler", handler)
        kind = [("unary", "stream")[streams] for streams in (handler.request_streaming, handler.response_streaming)]
        method = getattr(handler, "_".join(kind))
        path = handler_call_details.method
        place = self._place if path.startswith("/semlink.") else nullcontext
        streams = inspect.isasyncgenfunction(method)
        answers = self._stream(method, place) if streams else self._call(method, place, path.rpartition("/")[2])
        parse = _reader(handler.request_deserializer, streamed=handler.request_streaming)
        return cast("Handler", handler._replace(request_deserializer=parse, **{"_".join(kind): answers}))

    def _call(self, method: Callable[..., Awaitable[Any]], place: Place, name: str) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, context: Context) -> Any:
            caller_is_local.set(is_local(context.peer()))
            with tracking(name, traceparent_of(context)) as tracked:
                try:
                    with place():
                        self._require_read(request, context)
                        found = await method(request, context)
                        self._require_small(found)
                except Exception as error:
                    tracked.status = status_of(error).name
                    await _end_with(context, error)
            return found

        return answer

    def _stream(self, method: Callable[..., AsyncIterator[Any]], place: Place) -> Callable[..., AsyncIterator[Any]]:
        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            caller_is_local.set(is_local(context.peer()))
            given = _Requests(request) if hasattr(request, "__aiter__") else request
            try:
                self._require_read(given, context)
                with place():
                    async with aclosing(method(given, context)) as found:  # type: ignore[type-var]
                        async for one in found:
                            yield one
                self._require_read(getattr(given, "last", None), context)
            except Exception as error:
                await _end_with(context, error)

        return answers

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._calls >= self._max_calls:
            raise Exhausted(f"{self._calls} calls are at work, the limit: end some, or try again later (--max-calls)")
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def _require_read(self, request: Any, context: Context) -> None:
        if isinstance(request, Refused):
            self._refusals.tell(request.reason, context)
            raise request.reason

    def _require_small(self, answer: Any) -> None:
        if isinstance(answer, Message) and answer.ByteSize() > self._most:
            raise Exhausted(
                f"the answer has {answer.ByteSize()} bytes, a message at most {self._most}: ask for less at once, or "
                "start the service with a larger --max-message-bytes"
            )


class _Requests:
    """The requests of a stream, up to the first that cannot be read; that is `last`."""

    def __init__(self, requests: AsyncIterator[Any]) -> None:
        self._requests = requests
        self.last: Any = None

    def __aiter__(self) -> "_Requests":
        return self

    async def __anext__(self) -> Any:
        self.last = await anext(self._requests)
        if isinstance(self.last, Refused):
            raise StopAsyncIteration
        return self.last


class _Refusals:
    """Logs requests that cannot be read: one line a second at most, with the number of those since the line before."""

    def __init__(self) -> None:
        self._next, self._more = 0.0, 0

    def tell(self, reason: SemLinkError, context: Context) -> None:
        """One more."""
        self._more += 1
        if monotonic() >= self._next:
            log.warning("request refused", reason=str(reason), peer=context.peer(), requests=self._more)
            self._next, self._more = monotonic() + _LINE_SECONDS, 0


def _reader(parse: Callable[[bytes], Any], *, streamed: bool) -> Callable[[bytes], Any]:
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


async def _end_with(context: Context, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error  # the servicer has ended the call itself
    await abort_with(context, error)
