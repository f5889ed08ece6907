"""The transmitter over real sockets, with a channel of a few lines behind it: pictures, settings, limits, deadlines."""

import asyncio
import math
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as link_pb
from protos.semlink.v1 import transmitter_pb2 as pb
from shared.clip import Clip
from shared.codecs import CODECS, codec_class
from shared.datasets.decoding import decode_picture
from shared.errors import InvalidSetting, Lost, NotFound, Unavailable
from shared.frame.header import Header, codec_number, decode_headers, header_class
from shared.phy import pilot_positions, pilot_sequence
from shared.rpc.status import error_from_rpc
from shared.wire.link import burst_from_wire
from tests.tools.channel import mean_power
from tests.tools.rpc import FarEnd, echo, far_end, status_of, until
from tests.tools.transmitter import Near, png, transmitting
from transmitter.encoder import Encoder
from transmitter.service import TransmitterService
from transmitter.settings import TransmitterSettings

Code = grpc.StatusCode


def png_header(width: int, height: int) -> bytes:
    """A PNG file that promises a size and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (chunk, data, b"IEND")
    )


async def test_a_picture_becomes_a_burst_of_its_embedding(near: Near, clip: Clip) -> None:
    data = png(1, (80, 60))
    delivery = await near.send(data, top_k=3, stream=4, counter=9)
    burst = burst_from_wire(near.far.bursts[0])
    embedding = clip.embed_images(clip.preprocess(decode_picture(data).image)[None])[0]
    assert (burst.stream, burst.counter, burst.top_k, burst.trace) == (4, 9, 3, False)
    assert (burst.csi, burst.pilot_symbols, burst.codec.clip_fingerprint) == ("pilot", 8, clip.fingerprint)
    assert burst.symbols[:8].tobytes() == pilot_sequence(8).tobytes()
    assert mean_power(burst.symbols) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(burst.payload.view(np.float32) / 16, embedding, atol=1e-5)
    assert (delivery.item_id, delivery.codec, delivery.k) == ("item-9", "raw", 512)
    assert delivery.cbr == pytest.approx(256 / (3 * 80 * 60))
    assert delivery.cbr_total == pytest.approx((256 + 8) / (3 * 80 * 60))
    assert list(delivery.genies) == []


async def test_spread_pilots_stand_among_the_payload(near: Near) -> None:
    front = await near.send(pilot_symbols=16, pilot_pattern=common.PILOT_PATTERN_PREAMBLE)
    spread = await near.send(pilot_symbols=16, pilot_pattern=common.PILOT_PATTERN_SCATTERED)
    assert (front.pilot_pattern, spread.pilot_pattern) == (1, 2)
    one, two = (burst_from_wire(message) for message in near.far.bursts)
    assert (one.pilot_pattern, two.pilot_pattern) == ("preamble", "scattered")
    places = pilot_positions(16, two.symbols.size, "scattered")
    assert two.symbols[places].tobytes() == pilot_sequence(16).tobytes()
    assert (places[0], places[-1]) == (0, two.symbols.size - 1)
    assert one.payload.tobytes() == two.payload.tobytes()


async def test_what_is_on_the_air_is_counted_as_the_channel_reports_it(near: Near) -> None:
    """OFDM: prefixes and unused subcarriers take channel uses too."""

    def answer(burst: link_pb.Burst) -> link_pb.Reception:
        reception = echo(burst)
        reception.channel.air_symbols = 400
        return reception

    near.far.answer = answer
    delivery = await near.send(png(1, (80, 60)))
    assert delivery.cbr == pytest.approx(256 / (3 * 80 * 60))
    assert delivery.cbr_total == pytest.approx(400 / (3 * 80 * 60))


async def test_a_lost_burst_is_named_as_lost_alone_and_in_a_stream(near: Near) -> None:
    near.far.answer = lambda burst: link_pb.Reception(
        burst_id=burst.burst_id, failure=common.Failure(code=14, message="the channel lost it", lost=True)
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await near.send()
    assert refused.value.code() is Code.UNAVAILABLE
    error = error_from_rpc(refused.value)
    assert (type(error), str(error)) == (Lost, "the channel lost it")
    answers = await near.many([pb.SendImageRequest(image=png(), request_id=1)])
    assert answers[1].failure.lost
    near.far.answer = lambda burst: link_pb.Reception(
        burst_id=burst.burst_id, failure=common.Failure(code=14, message="nobody there")
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await near.send()
    assert type(error_from_rpc(refused.value)) is Unavailable


async def test_what_is_not_said_is_the_default_and_bursts_are_counted(near: Near) -> None:
    for _ in range(3):
        await near.send()
    bursts = [burst_from_wire(message) for message in near.far.bursts]
    assert [burst.counter for burst in bursts] == [0, 1, 2]
    assert {(burst.stream, burst.top_k, burst.codec.codec, burst.codec.k) for burst in bursts} == {(0, 5, "raw", 512)}
    assert len({burst.burst_id for burst in bursts}) == 3


async def test_asking_for_perfect_csi_names_the_genies(near: Near) -> None:
    delivery = await near.send(csi=common.CSI_PERFECT)
    assert list(delivery.genies) == ["perfect_csi", "known_snr"]
    assert near.far.bursts[0].pilot_symbols == 0


async def test_the_ledger_adds_up_to_the_total(near: Near) -> None:
    entries = [
        common.LedgerEntry(stage=stage, seconds=seconds, kind=kind)
        for stage, seconds, kind in [("decode", 1e-4, 1), ("channel", 1e-4, 1), ("airtime", 2.0, 2)]
    ]

    def answer(burst: link_pb.Burst) -> link_pb.Reception:
        reception = echo(burst)
        reception.ledger.extend(entries)
        return reception

    near.far.answer = answer
    delivery = await near.send()
    stages = [entry.stage for entry in delivery.ledger]
    assert stages == ["preprocess", "queue", "encode", "compress", "wire", "decode", "channel", "airtime", "other"]
    assert math.fsum(entry.seconds for entry in delivery.ledger) == pytest.approx(delivery.total_seconds, rel=1e-12)
    assert delivery.total_seconds > 2
    assert all(entry.seconds >= 0 for entry in delivery.ledger)
    assert [entry.stage for entry in delivery.ledger if entry.kind == common.LedgerEntry.KIND_EMULATED] == ["airtime"]


async def test_a_batch_sends_what_each_would_send_alone(near: Near) -> None:
    """Codecs and lengths mixed. Tolerance: convolutions of another batch size, in float32, brought to unit power."""
    choices = [("raw", 512), ("kbsc", 16), ("kbsc", 64), ("kbsc", 256)]
    requests = [
        pb.SendImageRequest(image=png(n), request_id=n, codec=codec, k=k, counter=n)
        for n, (codec, k) in enumerate(choices * 8)
    ]
    answers = await near.many(requests)
    assert {answer.WhichOneof("outcome") for answer in answers.values()} == {"delivery"}
    together = {message.counter: burst_from_wire(message) for message in near.far.bursts}
    near.far.bursts.clear()
    for request in requests:
        await near.stub.SendImage(request)
        alone = burst_from_wire(near.far.bursts[-1])
        assert alone.codec == together[request.counter].codec
        np.testing.assert_allclose(alone.symbols, together[request.counter].symbols, atol=2e-3)
        assert mean_power(together[request.counter].payload) == pytest.approx(1, abs=1e-5)


BAD_PICTURES = [
    (b"", Code.INVALID_ARGUMENT, "0 bytes"),
    (b"this is no picture at all", Code.INVALID_ARGUMENT, "no image that can be read"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", Code.INVALID_ARGUMENT, "no image"),
    (png()[:-40], Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png(kind="JPEG", size=(400, 300))[:900], Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png()[:20], Code.INVALID_ARGUMENT, ""),
    (png_header(0, 7), Code.INVALID_ARGUMENT, ""),
    (png_header(7, 0), Code.INVALID_ARGUMENT, ""),
    (png_header(4, 4), Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png_header(60_000, 60_000), Code.RESOURCE_EXHAUSTED, "pixels"),
    (png_header(8_001, 8_000), Code.RESOURCE_EXHAUSTED, "8001 x 8000 pixels, more than the limit of 64000000"),
    (b"\xff\xd8\xff" + bytes(32 << 20), Code.RESOURCE_EXHAUSTED, "33554435 bytes, more than the limit of 33554432"),
]


async def test_each_bad_picture_has_its_status_and_the_service_goes_on(near: Near) -> None:
    for image, code, text in BAD_PICTURES:
        found, message = await status_of(near.send(image))
        assert (found, text in message) == (code, True), (image[:20], found, message)
    assert near.far.bursts == []
    assert (await near.send()).item_id == "item-0"


async def test_bad_pictures_of_a_stream_are_answers_of_their_own(near: Near) -> None:
    bad = [image for image, _, _ in BAD_PICTURES if len(image) < 1 << 20]
    images = [image for one in bad for image in (one, png())]
    answers = await near.many([pb.SendImageRequest(image=image, request_id=n) for n, image in enumerate(images)])
    for number, image in enumerate(images):
        assert answers[number].WhichOneof("outcome") == ("delivery" if image == png() else "failure"), number
    codes = {image: code.value[0] for image, code, _ in BAD_PICTURES}
    assert all(answers[2 * n].failure.code == codes[image] for n, image in enumerate(bad))


async def test_a_message_beyond_the_cap_is_refused_by_grpc_and_the_service_goes_on(near: Near) -> None:
    request = pb.SendImageRequest(image=bytes(50 << 20))
    code, text = await status_of(near.stub.SendImage(request))
    assert code is Code.RESOURCE_EXHAUSTED
    assert "larger than max" in text
    assert (await near.send()).item_id == "item-0"


BAD_REQUESTS = [
    ({"codec": "jpeg"}, Code.NOT_FOUND, "no codec 'jpeg'; there are deepjscc, "),
    ({"codec": ""}, Code.NOT_FOUND, "no codec ''"),
    ({"k": 64}, Code.INVALID_ARGUMENT, "codec raw has no length k = 64; it has 512"),
    ({"k": 0}, Code.INVALID_ARGUMENT, "k = 0"),
    ({"codec": "kbsc", "k": 63}, Code.INVALID_ARGUMENT, "k = 63; it has 16, 64, 256"),
    ({"design_snr_db": 41.0}, Code.INVALID_ARGUMENT, "design_snr_db = 41"),
    ({"design_snr_db": math.nan}, Code.INVALID_ARGUMENT, "design_snr_db = nan"),
    ({"top_k": 101}, Code.INVALID_ARGUMENT, "top_k = 101"),
    ({"top_k": 0}, Code.INVALID_ARGUMENT, "top_k = 0"),
    ({"csi": 9}, Code.INVALID_ARGUMENT, "csi = 9"),
    ({"pilot_symbols": 0}, Code.INVALID_ARGUMENT, "pilot_symbols = 0"),
    ({"pilot_symbols": 1}, Code.INVALID_ARGUMENT, "pilot_symbols = 1"),
    ({"pilot_symbols": 1025}, Code.INVALID_ARGUMENT, "pilot_symbols = 1025"),
    ({"pilot_pattern": 9}, Code.INVALID_ARGUMENT, "pilot_pattern = 9"),
    ({"csi": common.CSI_NONE, "pilot_pattern": 2}, Code.INVALID_ARGUMENT, "pilot_pattern = scattered with csi none"),
    ({"csi": common.CSI_NONE, "pilot_symbols": 8}, Code.INVALID_ARGUMENT, "pilot_symbols = 8 with csi none"),
    ({"csi": common.CSI_PERFECT, "pilot_symbols": 8}, Code.INVALID_ARGUMENT, "with csi perfect"),
]
BAD_TIMEOUTS = [  # of a stream; a call has the deadline of gRPC
    ({"timeout_seconds": seconds}, Code.INVALID_ARGUMENT, f"timeout_seconds = {seconds}")
    for seconds in (-1.0, math.nan, math.inf)
]


async def test_each_bad_request_has_its_status_alone_and_in_a_stream(near: Near) -> None:
    for fields, code, text in BAD_REQUESTS:
        found, message = await status_of(near.send(**fields))
        assert (found, text in message) == (code, True), (fields, found, message)
    rows = BAD_REQUESTS + BAD_TIMEOUTS
    requests = [pb.SendImageRequest(image=png(), request_id=n, **fields) for n, (fields, _, _) in enumerate(rows)]
    answers = await near.many(requests)
    for number, (_, code, text) in enumerate(rows):
        assert answers[number].failure.code == code.value[0], text
        assert text in answers[number].failure.message
    assert near.far.bursts == []


@pytest.mark.parametrize("failure", [3, 4, 5, 8, 9, 13, 14, 15])
async def test_a_failure_of_the_far_end_is_the_status_of_the_call(near: Near, failure: int) -> None:
    near.far.answer = lambda burst: link_pb.Reception(
        burst_id=burst.burst_id, failure=common.Failure(code=failure, message="what the far end said")
    )
    code, text = await status_of(near.send())
    assert code.value[0] == failure
    assert "what the far end said" in text


async def test_without_a_channel_it_is_unavailable_at_once_and_heals(parts, tmp_path: Path) -> None:
    async with far_end(FarEnd()) as address:
        pass
    async with transmitting(tmp_path, channel_address=address) as near:
        code, text = await asyncio.wait_for(status_of(near.send()), 30)
        assert code is Code.UNAVAILABLE
        assert address in text
        async with far_end(FarEnd(), int(address.rpartition(":")[2])), asyncio.timeout(30):
            while True:
                answers = await near.many([pb.SendImageRequest(image=png(), request_id=1)])
                if answers[1].WhichOneof("outcome") == "delivery":
                    break
                assert answers[1].failure.code == Code.UNAVAILABLE.value[0]


async def test_beyond_the_cap_a_call_is_refused_and_a_stream_waits(parts, tmp_path: Path) -> None:
    async with transmitting(tmp_path, max_in_flight=3) as near:
        near.far.open.clear()
        busy = [asyncio.create_task(near.send()) for _ in range(3)]
        await until(lambda: bool(near.far.bursts))
        await asyncio.sleep(0.2)
        code, text = await status_of(near.send())
        assert code is Code.RESOURCE_EXHAUSTED
        assert "3 pictures are in flight" in text
        stream = asyncio.create_task(near.many([pb.SendImageRequest(image=png(), request_id=n) for n in range(20)]))
        hasty = asyncio.create_task(
            near.many([pb.SendImageRequest(image=png(), request_id=n, timeout_seconds=0.05) for n in range(5)])
        )
        answers = await asyncio.wait_for(hasty, 30)  # waiting for a place counts against the deadline
        assert {answer.failure.code for answer in answers.values()} == {Code.DEADLINE_EXCEEDED.value[0]}
        assert not stream.done()
        near.far.open.set()
        assert len({delivery.item_id for delivery in await asyncio.gather(*busy)}) == 3
        assert {answer.WhichOneof("outcome") for answer in (await stream).values()} == {"delivery"}


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


@pytest.mark.parametrize(("feedback", "second"), [(False, 7.0), (True, -3.0)])
async def test_codecs_are_told_what_snr_to_expect(parts, tmp_path: Path, monkeypatch, feedback, second) -> None:
    """The design point, until the receiver's answer says what it saw, and only if that is asked for."""
    told: list[float] = []
    real = Encoder.encode

    def recorded(self, items):
        told.extend(item.snr_db for item in items)
        return real(self, items)

    monkeypatch.setattr(Encoder, "encode", recorded)
    async with transmitting(tmp_path, design_snr_db=7.0, snr_feedback=feedback) as near:
        near.far.answer = lambda burst: echo(burst, snr_db_estimated=-3.0)
        told.clear()
        for _ in range(2):
            await near.send()
    assert told == [7.0, second]


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


async def test_it_describes_itself(near: Near, clip: Clip) -> None:
    described = await near.stub.Describe(pb.DescribeTransmitterRequest())
    assert (described.clip, described.clip_fingerprint) == ("clip-tiny", clip.fingerprint)
    assert (described.device, described.precision) == ("cpu", "float32")
    offered = [(codec.codec, codec.k) for codec in described.codecs]
    trained = [name for name in CODECS if not name.endswith("jscc")]  # those have weights of their own
    assert [one for one in offered if one[0] in trained] == [
        (name, k) for name in trained for k in codec_class(name).lengths
    ]
    assert (described.default_codec.codec, described.max_in_flight) == ("raw", 256)


@pytest.mark.parametrize("settings", [{"codec": "jpeg"}, {"codec": "kbsc", "k": 63}, {"codec": "raw", "k": 64}])
async def test_a_default_codec_that_cannot_be_is_an_error_at_the_start(parts, settings: dict[str, Any]) -> None:
    with pytest.raises((NotFound, InvalidSetting), match="codec"):
        async with TransmitterService.load(TransmitterSettings(device="cpu", **settings)):
            pass


async def test_what_the_receiver_cannot_know_is_configured_once_and_counted(near: Near) -> None:
    """Per request too: another way of sending is another configuration; a genie needs none."""
    deliveries = [await near.send(png(n), counter=n) for n in range(3)]
    (configured,) = near.far.configurations
    assert {burst.configuration for burst in near.far.bursts} == {configured.version}
    assert (configured.framing, configured.codecs[0].codec, configured.pilot_symbols) == (2, "raw", 8)
    assert {one.configuration_symbols for one in deliveries} == {16 * configured.ByteSize()}
    assert {(one.framing, one.header_symbols) for one in deliveries} == {(common.FRAMING_IMPLICIT, 0)}
    await near.send(top_k=7)
    assert len(near.far.configurations) == 2
    genie = await near.send(framing=common.FRAMING_IDEAL)
    assert len(near.far.configurations) == 2
    assert list(genie.genies) == ["ideal_header"]
    assert (genie.header_symbols, genie.configuration_symbols) == (16, 0)
    assert genie.cbr_total - deliveries[0].cbr_total == pytest.approx(16 / (3 * 40 * 30))


async def test_an_explicit_header_is_in_the_burst_and_counted(near: Near) -> None:
    options = {"framing": common.FRAMING_EXPLICIT, "design_snr_db": -4.0, "counter": 21}
    delivery = await near.send(png(1), **options)
    burst = burst_from_wire(near.far.bursts[0])
    assert burst.header_symbols == delivery.header_symbols == header_class(-4).symbols
    assert burst.payload.size == 256
    header = burst.symbols[8 : 8 + burst.header_symbols]
    (read,) = decode_headers(header[None], header.size, short=False)
    assert read == Header(1, codec_number("raw"), 0, 0, 0, 0, 21 % 16)
    assert mean_power(burst.symbols) == pytest.approx(1, abs=1e-5)
    assert delivery.cbr_total == pytest.approx((256 + 8 + header.size) / (3 * 40 * 30))
    assert list(delivery.genies) == []
