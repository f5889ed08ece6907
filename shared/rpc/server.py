"""The life of a server: bind, warm up, serve, drain, stop.

bind port -> announce it -> warm up (health NOT_SERVING, calls UNAVAILABLE) -> SERVING
  -> SIGTERM or SIGINT -> NOT_SERVING -> finish what is at work, at most grace_seconds -> stop
"""

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from shared.errors import SemLinkError, Unavailable
from shared.files import replacing
from shared.rpc.options import server_options
from shared.rpc.status import abort_with
from shared.runtime.config import ServerSettings
from shared.runtime.telemetry import configure_logging

log = structlog.get_logger()

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # generic to the type checker only


class Service(ABC):
    """What a process serves.

    name: of the process, in its logs. rpc_names: full names of its gRPC services, for health and reflection.
    """

    name: ClassVar[str]
    rpc_names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicers."""

    @abstractmethod
    async def start(self) -> None:
        """Load and warm up; the server takes calls once this returns."""

    @abstractmethod
    def drain(self) -> None:
        """Take nothing more from open streams."""

    @abstractmethod
    async def stop(self) -> None:
        """Release everything; also called when `start` did not finish."""


class _Gate(grpc.aio.ServerInterceptor):
    """Refuses SemLink's own calls while the service warms up or drains."""

    def __init__(self) -> None:
        self.reason: str | None = "the service is warming up: try again in a few seconds"

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if self.reason is None or handler is None or not handler_call_details.method.startswith("/semlink."):
            return handler
        if cast(Any, handler).response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._refuse)
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _refuse(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await abort_with(context, Unavailable(self.reason or ""))


def run(service: Service, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Exits 1, with the reason logged, when the service cannot start."""
    import uvloop  # noqa: PLC0415 - not on every platform that can import this module

    configure_logging(service.name, settings.log_level, settings.log_format)
    try:
        uvloop.run(_serve_and_exit(service, settings))
    except SemLinkError as error:
        log.error("stopped", reason=str(error))
        sys.exit(1)


async def _serve_and_exit(service: Service, settings: ServerSettings) -> None:
    await serve(service, settings)
    os._exit(0)  # nothing is left to save, and Python would wait for a thread that loads, and seconds for torch to end


async def serve(service: Service, settings: ServerSettings, stop: asyncio.Event | None = None) -> None:
    """Serve until a signal, the end of standard input where that is asked for, or `stop`."""
    stop = stop or _stop_on_signals()
    if settings.stop_with_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end_of_stdin, stop)
    gate, checks = _Gate(), health.aio.HealthServicer()
    server = grpc.aio.server(options=server_options(settings.max_message_bytes), interceptors=[gate])
    await _register(server, service, checks)
    port = _bind(server, settings)
    await server.start()
    address = f"{settings.host}:{port}"
    log.info("listening", address=address)
    if settings.announce is not None:
        _announce(settings.announce, address)
    try:
        if await _start_unless_stopped(service, stop):
            gate.reason = None
            await _set_health(service, checks, health_pb2.HealthCheckResponse.SERVING)
            log.info("ready", address=address)
            await stop.wait()
    finally:
        gate.reason = "the service is stopping"
        await checks.enter_graceful_shutdown()
        log.info("draining", grace_seconds=settings.grace_seconds)
        service.drain()
        await server.stop(settings.grace_seconds)
        await service.stop()
        log.info("stopped")


async def _register(server: grpc.aio.Server, service: Service, checks: Any) -> None:
    service.register(server)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (*service.rpc_names, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    await _set_health(service, checks, health_pb2.HealthCheckResponse.NOT_SERVING)


async def _set_health(service: Service, checks: Any, status: int) -> None:
    for name in ("", *service.rpc_names):
        await checks.set(name, status)


async def _start_unless_stopped(service: Service, stop: asyncio.Event) -> bool:
    """Warm up; False when told to stop meanwhile."""
    starting, stopping = asyncio.ensure_future(service.start()), asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    stopping.cancel()
    starting.result()
    return True


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise Unavailable(f"cannot listen on {address}: is the port taken? Choose another, or 0") from error
    return port


def _announce(path: Path, address: str) -> None:
    """Write the address so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(address)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
