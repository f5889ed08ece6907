"""Faults carried out over real sockets: every burst gets one clear answer within its deadline, and the link heals.

Waits are checked against what the ledger books and against lower bounds; nothing is asserted about how fast it is.
"""

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import numpy as np
import pytest

from channel_proxy.relay import report_of
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import Expired, InvalidSymbols, Lost
from shared.ledger import Kind
from shared.phy import Link
from shared.wire.link import burst_to_wire
from tests.tools.faults import PATIENCE, outcomes, predicted
from tests.tools.proxy import proxy
from tests.tools.rpc import FarEnd, echo, make_burst, payload, standstill, until


async def test_lost_bursts_are_those_that_were_drawn_and_the_others_arrive(tmp_path: Path) -> None:
    settings = {"loss_probability": 0.3, "seed": 5}
    bursts = [make_burst(n, timeout_seconds=PATIENCE) for n in range(1, 101)]
    async with proxy(tmp_path, **settings) as (link, far, _):
        answers = await outcomes(link, bursts)
        lost = {burst.counter for burst, answer in zip(bursts, answers, strict=True) if isinstance(answer, Lost)}
        assert lost == {n for n, one in enumerate(predicted(100, **settings), 1) if one.lost}
        assert 15 < len(lost) < 45
        assert {message.codec.mode for message in far.bursts} == set(range(1, 101)) - lost
        assert not [answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, Lost)]
        assert str(answers[min(lost) - 1]) == f"the channel lost burst {min(lost)} of stream 0 (loss_probability = 0.3)"


async def test_the_answer_to_a_lost_burst_holds_the_channels_report(tmp_path: Path) -> None:
    async with proxy(tmp_path, blackout=True, snr_db=3.0) as (link, far, _):
        answer = await link._current_stream().exchange(burst_to_wire(make_burst(4)))
        assert answer.failure.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert answer.failure.lost
        assert "blackout = true" in answer.failure.message
        assert (answer.channel.counter, answer.channel.settings.snr_db) == (4, 3.0)
        assert [entry.stage for entry in answer.ledger] == ["channel", "airtime", "propagation"]
        assert far.bursts == []


async def test_a_gilbert_elliott_channel_loses_in_runs_as_drawn(tmp_path: Path) -> None:
    settings = {"good_to_bad": 0.1, "bad_to_good": 0.2, "seed": 9}
    async with proxy(tmp_path, **settings) as (link, _, _):
        answers = await outcomes(link, [make_burst(n) for n in range(1, 201)])
    lost = [isinstance(answer, Lost) for answer in answers]
    assert lost == [one.lost for one in predicted(200, **settings)]
    assert any(lost)


async def test_a_duplicate_reaches_the_receiver_twice_and_the_sender_once(tmp_path: Path) -> None:
    async with proxy(tmp_path, duplicate_probability=1.0) as (link, far, service):
        answers = await outcomes(link, [make_burst(n) for n in range(1, 21)])
        assert [answer.burst_id for answer in answers] == list(range(1, 21))
        await until(lambda: len(far.bursts) == 40)
        assert set(Counter(message.codec.mode for message in far.bursts).values()) == {2}
        assert len({message.burst_id for message in far.bursts}) == 40
        by_counter = {}
        for message in far.bursts:
            assert by_counter.setdefault(message.codec.mode, message.symbols) == message.symbols
        assert service._counters.duplicated == 20


async def test_the_first_answer_to_a_duplicate_counts(tmp_path: Path) -> None:
    """The receiver never answers the original."""
    far = FarEnd(lambda burst: echo(burst) if burst.burst_id >> 63 else None)
    async with proxy(tmp_path, far, duplicate_probability=1.0) as (link, _, _):
        answer = await link.exchange(make_burst(7, timeout_seconds=PATIENCE))
        assert (answer.burst_id, answer.top[0].item_id) == (7, "item-7")


async def test_held_back_bursts_are_overtaken(tmp_path: Path) -> None:
    settings = {"reorder_probability": 0.3, "reorder_seconds": 1.5, "seed": 3}
    fates = predicted(30, **settings)
    async with proxy(tmp_path, **settings) as (link, far, service):
        answers = await outcomes(link, [make_burst(n) for n in range(1, 31)])
        arrived = [message.codec.mode for message in far.bursts]
        held = [n for n, one in enumerate(fates, 1) if one.reordered]
        assert held
        assert set(arrived[-len(held) :]) == set(held)
        assert service._counters.reordered == len(held)
    for answer, one in zip(answers, fates, strict=True):
        booked = {entry.stage: entry for entry in answer.ledger}
        assert ("delay" in booked) == one.reordered
        if one.reordered:
            assert booked["delay"].seconds >= 1.5
            assert booked["delay"].kind is Kind.MEASURED


async def test_delay_and_jitter_are_waited_for_as_drawn(tmp_path: Path) -> None:
    settings = {"delay_seconds": 0.05, "jitter_seconds": 0.1, "jitter": "exponential"}
    fates = predicted(10, **settings)
    async with proxy(tmp_path, **settings) as (link, _, _):
        answers = await outcomes(link, [make_burst(n) for n in range(1, 11)])
    for answer, one in zip(answers, fates, strict=True):
        assert sum(entry.seconds for entry in answer.ledger if entry.stage == "delay") >= one.held_seconds >= 0.05


async def test_a_burst_that_expires_while_it_is_held_is_answered_within_its_deadline(tmp_path: Path) -> None:
    async with proxy(tmp_path, delay_seconds=10.0) as (link, far, _):
        message = burst_to_wire(make_burst(1, timeout_seconds=0.3))
        start = monotonic()
        async with asyncio.timeout(9):  # the proxy watches the clock, long before the delay is over
            answer = await link._current_stream().exchange(message)
        assert monotonic() - start >= 0.3
        assert answer.failure.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        assert far.bursts == []


async def test_bursts_queue_for_the_air_where_airtime_is_real(tmp_path: Path) -> None:
    """Four bursts of 20 symbols and their headers at 100 symbols/s: 0.36 s each, one after the other."""
    settings = {"airtime": "real", "symbol_rate_hz": 100.0, "propagation_seconds": 0.05}
    async with proxy(tmp_path, **settings) as (link, _, service):
        start = monotonic()
        sent = asyncio.gather(*(link.exchange(make_burst(n, symbols=payload(20))) for n in range(1, 5)))
        await until(lambda: service._forwarder.queue.queued > 0)
        answers = await asyncio.wait_for(sent, PATIENCE)
        elapsed = monotonic() - start
    assert elapsed >= 4 * 0.36 + 0.05
    ways = [_booked(answer) for answer in answers]
    assert max(way["air_queue"].seconds for way in ways) >= 2 * 0.36  # the last, which came while the first was on
    for way in ways:
        assert way["airtime"].seconds == pytest.approx(0.36)
        assert way["propagation"].seconds == 0.05
        assert {entry.kind for entry in way.values()} == {Kind.MEASURED}
        assert sum(entry.seconds for entry in way.values()) <= elapsed


async def test_who_expires_in_the_queue_for_the_air_leaves_it_to_the_next(tmp_path: Path) -> None:
    settings = {"airtime": "real", "symbol_rate_hz": 100.0}
    async with proxy(tmp_path, **settings) as (link, far, _):
        one = asyncio.create_task(link.exchange(make_burst(1, symbols=payload(184))))  # 2 s
        await asyncio.sleep(0.05)
        late = [link.exchange(make_burst(n, symbols=payload(984), timeout_seconds=0.2)) for n in (2, 3, 4)]  # 10 s
        for outcome in await asyncio.gather(*late, return_exceptions=True):
            assert isinstance(outcome, Expired)
        after = await asyncio.wait_for(link.exchange(make_burst(5, symbols=payload(4))), 9)
        assert (await one).burst_id == 1
        assert after.burst_id == 5
        assert [message.codec.mode for message in far.bursts] == [1, 5]


def _booked(answer) -> dict[str, Any]:
    return {entry.stage: entry for entry in answer.ledger}


async def test_a_slow_receiver_holds_the_sender_and_the_proxy_never_holds_more_than_its_limit(tmp_path: Path) -> None:
    """A sender that writes without waiting: of 400 bursts the proxy takes in 16, and the rest wait at the sender."""
    async with proxy(tmp_path, max_in_flight=16) as (link, far, service):
        far.open.clear()
        call = link._open_stream(link._channel)
        big = np.tile(payload(1 << 12), 4)  # 128 KiB each, beyond what sockets and flow-control windows hold
        written = 0

        async def write() -> None:
            nonlocal written
            for n in range(1, 401):
                await call.write(pb.Bursts(bursts=[burst_to_wire(make_burst(n, symbols=big))]))
                written = n

        writing = asyncio.create_task(write())
        await until(lambda: service._counters.in_flight == 16)
        assert await standstill(lambda: written) < 400, "the sender is not held"
        assert service._counters.in_flight == 16
        peak = answered = 0
        far.open.set()
        while answered < 400:
            receptions = (await asyncio.wait_for(call.read(), PATIENCE)).receptions
            assert all(reception.top for reception in receptions)
            answered += len(receptions)
            peak = max(peak, service._counters.in_flight)
        await writing
        assert peak <= 16
        assert service._counters.in_flight == 0
        call.cancel()


async def test_a_bad_burst_does_not_fail_those_that_are_computed_with_it(tmp_path: Path, monkeypatch) -> None:
    """The whole group fails, so each is tried alone."""
    real = Link.transmit_many

    def failing(self, sendings):
        if any(sending.counter == 13 for sending in sendings):
            raise InvalidSymbols("burst 13 brings bad luck")
        return real(self, sendings)

    monkeypatch.setattr(Link, "transmit_many", failing)
    async with proxy(tmp_path) as (link, _, service):
        bursts = [make_burst(n) for n in range(10, 20)]
        service._counters.in_flight = 10  # so that they wait for one another
        carried = await asyncio.gather(*(service._air.carry(burst) for burst in bursts), return_exceptions=True)
        assert [isinstance(one, InvalidSymbols) for one in carried] == [burst.counter == 13 for burst in bursts]
        service._counters.in_flight = 0
        answers = await outcomes(link, bursts)
        assert [answer.burst_id for answer in answers if not isinstance(answer, BaseException)] == [
            n for n in range(10, 20) if n != 13
        ]


async def test_bursts_that_come_close_together_are_computed_together(tmp_path: Path, monkeypatch) -> None:
    """Those of one turn of the event loop, as those of one message are; bit for bit as alone."""
    sizes: list[int] = []
    real = Link.transmit_many

    def counted(self, sendings):
        sizes.append(len(sendings))
        return real(self, sendings)

    monkeypatch.setattr(Link, "transmit_many", counted)
    async with proxy(tmp_path, snr_db=5.0, fading="rayleigh") as (_, _, service):
        small = [make_burst(n, symbols=payload(32)) for n in range(21)]
        other = [make_burst(n, symbols=payload(64)) for n in range(21, 26)]
        own = [make_burst(n, symbols=payload(32), channel_override={"snr_db": 0.0}) for n in range(26, 31)]
        long = [make_burst(n, symbols=payload(10_000)) for n in range(31, 33)]  # together, in a thread
        bursts = small + other + own + long
        alone = [await service._air.carry(burst) for burst in bursts]
        assert set(sizes) == {1}
        sizes.clear()
        service._counters.in_flight = len(bursts)
        together = await asyncio.gather(*(service._air.carry(burst) for burst in bursts))
        assert sorted(sizes) == [2, 5, 5, 21]
        for one, two in zip(together, alone, strict=True):
            assert one.transmission.y.tobytes() == two.transmission.y.tobytes()
            assert report_of(one.transmission) == report_of(two.transmission)
