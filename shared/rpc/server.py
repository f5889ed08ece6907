"""The life of a server: bind, load the service, serve, drain, stop.

bind port -> announce it -> load (health NOT_SERVING, calls UNAVAILABLE) -> SERVING
  -> SIGTERM or SIGINT -> NOT_SERVING -> finish what is at work, at most grace_seconds -> stop
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from shared.errors import Unavailable
from shared.files import replacing
from shared.rpc.options import server_options
from shared.rpc.reflection import enable_reflection
from shared.rpc.requests import Handler, ReadsRequests
from shared.rpc.secured import credentials_of, guard_of, require_safe
from shared.rpc.status import abort_with
from shared.runtime.config import ServerSettings

log = structlog.get_logger()

_LOOPBACK = "127.0.0.1"
_BEAT_SECONDS = 1.0

Loaded = TypeVar("Loaded")


class Service(ABC):
    """What a process serves; complete once it is constructed.

    name: of the process, in its logs. rpc_names: full names of its gRPC services, for health and reflection.
    """

    name: ClassVar[str]
    rpc_names: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def load(cls, settings: Any) -> AbstractAsyncContextManager[Self]:
        """Load and warm up all parts and yield the service; release them at the end, also where loading fails."""

    @abstractmethod
    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicers."""

    @abstractmethod
    def drain(self) -> None:
        """Take nothing more from open streams."""


class _Gate(grpc.aio.ServerInterceptor):
    """Refuses SemLink's own calls while the service loads or drains."""

    def __init__(self) -> None:
        self.reason: str | None = "the service is warming up: try again in a few seconds"

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        if self.reason is None or not handler_call_details.method.startswith("/semlink."):
            return await continuation(handler_call_details)
        return grpc.stream_stream_rpc_method_handler(self._refuse)  # does for unary calls too: it only fails

    async def _refuse(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await abort_with(context, Unavailable(self.reason or ""))


async def serve(kind: type[Service], settings: ServerSettings, stop: asyncio.Event | None = None) -> None:
    """Load a service and serve it until a signal, the end of standard input where that is asked for, or `stop`."""
    stop = stop or _stop_on_signals()
    if settings.stop_with_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end_of_stdin, stop)
    if settings.heartbeat is not None:
        settings.heartbeat.unlink(missing_ok=True)  # of a life that was killed: this one is not ready yet
    require_safe(settings)
    door = await _listen(kind, settings)
    giving = asyncio.create_task(door.reads.give_back_memory())
    loading = kind.load(settings)
    service = None
    try:
        service = await _unless_stopped(loading.__aenter__(), stop)
        if service is not None:
            await _open(door, service)
            await _beat_until(stop, settings.heartbeat)
    finally:
        giving.cancel()
        await _drain(door, service, settings.grace_seconds)
        if service is not None:
            await loading.__aexit__(None, None, None)
        log.info("stopped")


class _Door(NamedTuple):
    """A server that listens, with what its calls pass. address: HOST:PORT."""

    server: grpc.aio.Server
    reads: ReadsRequests
    gate: _Gate
    checks: Any
    address: str


async def _listen(kind: type[Service], settings: ServerSettings) -> _Door:
    """A server that answers health checks and refuses all else, and is announced."""
    gate, checks = _Gate(), health.aio.HealthServicer()
    reads = ReadsRequests(
        settings.max_message_bytes,
        settings.max_calls,
        guard_of(settings),
        settings.max_bytes_in_flight,
        settings.idle_seconds,
    )
    server = grpc.aio.server(options=server_options(settings.max_message_bytes), interceptors=[reads, gate])
    await _register(server, kind, checks)
    port = _bind(server, settings)
    await server.start()
    address = f"{settings.host}:{port}"
    log.info("listening", address=address)
    if settings.metrics_port is not None:
        _serve_metrics(kind.name, settings.host, settings.metrics_port)
    if settings.announce is not None:
        _announce(settings.announce, address)
    return _Door(server, reads, gate, checks, address)


async def _open(door: _Door, service: Service) -> None:
    """Let calls of a service in that is loaded."""
    service.register(door.server)
    _settle_memory()
    door.gate.reason = None
    await _set_health(type(service), door.checks, health_pb2.HealthCheckResponse.SERVING)
    log.info("ready", address=door.address)


async def _drain(door: _Door, service: Service | None, grace_seconds: float) -> None:
    """Let nothing in any more, and end what is at work."""
    door.gate.reason = "the service is stopping"
    await door.checks.enter_graceful_shutdown()
    log.info("draining", grace_seconds=grace_seconds)
    if service is not None:
        service.drain()
    await door.server.stop(grace_seconds)


def _settle_memory() -> None:
    """Let the collector of cycles leave alone what is loaded: looking through it takes tens of milliseconds."""
    gc.collect()
    gc.freeze()


def _serve_metrics(service: str, host: str, port: int) -> None:
    from shared.observe.exposition import serve_metrics  # noqa: PLC0415 - 0.1 s, and few want it

    log.info("metrics", address=f"{host}:{serve_metrics(service, host, port)}")


async def _register(server: grpc.aio.Server, kind: type[Service], checks: Any) -> None:
    """What is there from the start; the service itself is added once it is loaded."""
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    enable_reflection(server, (*kind.rpc_names, health.SERVICE_NAME))
    await _set_health(kind, checks, health_pb2.HealthCheckResponse.NOT_SERVING)


async def _set_health(kind: type[Service], checks: Any, status: int) -> None:
    for name in ("", *kind.rpc_names):
        await checks.set(name, status)


async def _unless_stopped(loading: Awaitable[Loaded], stop: asyncio.Event) -> Loaded | None:
    """What is loaded; None when told to stop meanwhile."""
    starting, stopping = asyncio.ensure_future(loading), asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return None
    stopping.cancel()
    return starting.result()


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    """Listen on the address of the settings; the port. 127.0.0.1 stands for ::1 too, where this machine has it."""
    address = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    try:
        port = _add_port(server, address, settings)
    except RuntimeError as error:
        raise Unavailable(
            f"cannot listen on {address}: the port is taken, or the address is not this machine's; "
            "choose another port, or 0 for any"
        ) from error
    if settings.host == _LOOPBACK and _is_free("::1", port):
        _add_port(server, f"[::1]:{port}", settings)
    return port


def _add_port(server: grpc.aio.Server, address: str, settings: ServerSettings) -> int:
    credentials = credentials_of(settings)  # each port takes its own: gRPC fetches the first certificate once
    return server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)


def _is_free(host: str, port: int) -> bool:
    """Whether an IPv6 address can be listened on; gRPC itself would log an error where it cannot."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _announce(path: Path, address: str) -> None:
    """Write the address so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(address, encoding="utf-8")


async def _beat_until(stop: asyncio.Event, heartbeat: Path | None) -> None:
    """Wait for `stop`; meanwhile touch the file every second, then remove it. A loop that hangs does not."""
    if heartbeat is None:
        await stop.wait()
        return
    while not stop.is_set():
        await asyncio.to_thread(heartbeat.touch)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _BEAT_SECONDS)
    await asyncio.to_thread(heartbeat.unlink, missing_ok=True)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
