"""A link under load and faults, and the page that says what came of it."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final, NamedTuple

import psutil

from cli.demo.run import demo_pictures
from client import SemLink
from local.supervisor import CHANNEL, LinkPlan, LocalLink
from tests.chaos.clients import WAYS, Curator, Sender
from tests.chaos.events import Event, drawn, happen

_HEAL_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 5.0
_GROWTH_BYTES: Final = 96 << 20
_MORE_DESCRIPTORS: Final = 24


class Use(NamedTuple):
    """What a service holds."""

    memory: int
    descriptors: int
    threads: int


@dataclass
class Chaos:
    """What happened. healed: seconds after the end of each event until a sender got a delivery."""

    seed: int
    seconds: float
    events: list[tuple[float, Event, float]] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    curator: Curator | None = None
    before: dict[str, Use] = field(default_factory=dict)
    after: dict[str, Use] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def page(self) -> str:
        """The report, Markdown."""
        verdict = "\n".join(f"- {one}" for one in self.broken) or "Every invariant held."
        lines = [
            f"# Chaos: seed {self.seed}, {self.seconds:.0f} s, {len(self.events)} faults",
            f"`make chaos MINUTES={self.seconds / 60:g} SEED={self.seed}` draws the same faults.",
            verdict,
            _table(("at, s", "fault", "service", "for, s", "healed after, s"), self._event_rows()),
            _table(("sender", "sent", "outcomes"), self._sender_rows()),
            _table(("service", "memory, MiB", "descriptors", "threads"), self._use_rows()),
            "Before and after; a service that was killed begins anew.",
        ]
        return "\n\n".join(lines) + "\n"

    def _event_rows(self) -> Iterator[tuple[object, ...]]:
        for at, event, healed in self.events:
            yield f"{at:.1f}", event.kind, event.service, event.seconds, f"{healed:.1f}"

    def _sender_rows(self) -> Iterator[tuple[object, ...]]:
        for number, one in enumerate(self.senders, 1):
            options = ", ".join(f"{name} {value}" for name, value in one.way.items())
            yield f"{number}: {options}", one.sent, _counted(one.outcomes)
        if self.curator is not None:
            yield "curator", sum(self.curator.outcomes.values()), _counted(self.curator.outcomes)

    def _use_rows(self) -> Iterator[tuple[object, ...]]:
        for name, before in self.before.items():
            after = self.after[name]
            yield (
                name,
                f"{before.memory >> 20} / {after.memory >> 20}",
                f"{before.descriptors} / {after.descriptors}",
                f"{before.threads} / {after.threads}",
            )


async def chaos(directory: Path, seconds: float, seed: int, faults: int | None = None) -> Chaos:
    """Break a link for so long, and judge it. faults: end after so many."""
    found = Chaos(seed, seconds)
    plan = LinkPlan(directory / "kb", directory, source="first:3:drawn", flags={CHANNEL: ["--snr-db", "inf"]})
    with LocalLink(plan) as link:
        with SemLink(link.transmitter) as client:
            clip = client.describe().clip_fingerprint
        pictures = [picture.encoded() for picture in demo_pictures(12)]
        found.senders = [Sender(link.transmitter, pictures, way, way is WAYS[-1]) for way in WAYS]
        found.curator = Curator(link.receiver, clip, Random(seed))
        stop = asyncio.Event()
        working = [asyncio.create_task(one.run(stop)) for one in (*found.senders, found.curator)]
        try:
            await _healed(found, monotonic())
            await asyncio.sleep(_SETTLE_SECONDS)  # every codec has run once
            found.before = _use(link)
            await _break(link, found, islice(drawn(seed), faults))
        finally:
            stop.set()
            await asyncio.gather(*working)
        await asyncio.sleep(_SETTLE_SECONDS)
        found.after = _use(link)
        await asyncio.to_thread(found.curator.check)
        link.check()
    found.broken += [*found.curator.wrong, *(wrong for one in found.senders for wrong in one.wrong)]
    found.broken += [*_grown(found), *_traces(link)]
    return found


async def _break(link: LocalLink, found: Chaos, events: Iterable[Event]) -> None:
    start = monotonic()
    for event in events:
        await asyncio.sleep(event.pause)
        at = monotonic() - start
        if at > found.seconds:
            return
        if told := await happen(event, link):
            found.broken.append(told)
        healed = await _healed(found, monotonic())
        found.events.append((at, event, healed))


async def _healed(found: Chaos, moment: float) -> float:
    """Seconds until every sender got a delivery after a moment."""
    while monotonic() - moment < _HEAL_SECONDS:
        if all(one.last_delivery > moment for one in found.senders):
            return monotonic() - moment
        await asyncio.sleep(0.05)
    waiting = [number for number, one in enumerate(found.senders, 1) if one.last_delivery <= moment]
    found.broken.append(f"senders {waiting} got nothing for {_HEAL_SECONDS:g} s after a fault had ended")
    return _HEAL_SECONDS


def _use(link: LocalLink) -> dict[str, Use]:
    processes = {name: psutil.Process(service.pid) for name, service in link.services.items()}
    return {name: Use(one.memory_info().rss, one.num_fds(), one.num_threads()) for name, one in processes.items()}


def _grown(found: Chaos) -> Iterator[str]:
    for name, before in found.before.items():
        after = found.after[name]
        if after.memory > before.memory + _GROWTH_BYTES:
            yield f"{name} grew from {before.memory >> 20} to {after.memory >> 20} MiB"
        if after.descriptors > before.descriptors + _MORE_DESCRIPTORS:
            yield f"{name} has {after.descriptors} descriptors, {before.descriptors} before"


def _traces(link: LocalLink) -> Iterator[str]:
    for name, service in link.services.items():
        text = service.log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text:
            yield f"{name} has a traceback in its log: {text[text.index('Traceback') :][:1500]}"


def _counted(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(outcomes.items()))


def _table(heading: Sequence[str], rows: Iterator[tuple[object, ...]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
