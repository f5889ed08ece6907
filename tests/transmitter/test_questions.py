"""Questions at the transmitter: what they need is loaded off the event loop, and nothing for what is none."""

import asyncio
import threading

import grpc
import pytest

from protos.semlink.v1 import transmitter_pb2 as pb
from shared.codecs import AnyCodec
from tests.tools.loading import threads_that_load
from tests.tools.rpc import status_of, until
from tests.tools.transmitter import Near
from transmitter.encoder import Encoder


async def test_a_codec_of_questions_is_loaded_off_the_event_loop(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threads_that_load(monkeypatch)
    await near.send(codec="klt", question=pb.Question(text="how many stars are there?"))
    assert threads
    assert threads[0] is not threading.main_thread()


async def test_what_is_no_question_loads_nothing(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threads_that_load(monkeypatch)
    code, text = await status_of(near.send(question=pb.Question(text="where is the dog?")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "does not know 'dog'" in text
    assert threads == []


async def test_the_receiver_is_told_of_a_slow_codec_before_its_first_picture_is_encoded(
    near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, encode_once = threading.Event(), Encoder.encode_once

    def waiting(encoder: Encoder, codec: AnyCodec) -> None:
        assert told.wait(10), "no configuration came"
        encode_once(encoder, codec)

    monkeypatch.setattr(Encoder, "encode_once", waiting)
    sending = asyncio.create_task(near.send(codec="klt", question=pb.Question(text="how many stars are there?")))
    await until(lambda: near.far.configurations)
    told.set()
    await sending
    assert len(near.far.configurations) == 1
