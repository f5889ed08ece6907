"""What the tests of the services share: bursts, services in this loop, services as processes, a fake far end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import grpc
import numpy as np
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from protos.semlink.v1 import channel_pb2_grpc as channel_rpc
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1 import link_pb2_grpc as rpc
from shared.codecs.embedding.raw import Raw
from shared.frame.burst import Burst, CodecSpec
from shared.frame.reception import Hit, Reception
from shared.phy import pilot_sequence
from shared.rpc.burst_link import BurstLink, link_to_channel, link_to_receiver
from shared.rpc.options import channel_options
from shared.rpc.server import Service, serve
from shared.runtime.config import ServerSettings
from shared.types import Complex
from shared.wire.link import reception_to_wire

to_channel, to_receiver = link_to_channel, link_to_receiver

Loaded = TypeVar("Loaded", bound=Service)

PATIENCE = 60.0
"""Seconds after which a test that waits has failed; generous, for machines that do other work."""


def payload(n: int = 256, seed: int = 0) -> Complex:
    """[n], complex64, unit mean power."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=n) + 1j * rng.normal(size=n)
    return (drawn / np.sqrt(np.mean(np.abs(drawn) ** 2))).astype(np.complex64)


def make_burst(burst_id: int = 1, *, pilot_symbols: int = 0, symbols: Complex | None = None, **fields: Any) -> Burst:
    """A burst of codec raw that any channel takes; `fields` replace its own.

    A receiver never learns the counter. So that a fake one can tell bursts apart, `codec.mode` is the counter too.
    """
    sent = payload(seed=burst_id % 1000) if symbols is None else symbols
    whole = {
        "burst_id": burst_id,
        "stream": 0,
        "counter": burst_id,
        "codec": CodecSpec("raw", 512, Raw.fingerprint, "c0ffee", fields.get("counter", burst_id) % (1 << 31)),
        "pilot_symbols": pilot_symbols,
        "symbols": np.concatenate([pilot_sequence(pilot_symbols), sent]) if pilot_symbols else sent,
        "csi": "pilot" if pilot_symbols else "none",
    }
    return Burst(**(whole | fields))


def echo(burst: pb.Burst, **fields: Any) -> pb.Reception:
    """A reception whose hit is named after the burst's counter, see `make_burst`; fields: more of it."""
    hit = Hit(f"item-{burst.counter or burst.codec.mode}", "label", 0.5)
    return reception_to_wire(Reception(burst.burst_id, (hit,), 0.9, True, "", (), 0.001, "kb", **fields))


async def bursts_of(messages: AsyncIterator[pb.Bursts]) -> AsyncIterator[pb.Burst]:
    """The bursts of a stream, one by one."""
    async for message in messages:
        for burst in message.bursts:
            yield burst


class FarEnd(rpc.ReceiverServicer, channel_rpc.ChannelServicer):
    """A receiver, or a channel, that answers with `answer`; remembers the bursts. `hold` makes it wait."""

    def __init__(self, answer: Callable[[pb.Burst], pb.Reception | None] = echo) -> None:
        self.answer = answer
        self.bursts: list[pb.Burst] = []
        self.configurations: list[pb.Configure] = []
        self.streams = self.messages = 0
        self.open = asyncio.Event()
        self.open.set()

    async def Receive(self, request_iterator: AsyncIterator[pb.Bursts], context: Any) -> AsyncIterator[pb.Receptions]:  # noqa: N802
        self.streams += 1
        async for reception in self._answers(request_iterator):
            yield pb.Receptions(receptions=[reception])

    async def _answers(self, messages: AsyncIterator[pb.Bursts]) -> AsyncIterator[pb.Reception]:
        async for burst in bursts_of(self._counted(messages)):
            if burst.HasField("configure"):
                self.configurations.append(burst.configure)
                yield pb.Reception(burst_id=burst.burst_id, configured=burst.configure.version)
                continue
            self.bursts.append(burst)
            await self.open.wait()
            answer = self.answer(burst)
            if answer is not None:
                yield answer

    Relay = Receive

    async def _counted(self, messages: AsyncIterator[pb.Bursts]) -> AsyncIterator[pb.Bursts]:
        async for message in messages:
            self.messages += 1
            yield message


@asynccontextmanager
async def far_end(servicer: FarEnd, port: int = 0) -> AsyncIterator[str]:
    """The fake on a real socket; yields HOST:PORT. Its end is abrupt, as a crash is."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    rpc.add_ReceiverServicer_to_server(servicer, server)
    channel_rpc.add_ChannelServicer_to_server(servicer, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def linked(link: BurstLink) -> AsyncIterator[BurstLink]:
    """The link, closed at the end."""
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def dialled(address: str, **options: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A channel for stubs, closed at the end."""
    async with grpc.aio.insecure_channel(address, options=channel_options(**options)) as channel:
        yield channel


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - of anything, so nothing could set an event
            await asyncio.sleep(0.01)


async def standstill(value: Callable[[], int]) -> int:
    """The value once it has stayed the same for half a second; how much a held sender has sent, say."""
    stands = -1
    while stands != value():
        stands = value()
        await asyncio.sleep(0.5)
    return stands


async def status_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Status and message of a call that fails."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("the call was expected to fail")


@asynccontextmanager
async def serving(kind: type[Service], settings: ServerSettings, directory: Path) -> AsyncIterator[str]:
    """A service in this loop, over a real socket, ready; drained at the end. Yields HOST:PORT."""
    announce = directory / f"{kind.name}.address"
    announce.unlink(missing_ok=True)
    stop = asyncio.Event()
    running = asyncio.create_task(serve(kind, settings.model_copy(update={"announce": announce, "port": 0}), stop))
    try:
        await until(lambda: announce.exists() or running.done())
        if running.done():
            running.result()
        await ready(announce.read_text(encoding="utf-8"))
        yield announce.read_text(encoding="utf-8")
    finally:
        stop.set()
        await running


def remembering(kind: type[Loaded]) -> tuple[type[Loaded], list[Loaded]]:
    """A service of this kind for `serving`, and where it is once it is loaded."""
    found: list[Any] = []

    class Remembered(kind):  # type: ignore[valid-type,misc] # a class like any other
        def register(self, server: grpc.aio.Server) -> None:
            found.append(self)
            super().register(server)

    return Remembered, found


async def ready(address: str) -> None:
    """Wait until the health service says SERVING."""
    async with dialled(address) as channel, asyncio.timeout(PATIENCE):
        while True:
            answer = await HealthStub(channel).Check(HealthCheckRequest(), wait_for_ready=True)
            if answer.status == HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.02)


@dataclass
class Running:
    """A service as a process."""

    process: subprocess.Popen[bytes]
    announce: Path
    log: Path

    @property
    def address(self) -> str:
        """HOST:PORT, once it is announced."""
        deadline = monotonic() + PATIENCE
        while not self.announce.exists():
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert monotonic() < deadline, self.log.read_text(encoding="utf-8")
            sleep(0.05)
        return self.announce.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Its exit code, waited for."""
        return self.process.wait(PATIENCE)


@contextmanager
def process(package: str, directory: Path, *flags: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """`python -m package`, on a port of its own unless `flags` say otherwise; killed at the end."""
    announce, log = directory / f"{package}.announce", directory / f"{package}.txt"
    announce.unlink(missing_ok=True)
    command = [sys.executable, "-m", package, "--announce", str(announce)]
    command += [*([] if "--port" in flags else ["--port", "0"]), *flags]
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=out, env={**os.environ, **(environment or {})}
        )
    try:
        yield Running(child, announce, log)
    finally:
        child.kill()
        child.wait()
