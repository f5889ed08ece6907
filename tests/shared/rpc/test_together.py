"""Bursts that wait travel together, one alone travels at once, and a message holds no more than its bound."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np

from protos.semlink.v1 import link_pb2 as pb
from shared.rpc.streams import StreamAnswerer
from shared.rpc.together import MOST_TOGETHER, answer_bursts, fitting
from tests.tools.rpc import FarEnd, far_end, linked, make_burst, to_receiver


async def test_bursts_that_wait_at_the_same_time_are_one_message() -> None:
    far = FarEnd()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        await link.exchange(make_burst(1))
        assert far.messages == 1
        receptions = await asyncio.gather(*(link.exchange(make_burst(number)) for number in range(2, 52)))
    assert [reception.burst_id for reception in receptions] == list(range(2, 52))
    assert far.messages == 2


async def test_one_of_them_that_is_given_up_takes_nobody_along() -> None:
    far = FarEnd()
    async with far_end(far) as address, linked(to_receiver(address)) as link:
        sent = [asyncio.create_task(link.exchange(make_burst(number))) for number in range(1, 11)]
        sent[3].cancel()
        results = await asyncio.gather(*sent, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert [burst.counter for burst in far.bursts] == [1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_a_message_is_bounded_by_number_and_by_bytes() -> None:
    small = [pb.Burst(burst_id=number) for number in range(1, 2 * MOST_TOGETHER + 2)]
    assert [len(part) for part in fitting(small)] == [MOST_TOGETHER, MOST_TOGETHER, 1]
    large = [pb.Burst(burst_id=number, symbols=bytes(400 << 10)) for number in range(1, 8)]
    assert [len(part) for part in fitting(large)] == [2, 2, 2, 1]


async def test_answers_that_are_ready_are_one_message_and_the_others_do_not_wait_for_them() -> None:
    gate = asyncio.Event()

    async def messages() -> AsyncIterator[pb.Bursts]:
        yield pb.Bursts(bursts=[pb.Burst(burst_id=number) for number in range(1, 11)])

    async def answer(burst: pb.Burst) -> pb.Reception:
        if burst.burst_id > 6:
            await gate.wait()
        return pb.Reception(burst_id=burst.burst_id)

    together: list[Sequence[int]] = []
    async for message in answer_bursts(StreamAnswerer(limit=16), messages(), answer):
        together.append([reception.burst_id for reception in message.receptions])
        gate.set()
    assert [sorted(each) for each in together] == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10]]


async def test_the_bursts_of_one_message_are_held_to_the_limit_of_the_stream() -> None:
    at_work = most = 0

    async def messages() -> AsyncIterator[pb.Bursts]:
        yield pb.Bursts(bursts=[pb.Burst(burst_id=number) for number in range(1, 41)])

    async def answer(burst: pb.Burst) -> pb.Reception:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        return pb.Reception(burst_id=burst.burst_id)

    answers = [one async for one in answer_bursts(StreamAnswerer(limit=8), messages(), answer)]
    assert np.concatenate([[one.burst_id for one in each.receptions] for each in answers]).size == 40
    assert 1 < most <= 8
