"""Deadlines: late work is given up, and what is left of the time travels with the burst."""

import asyncio
import threading
from pathlib import Path

import grpc
import pytest

from protos.semlink.v1 import transmitter_pb2 as pb
from tests.tools.rpc import echo, status_of, until
from tests.tools.transmitter import Near, png, transmitting
from transmitter.encoder import Encoder

Code = grpc.StatusCode


@pytest.fixture
def held_encoder(monkeypatch: pytest.MonkeyPatch):
    """(sizes of the batches that reached CLIP, the event that lets them go; set, for the warm-up)."""
    sizes: list[int] = []
    opened = threading.Event()
    opened.set()
    real = Encoder.encode

    def slow(self, items):
        sizes.append(len(items))
        opened.wait(60)
        return real(self, items)

    monkeypatch.setattr(Encoder, "encode", slow)
    yield sizes, opened
    opened.set()


async def test_late_and_abandoned_work_never_reaches_clip(parts, tmp_path: Path, held_encoder) -> None:
    sizes, opened = held_encoder
    async with transmitting(tmp_path) as near:
        opened.clear()
        sizes.clear()
        busy = asyncio.create_task(near.send())
        await until(lambda: sizes == [1])
        late = near.many([pb.SendImageRequest(image=png(), request_id=n, timeout_seconds=0.1) for n in range(5)])
        late_task = asyncio.create_task(late)
        unary = near.stub.SendImage(pb.SendImageRequest(image=png()), timeout=0.2)
        assert (await status_of(unary))[0] is Code.DEADLINE_EXCEEDED
        gone = near.stub.SendImages(iter([pb.SendImageRequest(image=png()) for _ in range(5)]))
        given_up = asyncio.create_task(near.send())
        await asyncio.sleep(0.5)
        gone.cancel()
        given_up.cancel()
        await asyncio.sleep(0.3)
        opened.set()
        assert (await busy).item_id == "item-0"
        answers = await late_task
        assert {answer.failure.code for answer in answers.values()} == {Code.DEADLINE_EXCEEDED.value[0]}
        assert all("deadline" in answer.failure.message for answer in answers.values())
        assert (await near.send()).item_id == "item-1"
    assert sizes == [1, 1]
    assert len(near.far.bursts) == 2


async def test_what_is_left_of_a_deadline_travels_with_the_burst(near: Near) -> None:
    await near.stub.SendImage(pb.SendImageRequest(image=png()), timeout=50)
    assert 0 < near.far.bursts[-1].timeout_seconds < 50 * 1.01  # gRPC rounds up a timeout to three digits on the wire
    await near.stub.SendImage(pb.SendImageRequest(image=png()))
    assert 50 < near.far.bursts[-1].timeout_seconds < 60  # the default
    await near.many([pb.SendImageRequest(image=png(), timeout_seconds=30)])
    assert 0 < near.far.bursts[-1].timeout_seconds < 30


async def test_a_channel_that_does_not_answer_is_waited_for_until_the_deadline(near: Near) -> None:
    near.far.answer = lambda _: None
    answers = await near.many([pb.SendImageRequest(image=png(), request_id=1, timeout_seconds=0.3)])
    assert answers[1].failure.code == Code.DEADLINE_EXCEEDED.value[0]
    code, _ = await status_of(near.stub.SendImage(pb.SendImageRequest(image=png()), timeout=0.3))
    assert code is Code.DEADLINE_EXCEEDED
    near.far.answer = echo
    assert (await near.send()).label == "label"
