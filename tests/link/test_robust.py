"""Faults, made by signals to real processes under load: nobody hangs, everything heals, nothing is restarted by hand.

Two links of their own, because what is broken here is what other tests stand on.
"""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from client import AsyncSemLink, Delivery, SemLink
from local.supervisor import CHANNEL, RECEIVER, TRANSMITTER, LinkPlan, LocalLink
from receiver.knowledge_base import KnowledgeBase
from shared.errors import Exhausted, Expired, SemLinkError, Unavailable
from tests.tools.rpc import PATIENCE, process

LOSS_SECONDS = 10.0
"""A loss must be said "at once": far below the deadline of the pictures, which is a minute."""


@pytest.fixture(scope="module")
def own(link: LocalLink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLink]:
    """A link of this file's own, on the knowledge base of the session's; small limits, so that they can be reached."""
    flags = {
        TRANSMITTER: ["--max-in-flight", "48", "--max-in-flight-per-stream", "32", "--codec", "raw"],
        CHANNEL: ["--snr-db", "inf"],
    }
    directory = tmp_path_factory.mktemp("robust")
    plan = LinkPlan(link.plan.knowledge_base, directory, source=None, flags=flags, read_only=True)
    with LocalLink(plan) as running:
        yield running


class Load:
    """Pictures sent without a pause over one stream, in the background; remembers when each was answered how."""

    def __init__(self, address: str, pictures: Sequence[bytes], in_flight: int = 32) -> None:
        self.outcomes: list[tuple[float, Delivery | SemLinkError]] = []
        self.streams = self.sent = 0
        self._address, self._pictures, self._in_flight = address, pictures, in_flight

    async def __aenter__(self) -> "Load":
        self._task = asyncio.create_task(self._run())
        await self.delivered_since(monotonic())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async with AsyncSemLink(self._address, timeout=60) as client:
            while True:
                self.streams += 1
                with suppress(SemLinkError):  # the stream itself broke, and its pictures were answered
                    answers = client.send_many(self._endless(), in_flight=self._in_flight)
                    async for _, outcome in answers:
                        self.outcomes.append((monotonic(), outcome))
                await asyncio.sleep(0.02)

    async def _endless(self):
        while True:
            self.sent += 1
            yield self._pictures[self.sent % len(self._pictures)]
            await asyncio.sleep(0.002)

    async def delivered_since(self, moment: float, patience: float = 2 * PATIENCE) -> None:
        """Wait for a delivery after a moment."""
        async with asyncio.timeout(patience):
            while not any(at > moment and isinstance(o, Delivery) for at, o in self.outcomes[-200:]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def errors_since(self, moment: float) -> list[SemLinkError]:
        """What failed after a moment."""
        return [outcome for at, outcome in self.outcomes if at > moment and isinstance(outcome, SemLinkError)]


@pytest.mark.parametrize("name", [RECEIVER, CHANNEL, TRANSMITTER])
async def test_a_killed_service_is_said_at_once_and_heals_when_it_returns(
    own: LocalLink, drawn_pngs, name: str
) -> None:
    others = {other: service.pid for other, service in own.services.items() if other != name}
    async with Load(own.transmitter, [data for _, data in drawn_pngs]) as load:
        killed = monotonic()
        own.services[name].kill()
        async with asyncio.timeout(LOSS_SECONDS):
            while not load.errors_since(killed):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        answered, in_flight = len(load.outcomes), load.sent - len(load.outcomes)
        assert in_flight <= 64, f"{in_flight} pictures hang"
        own.services[name].start()
        await asyncio.to_thread(own.wait_ready, [name], monotonic() + 2 * PATIENCE)
        await load.delivered_since(monotonic())
        assert len(load.outcomes) > answered
        errors = load.errors_since(killed)
        assert {type(error) for error in errors} == {Unavailable}, {str(error) for error in errors}
        if name != TRANSMITTER:
            assert load.streams == 1, "the client's own stream has no reason to break"
    assert {other: own.services[other].pid for other in others} == others


async def test_a_stalled_receiver_holds_the_sender_and_nothing_piles_up(own: LocalLink, drawn_pngs) -> None:
    """SIGSTOP. Memory bound: 32 MiB over some 60 pictures, where the stream would bring hundreds in that time."""
    receiver = psutil.Process(own.services[RECEIVER].pid)
    watched = {name: psutil.Process(own.services[name].pid) for name in (TRANSMITTER, CHANNEL)}
    big = [data + bytes(200_000) for _, data in drawn_pngs[:20]]  # what follows the end of a PNG is not looked at
    async with Load(own.transmitter, big, in_flight=500) as load:
        await load.delivered_since(monotonic() + 0.5)
        before = {name: one.memory_info().rss for name, one in watched.items()}
        receiver.suspend()
        try:
            await asyncio.sleep(1)
            stalled_at = load.sent
            await asyncio.sleep(1.5)
            assert load.sent - stalled_at < 200, "flow control did not hold the sender"
            grown = {name: one.memory_info().rss - before[name] for name, one in watched.items()}
            assert max(grown.values()) < 32 << 20, grown
            async with AsyncSemLink(own.transmitter, timeout=60) as client:
                calls = [client.send(drawn_pngs[0][1], timeout=3) for _ in range(40)]  # 32 of 48 places are taken
                results = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            receiver.resume()
        kinds = [type(result) for result in results]
        assert set(kinds) == {Exhausted, Expired}
        assert kinds.count(Expired) == 48 - 32
        assert "48 pictures are in flight" in str(results[kinds.index(Exhausted)])
        await load.delivered_since(monotonic())
        assert load.streams == 1
        assert not load.errors_since(0)


def test_a_stream_of_stalled_pictures_is_answered_whole_afterwards(own: LocalLink, drawn_pngs) -> None:
    """Those with a short deadline expire; the others are delivered once the receiver goes on; each once."""
    receiver = psutil.Process(own.services[RECEIVER].pid)
    files = [data for _, data in drawn_pngs]
    with SemLink(own.transmitter, timeout=60) as client:
        receiver.suspend()
        try:
            late = list(client.send_many(files[:20], timeout=0.5))
        finally:
            receiver.resume()
        assert sorted(position for position, _ in late) == list(range(20))
        assert {type(outcome) for _, outcome in late} == {Expired}
        answers = list(client.send_many(files, in_flight=100))
    assert sorted(position for position, _ in answers) == list(range(200))
    assert all(isinstance(outcome, Delivery) for _, outcome in answers)


async def test_a_transmitter_that_is_told_to_stop_answers_what_it_has(own: LocalLink, drawn_pngs) -> None:
    """SIGTERM under load: nothing in flight is lost but what it had not read yet, and it ends within 5 s, code 0."""
    service = own.services[TRANSMITTER]
    async with Load(own.transmitter, [data for _, data in drawn_pngs]) as load:
        start = monotonic()
        service.terminate()
        code = await asyncio.to_thread(service._process.wait, 30)
        assert (code, monotonic() - start < 5) == (0, True)
        await asyncio.sleep(0.3)
        errors = load.errors_since(start)
        assert {type(error) for error in errors} <= {Unavailable}
        service.start()
        await asyncio.to_thread(own.wait_ready, [TRANSMITTER], monotonic() + 2 * PATIENCE)
        await load.delivered_since(monotonic())


def test_hundreds_of_cancelled_streams_leave_no_memory_behind(own: LocalLink, drawn_pngs) -> None:
    """Bound: 16 MiB in the transmitter and 8 MiB in the others over 300 streams, some 50 KiB each."""
    processes = {name: psutil.Process(service.pid) for name, service in own.services.items()}

    def sizes() -> dict[str, int]:
        return {name: one.memory_info().rss for name, one in processes.items()}

    with SemLink(own.transmitter, timeout=60) as client:
        _cancel_streams(client, drawn_pngs, 100)  # pools and arenas fill
        before = sizes()
        _cancel_streams(client, drawn_pngs, 300)
        sleep(1)
        after = sizes()
        assert client.send(drawn_pngs[0][1]).item_id
    grown = {name: after[name] - before[name] for name in before}
    assert grown[TRANSMITTER] < 16 << 20, grown
    assert max(grown[CHANNEL], grown[RECEIVER]) < 8 << 20, grown


def _cancel_streams(client: SemLink, pictures, count: int) -> None:
    for number in range(count):
        answers = client.send_many([data for _, data in pictures[:8]])
        next(answers)
        answers.close()  # with the others still on their way
        del number


def test_a_receiver_is_stopped_in_time_while_it_builds(tmp_path: Path) -> None:
    """SIGTERM during a warm-up of many seconds; a new start finds the old state or none, never half of one."""
    flags = ("--kb", str(tmp_path / "kb"), "--kb-source", "drawn", "--device", "cpu")
    with process("receiver", tmp_path, *flags) as receiver:
        deadline = monotonic() + 2 * PATIENCE
        while "building the knowledge base" not in receiver.log.read_text(encoding="utf-8"):
            assert monotonic() < deadline
            sleep(0.05)
        start = monotonic()
        receiver.signal(signal.SIGTERM)
        assert receiver.exit_code() == 0, receiver.log.read_text(encoding="utf-8")
        assert monotonic() - start < 5
    with suppress(SemLinkError), KnowledgeBase.open(tmp_path / "kb") as kb:
        assert len(kb.view.item_ids) > 0
