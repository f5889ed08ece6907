"""Mutated messages to the three real services over sockets, from all sides, while an innocent client sends.

    python -m tests.fuzz.sockets SECONDS [SEED]

Half of the time all methods are attacked; then those of the role `send` alone, and what the innocent client feels of it
is measured: an operator may slow the link down, a sender may not. The attacker leaves the processor to the services and
to the innocent client, as one on another machine would. Exit status 1 where something was broken.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final

import numpy as np
import psutil

from cli.demo.run import demo_pictures
from client import AsyncSemLink
from local.supervisor import LinkPlan, LocalLink
from protos.semlink.v1 import channel_pb2, link_pb2, transmitter_pb2
from protos.semlink.v1 import knowledge_base_pb2 as kb
from protos.semlink.v1.channel_pb2_grpc import ChannelStub
from shared.frame.burst import CodecSpec
from shared.security.roles import RULES
from shared.wire import from_message
from shared.wire.link import burst_to_wire
from tests.fuzz.attack import Attack, Examples
from tests.fuzz.innocent import Innocent, Met
from tests.fuzz.messages import METHODS, example_requests, request_of
from tests.tools.knowledge_base import vectors
from tests.tools.rpc import dialled, make_burst

_OUT: Final = Path("out/fuzz/sockets")
_SOURCE: Final = "first:3:drawn"
_QUICK: Final = ("raw", "nested", "kbsc", "label")
_TASKS: Final = 16
_P99_SECONDS: Final = 1.0
_NICE: Final = 15
_GROWTH: Final = 1.10
_NOISE_BYTES: Final = 40 << 20
"""Of memory that a service holds, up and down, while the same attack goes on. The heap settles late and then stands:
100,000 relayed messages add 20 MiB that neither the collector nor malloc_trim finds, and 50,000 more add nothing."""
_SERVICES: Final = {
    "Transmitter": "transmitter",
    "Channel": "channel",
    "Receiver": "receiver",
    "KnowledgeBase": "receiver",
}


async def fuzz(link: LocalLink, seconds: float, seed: int) -> list[str]:
    """Attack a link; what was broken."""
    async with AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(dialled(link.addresses[service]))
            for name, service in _SERVICES.items()
        }
        attack = Attack(channels, await _examples(channels["Receiver"]), seed, _OUT)
        operated = ChannelStub(channels["Channel"])
        sending = await stack.enter_async_context(Innocent(link.transmitter))
        os.nice(_NICE)
        quiet = await _measured(sending, attack, [], min(10.0, seconds * 0.2))
        senders = [method for method in METHODS if "send" in RULES[_path(method)].roles]
        await _send_by_each_codec(link.transmitter)  # the first network loads torch, which stays
        await attack.run(METHODS, _until(seconds * 0.2), _TASKS)  # pools and arenas fill
        await operated.SetSchedule(channel_pb2.SetScheduleRequest())
        await operated.ResetChannel(channel_pb2.ResetChannelRequest())
        await asyncio.sleep(5)
        before = _memory(link)
        await attack.run(METHODS, _until(seconds * 0.4), _TASKS)
        await operated.ResetChannel(channel_pb2.ResetChannelRequest())
        innocent = await _measured(sending, attack, senders, seconds * 0.4)
        await asyncio.sleep(5)
        after = _memory(link)
    for (method, code), count in sorted(attack.statuses.items()):
        print(f"    {method:28} {code:20} {count}")
    grown = {name: after[name] / before[name] for name in before}
    print("memory after / before, MiB:", {name: f"{after[name] >> 20} / {before[name] >> 20}" for name in before})
    print(
        f"messages: {attack.sent}; innocent client: {len(innocent.seconds)} answers, {len(innocent.errors)} errors, "
        f"p99 {innocent.p99:.2f} s, {quiet.p99:.2f} s when quiet; memory x {max(grown.values()):.2f}; "
        f"{len(attack.faults)} faults"
    )
    print("ms of its slowest answers:", {name: round(1e3 * each, 1) for name, each in innocent.slowest().items()})
    return [
        *attack.faults[:20],
        *_traces(link),
        *(
            f"{name} holds {grown[name]:.2f} times what it held before"
            for name in grown
            if after[name] > max(_GROWTH * before[name], before[name] + _NOISE_BYTES)
        ),
        *([f"p99 of the innocent client: {innocent.p99:.2f} s"] if innocent.p99 > _P99_SECONDS else []),
        *(f"an innocent client was told: {error}" for error in innocent.errors[:3]),
    ]


async def _send_by_each_codec(transmitter: str) -> None:
    async with AsyncSemLink(transmitter, timeout=120) as client:
        picture = demo_pictures(1)[0].encoded()
        for codec in (await client.describe()).codecs:
            await client.send(picture, codec=codec.codec)
        await client.ask(picture, "what colour is the circle?")


async def _measured(innocent: Innocent, attack: Attack, methods: Sequence[Any], seconds: float) -> Met:
    """What an innocent client meets while these methods are attacked; of none, while all is quiet."""
    innocent.met = met = Met()
    await (attack.run(methods, _until(seconds), _TASKS) if methods else asyncio.sleep(seconds))
    innocent.met = Met()
    return met


async def _examples(receiver: Any) -> Examples:
    """Requests of each kind; bursts and embeddings such as this link takes."""
    described = await receiver.unary_unary(
        "/semlink.v1.Receiver/Describe", response_deserializer=link_pb2.ReceiverDescription.FromString
    )(b"")
    codecs = {codec.codec: from_message(codec, CodecSpec) for codec in described.codecs}
    clip = described.knowledge_base.clip_fingerprint
    embedding = {"values": vectors(1).tobytes(), "clip_fingerprint": clip}
    rng = Random(0)
    bursts = [
        make_burst(number, codec=codec, symbols=_symbols(codec.k // 2, rng), pilot_symbols=pilots)
        for number, codec in enumerate(codecs.values())
        for pilots in ((0, 8) if codec.codec in _QUICK else (0,))
    ]
    found = {kind.DESCRIPTOR.name: example_requests(kind) for kind in {request_of(method) for method in METHODS}}
    found["Burst"] = [*found["Burst"], *map(burst_to_wire, bursts)]
    found["SendImageRequest"] += [
        transmitter_pb2.SendImageRequest(embedding=embedding, codec=name) for name in ("raw", "nested", "kbsc")
    ]
    found["AddRequest"] += [
        kb.AddRequest(items=[{"item_id": "f", "embedding": vectors(1).tobytes()}], clip_fingerprint=clip)
    ]
    return found


def _symbols(count: int, rng: Random) -> Any:
    drawn = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((2, count))
    symbols = drawn[0] + 1j * drawn[1]
    return (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)


def _path(method: Any) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _until(seconds: float) -> Any:
    end = monotonic() + seconds
    return lambda: monotonic() < end


def _memory(link: LocalLink) -> dict[str, int]:
    return {name: psutil.Process(service.pid).memory_info().rss for name, service in link.services.items()}


def _traces(link: LocalLink) -> Iterator[str]:
    """Lines of the logs that no input may cause."""
    for name, service in link.services.items():
        text = service.log.read_text(encoding="utf-8", errors="replace")
        for mark in ("Traceback (most recent call last)", "unexpected error"):
            if count := text.count(mark):
                yield f"{name}: {count} times {mark!r} in its log:\n{text[text.index(mark) :][:2000]}"


def main(seconds: str, seed: str = "1") -> int:
    """Start a link, attack it; the exit status."""
    os.environ["PYTHONFAULTHANDLER"] = "1"  # a service that crashes says where
    with TemporaryDirectory() as scratch, LocalLink(LinkPlan(Path(scratch) / "kb", _OUT, source=_SOURCE)) as link:
        try:
            broken = asyncio.run(fuzz(link, float(seconds), int(seed)))
        finally:
            link.check()  # one that ended is what was broken
    for one in broken:
        print("BROKEN", one)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
