"""What every request passes before its servicer sees it, and every answer on its way back.

metadata --guard--> bytes --parse, limits--> request --bytes in flight--> servicer --> answer --size--> bytes
     |                         '--> INVALID_ARGUMENT, and a line of log; of a stream after the answers under way
     '--> UNAUTHENTICATED, PERMISSION_DENIED, before the request is read
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, nullcontext
from typing import Any, Final, NamedTuple, TypeAlias, cast

import grpc
import structlog
from google.protobuf.message import Message

from shared.errors import Exhausted, SemLinkError
from shared.observe.metrics import tracking
from shared.observe.tracing import traceparent_of
from shared.rpc.incoming import Refusals, Refused, Requests, reader
from shared.rpc.status import abort_with
from shared.runtime.memory import give_back_memory
from shared.security.allowance import Allowance, allowances, size_of
from shared.security.audit import record, summary
from shared.security.guard import Caller, Guard
from shared.wire.discretion import caller_is_local, is_local
from shared.wire.failure import status_of

log = structlog.get_logger()

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # generic to the type checker only
Place: TypeAlias = Callable[[], AbstractContextManager[None]]
_IDLE_SECONDS: Final = 2.0
_MUCH_BYTES: Final = 8 << 20
_TURNS: Final = 3


class ReadsRequests(grpc.aio.ServerInterceptor):
    """Parses and counts requests: what cannot be read is the caller's error. Holds answers to the message's limit.

    What a servicer raises ends the call with a status of SemLink's table. max_calls: at work at once, of all clients;
    health checks and reflection are not counted. guard: lets callers in. max_bytes: of requests at work, of all.
    idle_seconds: after so long without a request a stream of them is closed.
    """

    def __init__(
        self, max_message_bytes: int, max_calls: int, guard: Guard, max_bytes: int, idle_seconds: float
    ) -> None:
        self._most = max_message_bytes
        self._idle_seconds = idle_seconds
        self._max_calls = max_calls
        self._calls = 0
        self._guard = guard
        self._all = Allowance("this service", None, max_bytes)
        self._refusals = Refusals()

    async def give_back_memory(self) -> None:
        """For ever: give memory back to the system once much was held, and no more is.

        Several times: what calls were refused with, and what a thread keeps of its last work, is free a little later.
        """
        turns = 0
        while True:
            await asyncio.sleep(_IDLE_SECONDS)
            if self._all.peak_bytes > _MUCH_BYTES:
                self._all.peak_bytes, turns = self._all.held_bytes, _TURNS
            if turns and self._all.held_bytes < _MUCH_BYTES:
                turns -= 1
                await asyncio.to_thread(give_back_memory)

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
        try:
            caller = self._guard.admit(path, handler_call_details.invocation_metadata)
        except SemLinkError as error:
            return self._refusing(error)
        place = self._place if path.startswith("/semlink.") else nullcontext
        streams = inspect.isasyncgenfunction(method)
        answers = self._stream(method, place, caller) if streams else self._call(method, place, caller)
        parse = reader(handler.request_deserializer, streamed=handler.request_streaming)
        return cast("Handler", handler._replace(request_deserializer=parse, **{"_".join(kind): answers}))

    def _refusing(self, error: SemLinkError) -> Handler:
        """A handler that reads nothing; does for unary calls too."""

        async def refuse(_: object, context: Context) -> None:
            peer = context.peer()
            caller_is_local.set(is_local(peer))
            self._refusals.tell(error, peer)
            await _end_with(context, error)

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _call(self, method: Callable[..., Awaitable[Any]], place: Place, by: Caller) -> Callable[..., Awaitable[Any]]:
        name = by.method.rpartition("/")[2]

        async def answer(request: Any, context: Context) -> Any:
            origin = self._begin(by, context)
            status, about = "CANCELLED", self._about(by, request)
            with tracking(name, traceparent_of(context)) as tracked:
                try:
                    with place(), self._held(size_of(request), by):
                        self._require_read(request, origin)
                        found = await method(request, context)
                        self._require_small(found)
                    status = "OK"
                except Exception as error:
                    tracked.status = status = status_of(error).name
                    request = None  # the error keeps this frame, and the collector may be long in coming
                    await _end_with(context, error)
                finally:
                    self._record(by, origin, status, **about)
            return found

        return answer

    def _stream(
        self, method: Callable[..., AsyncIterator[Any]], place: Place, by: Caller
    ) -> Callable[..., AsyncIterator[Any]]:
        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            origin = self._begin(by, context)
            streamed = hasattr(request, "__aiter__")
            idle_seconds = None if by.rule.waits else self._idle_seconds
            given = Requests(request, by, idle_seconds) if streamed else request
            self._record(by, origin, "BEGUN", **self._about(by, request))
            status = "CANCELLED"
            try:
                self._require_read(given, origin)
                with place():
                    for allowance in by.allowances:
                        allowance.take()
                    async with aclosing(method(given, context)) as found:  # type: ignore[type-var]
                        async for one in found:
                            yield one
                self._require_read(getattr(given, "last", None), origin)
                status = "OK"
            except Exception as error:
                status = status_of(error).name
                await _end_with(context, error)
            finally:
                if streamed:
                    given.close()
                self._record(by, origin, status, **({"requests": given.count} if streamed else {}))

        return answers

    def _begin(self, by: Caller, context: Context) -> "_Origin":
        peer = context.peer()
        caller_is_local.set(is_local(peer))
        allowances.set((*by.allowances, self._all))
        names = list(context.auth_context().get("x509_common_name", ())) if by.rule.changes else []
        return _Origin(peer, {"certificate": names[0].decode(errors="replace")} if names else {})

    @contextmanager
    def _held(self, size: int, by: Caller) -> Iterator[None]:
        """A call counted, and the bytes of its request held. Raises Exhausted beyond a limit."""
        for allowance in by.allowances:
            allowance.take()
        with ExitStack() as held:
            for allowance in allowances.get():
                held.enter_context(allowance.holding(size))
            yield

    @staticmethod
    def _about(by: Caller, request: Any) -> dict[str, Any]:
        """What the audit tells of a request, where the call changes something."""
        return summary(request) if by.rule.changes else {}

    @staticmethod
    def _record(by: Caller, origin: "_Origin", status: str, **about: Any) -> None:
        """A line of audit, where the call changes something."""
        if by.rule.changes:
            who = by.who | origin.certificate
            record(who, by.method.rpartition(".")[2], origin.peer, status, **about)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._calls >= self._max_calls:
            raise Exhausted(f"{self._calls} calls are at work, the limit: end some, or try again later (--max-calls)")
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def _require_read(self, request: Any, origin: "_Origin") -> None:
        if isinstance(request, Refused):
            self._refusals.tell(request.reason, origin.peer)
            raise request.reason

    def _require_small(self, answer: Any) -> None:
        if isinstance(answer, Message) and answer.ByteSize() > self._most:
            raise Exhausted(
                f"the answer has {answer.ByteSize()} bytes, a message at most {self._most}: ask for less at once, or "
                "start the service with a larger --max-message-bytes"
            )


class _Origin(NamedTuple):
    """Where a call comes from, kept from its begin: asked after a cancelled call, gRPC crashes the process.

    certificate: its common name, for the audit, if there is one.
    """

    peer: str
    certificate: dict[str, str]


async def _end_with(context: Context, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error  # the servicer has ended the call itself
    await abort_with(context, error)
