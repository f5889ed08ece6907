"""What goes wrong, drawn from a seed: the same seed breaks the same things at the same times after one another."""

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import psutil

from client import ChannelControl
from local.supervisor import CHANNEL, RECEIVER, SERVICES, LocalLink
from protos.semlink.v1.transmitter_pb2 import SendImageRequest
from protos.semlink.v1.transmitter_pb2_grpc import TransmitterStub
from tests.tools.rpc import dialled

KINDS: Final = ("kill", "stop", "full disk", "resets", "slow readers", "no Milvus")
_PATIENCE: Final = 120.0


@dataclass(frozen=True)
class Event:
    """One fault. service: that it hits. seconds: how long it lasts. pause: seconds of quiet before it."""

    kind: str
    service: str
    seconds: float
    pause: float


def drawn(seed: int) -> Iterator[Event]:
    """Faults without an end; each kind comes before any comes again."""
    rng = Random(seed)
    while True:
        for kind in rng.sample(KINDS, len(KINDS)):
            service = {"full disk": RECEIVER, "resets": CHANNEL, "no Milvus": RECEIVER}.get(kind, rng.choice(SERVICES))
            yield Event(kind, service, round(rng.uniform(0.5, 3.0), 2), round(rng.uniform(0.5, 2.0), 2))


async def happen(event: Event, link: LocalLink) -> str:
    """Let a fault happen, and end; what was wrong with how it was told, empty for nothing."""
    service = link.services[event.service]
    match event.kind:
        case "kill":
            service.kill()
            await asyncio.sleep(event.seconds)
            service.start()
            await asyncio.to_thread(link.wait_ready, [event.service], monotonic() + _PATIENCE)
        case "stop":
            await _between(event, lambda: service_signal(service.pid, signal.SIGSTOP))
            service_signal(service.pid, signal.SIGCONT)
        case "full disk":
            with _no_room(service.pid, link.plan.knowledge_base):
                await asyncio.sleep(event.seconds)
        case "resets":
            with ChannelControl(link.channel) as channel:
                channel.set(reset_probability=0.3)
                await asyncio.sleep(event.seconds)
                channel.reset()
        case "slow readers":
            await _read_slowly(link.transmitter, event.seconds)
        case "no Milvus":
            return await asyncio.to_thread(_without_milvus, link.plan.knowledge_base)
    return ""


async def _between(event: Event, begin: Callable[[], None]) -> None:
    begin()
    await asyncio.sleep(event.seconds)


def service_signal(pid: int | None, number: signal.Signals) -> None:
    """Send a service a signal."""
    psutil.Process(pid).send_signal(number)


@contextmanager
def _no_room(pid: int | None, knowledge_base: Path) -> Iterator[None]:
    """Let no file of a process grow beyond the largest that there is, as on a disk without room. Needs no mount."""
    process = psutil.Process(pid)
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    largest = max(path.stat().st_size for path in knowledge_base.rglob("*") if path.is_file())
    process.rlimit(psutil.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, before)


async def _read_slowly(transmitter: str, seconds: float) -> None:
    """Streams whose answers nobody reads, dropped at the end."""
    async with dialled(transmitter) as channel:
        calls = [TransmitterStub(channel).SendImages() for _ in range(20)]
        for number, call in enumerate(calls):
            for picture in range(10):
                await call.write(SendImageRequest(request_id=picture, image=b"no picture " * 1000 * (number % 3 + 1)))
        await asyncio.sleep(seconds)
        for call in calls:
            call.cancel()


def _without_milvus(knowledge_base: Path) -> str:
    """A second receiver, whose index should be at a Milvus that is not there: it must end, and say so."""
    command = [sys.executable, "-P", "-m", RECEIVER, "--kb", str(knowledge_base), "--read-only", "--port", "0"]
    command += ["--engine", "milvus", "--engine-uri", "http://127.0.0.1:9"]
    try:
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"a receiver without its Milvus neither ended nor said why for {_PATIENCE:g} s"
    said = ended.stdout + ended.stderr
    if ended.returncode == 0 or "Traceback" in said or "127.0.0.1:9" not in said:
        return f"a receiver without its Milvus ended with {ended.returncode} and said: {said[-500:]}"
    return ""
