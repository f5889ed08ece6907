"""SendEmbedding: a ready embedding makes the burst that its picture makes; those of another CLIP are refused."""

import math
from typing import Any

import grpc
import numpy as np
import pytest

from protos.semlink.v1 import transmitter_pb2 as pb
from shared.clip import Clip
from shared.datasets.decoding import decode_picture
from shared.wire.link import burst_from_wire
from tests.tools.rpc import status_of
from tests.tools.transmitter import Near, png

Code = grpc.StatusCode


def request(clip: Clip, values: np.ndarray | None = None, **fields: Any) -> pb.SendImageRequest:
    made_by = fields.pop("clip_fingerprint", clip.fingerprint)
    chosen = np.ones(clip.dim) if values is None else values
    embedding = pb.Embedding(
        values=chosen.astype("<f4").tobytes(), clip_fingerprint=made_by, source_values=fields.pop("source_values", 0)
    )
    return pb.SendImageRequest(embedding=embedding, **fields)


async def test_its_burst_is_the_pictures_and_no_clip_runs(
    near: Near, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = png(1)
    by_picture = await near.send(data, counter=3)
    embedding = clip.embed_images(clip.preprocess(decode_picture(data).image)[None])[0]
    monkeypatch.setattr(Clip, "embed_images", lambda *_: pytest.fail("CLIP ran"))
    given = request(clip, 7 * embedding, counter=3, source_values=3 * 40 * 30)
    by_embedding = await near.stub.SendEmbedding(given, timeout=60)
    first, second = (burst_from_wire(message) for message in near.far.bursts)
    np.testing.assert_allclose(first.symbols, second.symbols, atol=1e-6)
    assert (by_embedding.item_id, by_embedding.cbr) == (by_picture.item_id, by_picture.cbr)
    stages = [entry.stage for entry in by_embedding.ledger]
    assert not {"preprocess", "encode"} & {*stages}
    assert "compress" in stages
    assert by_embedding.total_seconds == pytest.approx(sum(entry.seconds for entry in by_embedding.ledger))


async def test_in_a_stream_beside_pictures(near: Near, clip: Clip) -> None:
    answers = await near.many([request(clip, request_id=1), pb.SendImageRequest(image=png(), request_id=2)])
    assert math.isnan(answers[1].delivery.cbr)
    assert answers[2].delivery.cbr > 0


async def test_what_is_refused_and_why(near: Near, clip: Clip) -> None:
    wrong = [
        (request(clip, clip_fingerprint="0123456789abcdef"), Code.FAILED_PRECONDITION, "made by CLIP 0123456789abcdef"),
        (request(clip, clip_fingerprint=""), Code.FAILED_PRECONDITION, "without a fingerprint"),
        (request(clip, np.ones(3)), Code.INVALID_ARGUMENT, "has 3 values"),
        (request(clip, np.zeros(512)), Code.INVALID_ARGUMENT, "no direction"),
        (request(clip, np.full(512, np.nan)), Code.INVALID_ARGUMENT, "no direction"),
        (request(clip, codec="jpeg-ldpc"), Code.INVALID_ARGUMENT, "sends pictures"),
        (request(clip, image=png()), Code.INVALID_ARGUMENT, "send one of them"),
        (pb.SendImageRequest(image=png()), Code.INVALID_ARGUMENT, "without an embedding"),
    ]
    for message, code, text in wrong:
        found, said = await status_of(near.stub.SendEmbedding(message, timeout=60))
        assert (found, text in said) == (code, True), said
    found, said = await status_of(near.stub.SendImage(request(clip), timeout=60))
    assert (found, "call SendEmbedding" in said) == (Code.INVALID_ARGUMENT, True)
    assert near.far.bursts == []
