"""One hop over a real socket: answers matched, losses said at once, healing, flow control, memory."""

import asyncio
import gc
import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import Expired, InvalidInput, NotFound, Unavailable
from shared.rpc.burst_link import link_to_receiver
from tests.tools.rpc import (
    PATIENCE,
    FarEnd,
    bursts_of,
    echo,
    far_end,
    linked,
    make_burst,
    process,
    to_channel,
    to_receiver,
    until,
)


async def test_answers_find_their_bursts_in_any_order() -> None:
    held: list[pb.Burst] = []

    class Reversing(FarEnd):
        async def Receive(self, request_iterator, context):  # noqa: N802
            async for burst in bursts_of(request_iterator):
                held.append(burst)
                if len(held) == 50:
                    for one in reversed(held):
                        yield pb.Receptions(receptions=[echo(one)])

    async with far_end(Reversing()) as address, linked(to_receiver(address)) as link:
        receptions = await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(1, 51)))
    assert [reception.burst_id for reception in receptions] == list(range(1, 51))
    assert [reception.top[0].item_id for reception in receptions] == [f"item-{number}" for number in range(1, 51)]


async def test_a_failure_is_the_answer_of_one_burst_and_the_stream_goes_on() -> None:
    def answer(burst: pb.Burst) -> pb.Reception:
        if burst.burst_id == 2:
            return pb.Reception(burst_id=2, failure=common.Failure(code=5, message="no codec 'x'"))
        return echo(burst)

    far = FarEnd(answer)
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        results = await asyncio.gather(
            *(link.exchange(make_burst(number)) for number in (1, 2, 3)), return_exceptions=True
        )
    assert isinstance(results[1], NotFound)
    assert str(results[1]) == "no codec 'x'"
    assert [results[0].burst_id, results[2].burst_id] == [1, 3]
    assert far.streams == 1


async def test_a_second_burst_of_the_same_id_is_refused_while_the_first_waits() -> None:
    far = FarEnd()
    far.open.clear()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        first = asyncio.create_task(link.exchange(make_burst(7)))
        await until(lambda: bool(far.bursts))
        with pytest.raises(InvalidInput, match="burst id 7 is in flight already"):
            await link.exchange(make_burst(7))
        far.open.set()
        assert (await first).burst_id == 7
        assert (await link.exchange(make_burst(7))).burst_id == 7


async def test_nobody_there_is_unavailable_at_once_and_heals_when_somebody_comes() -> None:
    async with far_end(FarEnd()) as address:
        pass
    async with linked(to_receiver(address)) as link:
        with pytest.raises(Unavailable, match=address):
            await asyncio.wait_for(link.exchange(make_burst(1)), PATIENCE)
        async with far_end(FarEnd(), int(address.rpartition(":")[2])):
            assert await _first_answer(link) > 0


@pytest.mark.parametrize("count", [10, 200])
async def test_what_waits_when_the_far_end_dies_is_unavailable_at_once(count: int) -> None:
    """200 is more than fits the outbox: those that wait to be written must hear of it too."""
    far, link = FarEnd(), None
    far.open.clear()
    async with far_end(far) as address:
        link = to_receiver(address)
        big = np.tile(make_burst().symbols, 200)  # 400 KiB each, so that flow control stops the writer
        waiting = [asyncio.create_task(link.exchange(make_burst(n, symbols=big))) for n in range(1, count + 1)]
        await until(lambda: bool(far.bursts))
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
    async with linked(link):
        async with asyncio.timeout(10):  # without a deadline on the bursts
            results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        async with far_end(FarEnd(), int(address.rpartition(":")[2])):
            assert await _first_answer(link) > 0


async def test_a_stream_that_the_far_end_closes_is_replaced() -> None:
    class OneEach(FarEnd):
        async def Receive(self, request_iterator, context):  # noqa: N802
            self.streams += 1
            async for burst in bursts_of(request_iterator):
                yield pb.Receptions(receptions=[echo(burst)])
                return

    far = OneEach()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        for number in range(1, 6):
            assert (await link.exchange(make_burst(number))).burst_id == number
            await until(link._streams[0].ended.done)
    assert far.streams == 5


async def test_time_that_is_up_is_expired_and_its_answer_is_dropped() -> None:
    far = FarEnd()
    far.open.clear()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        with pytest.raises(Expired, match=r"within the 0\.050 s"):
            await link.exchange(make_burst(1, timeout_seconds=0.05))
        far.open.set()
        assert (await link.exchange(make_burst(2))).burst_id == 2
    assert far.streams == 1


async def test_a_stalled_far_end_keeps_no_burst_that_was_given_up() -> None:
    far = FarEnd()
    far.open.clear()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        big = np.tile(make_burst().symbols, 100)  # 200 KiB
        for start in range(1, 2001, 100):
            late = (link.exchange(make_burst(n, symbols=big, timeout_seconds=0.02)) for n in range(start, start + 100))
            results = await asyncio.gather(*late, return_exceptions=True)
            assert all(isinstance(result, Expired) for result in results)
        assert not link._streams[0].waiting
        assert len(link._streams[0].outbox) <= 64
        far.open.set()
        assert (await link.exchange(make_burst(9999))).burst_id == 9999


@pytest.mark.parametrize("seconds", [float("inf"), 1e300])
async def test_an_endless_timeout_is_none(seconds: float) -> None:
    async with far_end(FarEnd()) as address, linked(to_receiver(address)) as link:
        assert (await link.exchange(make_burst(1, timeout_seconds=seconds))).burst_id == 1


async def test_killing_and_returning_processes_leave_no_memory_behind(tmp_path: Path) -> None:
    """300 streams broken and reopened: a process of its own on the far side, resident size of both watched."""
    with process("channel_proxy", tmp_path, "--receiver-address", "127.0.0.1:1") as proxy:
        far = psutil.Process(proxy.process.pid)
        near = psutil.Process(os.getpid())
        async with linked(to_channel(await asyncio.to_thread(lambda: proxy.address))) as link:
            await _streams(link, 50)  # caches and pools fill
            before = near.memory_info().rss, far.memory_info().rss
            await _streams(link, 300)
            gc.collect()
            grown = near.memory_info().rss - before[0], far.memory_info().rss - before[1]
    assert max(grown) < 8 << 20, f"grown by {grown} bytes over 300 streams"


async def test_a_connection_that_was_reset_is_closed() -> None:
    """Not only once the collector of cycles comes: until then the far end would hold it too."""
    async with far_end(FarEnd()) as address, linked(to_receiver(address)) as link:
        port, near = int(address.rpartition(":")[2]), psutil.Process()
        for number in range(1, 31):
            assert (await link.exchange(make_burst(number))).burst_id == number
            link.reset()
        await until(lambda: len([1 for c in near.net_connections() if c.raddr and c.raddr.port == port]) <= 2)


async def _streams(link, count: int) -> None:
    """Each burst on a stream of its own, which is then cancelled from this side."""
    for number in range(1, count + 1):
        with pytest.raises(Unavailable):  # the proxy has no receiver
            await link.exchange(make_burst(number))
        link._streams[0].ended.cancel()
        await asyncio.gather(link._streams[0].ended, return_exceptions=True)


async def _first_answer(link) -> int:
    """Attempts until a burst is answered again."""
    async with asyncio.timeout(PATIENCE):
        for attempt in range(1, 10_000):
            try:
                await link.exchange(make_burst(attempt))
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return attempt
    raise AssertionError("the link did not heal")


async def test_several_receivers_share_the_bursts() -> None:
    """Three receivers behind one address, six streams: each gets its share; a lost one's goes to the others."""
    ends = [FarEnd() for _ in range(3)]
    async with far_end(ends[0]) as first, far_end(ends[1]) as second:
        async with far_end(ends[2]) as third:
            link = link_to_receiver(f"ipv4:{first},{second},{third}", streams=6)
            async with asyncio.timeout(PATIENCE):  # all three are connected soon, nothing tells when
                while any(not end.bursts for end in ends):
                    link.reset()
                    await asyncio.sleep(0.2)
                    await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(1, 7)))
            before = [len(end.bursts) for end in ends]
            await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(101, 161)))
            shares = [len(end.bursts) - count for end, count in zip(ends, before, strict=True)]
            assert sum(shares) == 60
            assert min(shares) >= 10
        await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(201, 261)), return_exceptions=True)
        answers = await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(301, 361)))
        assert len(answers) == 60, "what the lost one had goes to the others"
        await link.close()
