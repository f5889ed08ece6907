"""The transmitter over real sockets, with a channel of a few lines behind it: pictures, settings, limits, deadlines."""

import asyncio
import math
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


async def designs_of(tmp_path: Path, monkeypatch, **settings: Any) -> list[float]:
    """The SNRs, dB, that the codec is told for two pictures; the receiver estimates -3 dB."""
    told: list[float] = []
    real = Encoder.encode

    def recorded(self, items):
        told.extend(item.snr_db for item in items)
        return real(self, items)

    monkeypatch.setattr(Encoder, "encode", recorded)
    async with transmitting(tmp_path, design_snr_db=7.0, **settings) as near:
        near.far.answer = lambda burst: echo(burst, snr_db_estimated=-3.0)
        told.clear()
        for _ in range(2):
            await near.send()
    return told


@pytest.mark.parametrize(("feedback", "second"), [(False, 7.0), (True, -3.0)])
async def test_codecs_are_told_what_snr_to_expect(parts, tmp_path: Path, monkeypatch, feedback, second) -> None:
    """The design point, until the receiver's answer says what it saw, and only if that is asked for."""
    assert await designs_of(tmp_path, monkeypatch, snr_feedback=feedback) == [7.0, second]


@pytest.mark.parametrize("codec", ["raw", "nested"])
async def test_under_design_fading_codecs_are_told_what_most_bursts_exceed(
    parts, tmp_path: Path, monkeypatch, codec
) -> None:
    """90 % of the bursts of block Rayleigh fading exceed 10 log10(-ln 0.9) = -9.77 dB below the average."""
    told = await designs_of(tmp_path, monkeypatch, codec=codec, k=None, design_fading="rayleigh")
    assert told == pytest.approx([7.0 - 9.773] * 2, abs=1e-3)


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
