"""Stalls and resets of the whole link: every burst is answered within its deadline, and the link heals."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest

from shared.errors import InvalidInput, Lost, Unavailable
from shared.wire.link import burst_to_wire
from tests.tools.faults import PATIENCE, outcomes, predicted
from tests.tools.proxy import proxy
from tests.tools.rpc import make_burst, until


async def stalled(link, service, burst) -> asyncio.Task[Any]:
    """A burst that has stalled the link for a second; those after it do not."""
    await service._control.update({"stall_probability": 1.0, "stall_seconds": 1.0})
    stalling = asyncio.create_task(link.exchange(burst))
    await until(lambda: service._forwarder._stalled_until > 0)
    await service._control.update({"stall_probability": 0.0})
    return stalling


@pytest.mark.parametrize(
    "own", [{"stall_seconds": 15.0}, {"reset_probability": 1.0}, {"blackout": True}, {"airtime": "real"}]
)
async def test_one_burst_changes_nothing_for_the_others(tmp_path: Path, own: dict[str, Any]) -> None:
    async with proxy(tmp_path) as (link, _, _):
        refused, other = await outcomes(link, [make_burst(1, channel_override=own), make_burst(2)])
        name = next(iter(own))
        assert isinstance(refused, InvalidInput)
        assert f"{name} = " in str(refused)
        assert f"semlink channel set --{name.replace('_', '-')}" in str(refused)
        assert other.top[0].item_id == "item-2"
        assert not other.channel.settings.blackout


async def test_a_burst_does_not_slow_the_air_that_all_wait_for(tmp_path: Path) -> None:
    async with proxy(tmp_path, airtime="real", symbol_rate_hz=1e6) as (link, _, _):
        with pytest.raises(InvalidInput, match="symbol_rate_hz = 1"):
            await link.exchange(make_burst(1, channel_override={"symbol_rate_hz": 1.0}))


async def test_a_stall_stops_the_whole_link_for_its_time(tmp_path: Path) -> None:
    """One burst stalls it; another, which has no fault of its own, waits with it."""
    async with proxy(tmp_path) as (link, _, service):
        start = monotonic()
        stalling = await stalled(link, service, make_burst(1))
        answers = [*await outcomes(link, [make_burst(2)]), await stalling]
        assert monotonic() - start >= 1.0
        for answer in answers:
            assert sum(entry.seconds for entry in answer.ledger if entry.stage == "delay") > 0.1
        after = await link.exchange(make_burst(3))
        assert "delay" not in [entry.stage for entry in after.ledger]


async def test_who_expires_in_a_stall_is_answered_within_his_deadline(tmp_path: Path) -> None:
    async with proxy(tmp_path, stall_probability=1.0, stall_seconds=30.0) as (link, _, _):
        async with asyncio.timeout(25):
            answer = await link._current_stream().exchange(burst_to_wire(make_burst(1, timeout_seconds=0.3)))
        assert answer.failure.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]


async def test_an_answer_on_its_way_back_waits_for_the_end_of_a_stall(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (link, far, service):
        far.open.clear()
        waiting = asyncio.create_task(link.exchange(make_burst(1)))
        await until(lambda: bool(far.bursts))
        stalling = await stalled(link, service, make_burst(2))
        far.open.set()
        answer = await asyncio.wait_for(waiting, PATIENCE)
        assert sum(entry.seconds for entry in answer.ledger if entry.stage == "delay") > 0.05
        await asyncio.wait_for(stalling, PATIENCE)


async def test_only_the_burst_at_which_the_connection_breaks_is_lost_with_it(tmp_path: Path) -> None:
    """Those in flight are sent again over the new connection, so what fails does not depend on who was under way."""
    settings = {"reset_probability": 0.05, "seed": 2}
    fates = predicted(150, **settings)
    async with proxy(tmp_path, **settings) as (link, far, service):
        answers = await outcomes(link, [make_burst(n, timeout_seconds=PATIENCE) for n in range(1, 151)])
        assert [isinstance(answer, Lost) for answer in answers] == [one.reset for one in fates]
        assert not [answer for answer in answers if isinstance(answer, BaseException) and not isinstance(answer, Lost)]
        resets = sum(one.reset for one in fates)
        assert service._counters.resets == resets > 2
        assert far.streams > 1
        assert "reset_probability = 0.05" in str(next(answer for answer in answers if isinstance(answer, Lost)))


async def test_a_burst_in_flight_survives_a_reset(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (link, far, service):
        far.open.clear()
        waiting = asyncio.create_task(link.exchange(make_burst(1, timeout_seconds=PATIENCE)))
        await until(lambda: len(far.bursts) == 1)
        await service._control.update({"reset_probability": 1.0})
        with pytest.raises(Lost, match="reset_probability = 1"):
            await link.exchange(make_burst(2))
        await until(lambda: len(far.bursts) == 2)  # sent again, over a new connection
        assert far.streams == 2
        far.open.set()
        assert (await asyncio.wait_for(waiting, PATIENCE)).top[0].item_id == "item-1"


async def test_a_link_that_breaks_again_and_again_says_so_and_hangs_nobody(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("channel_proxy.forward._RESENDS", 3)
    async with proxy(tmp_path) as (link, far, service):
        far.open.clear()  # nothing is ever answered
        waiting = asyncio.create_task(link.exchange(make_burst(1, timeout_seconds=PATIENCE)))
        await until(lambda: len(far.bursts) == 1)
        await service._control.update({"reset_probability": 1.0})
        for n in range(2, 5):
            with pytest.raises(Lost):
                await link.exchange(make_burst(n))
            await until(lambda n=n: len(far.bursts) == n or waiting.done())
        with pytest.raises(Unavailable, match="again and again"):
            await asyncio.wait_for(waiting, PATIENCE)
        far.open.set()
        await service._control.reset()
        assert (await link.exchange(make_burst(99))).burst_id == 99
