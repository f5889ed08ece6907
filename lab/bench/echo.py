"""`python lab/bench/echo.py`: a bare gRPC stream that returns what comes; prints its port, ends with its input.

The least that a hop can cost: no messages, no service, no conversion.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import grpc
import uvloop

_METHOD = "/bare/Echo"
_WARM = 20


async def _echo(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    async for each in requests:
        yield each


class _Handler(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.stream_stream_rpc_method_handler(_echo) if handler_call_details.method == _METHOD else None


async def _serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def _ping_pongs(port: int, size: int, count: int, pause: float) -> list[float]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.stream_stream(_METHOD)()
        seconds, message = [], bytes(size)
        try:
            for _ in range(_WARM + count):
                start = perf_counter()
                await call.write(message)
                await call.read()
                seconds.append(perf_counter() - start)
                await asyncio.sleep(pause)
        finally:
            call.cancel()
    return seconds[_WARM:]


class Echo:
    """The echo as a child process, as a context manager."""

    def __enter__(self) -> "Echo":
        command = [sys.executable, __file__]  # not -m: the package imports torch
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ping_pongs(self, count: int, size: int = 600, pause: float = 0.0) -> list[float]:
        """Seconds of `count` messages of `size` bytes, there and back, one after the other.

        pause: seconds between two; both processes sleep meanwhile, and their caches grow cold.
        """
        return uvloop.run(_ping_pongs(self._port, size, count, pause))


if __name__ == "__main__":
    uvloop.run(_serve())
