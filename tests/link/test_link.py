"""The whole link, three real processes over real sockets: 200 pictures, parity, two clients, replay, ledgers."""

import asyncio
import math
import threading
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from client import AsyncSemLink, ChannelControl, Delivery, Kind, SemLink
from local.supervisor import LocalLink
from receiver.knowledge_base import KnowledgeBase
from shared.clip import load_clip
from shared.datasets.decoding import decode_picture
from shared.errors import Exhausted, InvalidInput, NotFound, SemLinkError
from shared.ledger import Stage
from shared.phy import ChannelSettings, Link, payload_positions, pilot_sequence, place_pilots
from tests.tools.rpc import dialled

Pictures = list[tuple[str, bytes]]
OTHERS = {Stage.EMBED, Stage.HEADER, Stage.ANSWER}
"""Stages of pictures, of coded headers and of questions."""


def delivered(answers: Any) -> dict[int, Delivery]:
    """Position and delivery of each answer; fails for an answer that is an error or comes twice."""
    found: dict[int, Delivery] = {}
    for position, outcome in answers:
        assert isinstance(outcome, Delivery), outcome
        assert position not in found
        found[position] = outcome
    return found


def test_200_pictures_are_answered_once_each_as_their_embeddings_say(link: LocalLink, client, drawn_pngs) -> None:
    """No noise, codec raw: the answer is the nearest item to the embedding itself, computed here without a link.

    Two pictures in 200 may differ: the transmitter embeds in bfloat16 where that is faster, in batches of any size.
    """
    files = [data for _, data in drawn_pngs]
    assert len(files) == 200
    options = {"codec": "raw", "snr_db": math.inf, "fading": "none", "csi": "none"}
    found = delivered(client.send_many(files, in_flight=64, **options))
    assert sorted(found) == list(range(200))
    with SemLink(link.transmitter) as other:
        described = other.describe()
    clip = load_clip(device="cpu", precision=described.precision, engine=described.engine)
    assert clip.fingerprint == described.clip_fingerprint, "the weights changed under the running link"
    pixels = np.stack([clip.preprocess(decode_picture(data).image) for data in files])
    with KnowledgeBase.open(link.plan.knowledge_base) as kb:
        hits = kb.search(clip.embed_images(pixels), 1)
    same = sum(found[n].item_id == hit.item_id for n, (hit,) in enumerate(hits))
    assert same >= 198
    assert all(abs(found[n].distance - hit.distance) < 0.05 for n, (hit,) in enumerate(hits))
    right = sum(found[n].label == label for n, (label, _) in enumerate(drawn_pngs))
    right_offline = sum(hit.label == label for (hit,), (label, _) in zip(hits, drawn_pngs, strict=True))
    assert abs(right - right_offline) <= 2
    reports = [delivery.channel for delivery in found.values()]
    assert {report.snr_db_achieved for report in reports} == {math.inf}
    assert len({report.counter for report in reports}) == 200


def test_two_clients_at_once_get_their_own_answers(link: LocalLink, drawn_pngs: Pictures) -> None:
    """Each mixes codecs, lengths and SNRs in the same batches; every answer is that of the request."""
    choices = [("raw", 512, 20.0), ("kbsc", 16, math.inf), ("kbsc", 64, 0.0), ("kbsc", 256, -5.0)]
    results: dict[int, list[tuple[tuple[str, int, float], Delivery]]] = {0: [], 1: []}

    def send(number: int) -> None:
        with SemLink(link.transmitter, timeout=60) as own:
            for start in range(4):
                codec, k, snr_db = choice = choices[(start + number) % 4]
                part = [data for _, data in drawn_pngs[start * 12 : start * 12 + 12]]
                counted = 1000 * number + 100 * start
                for position, outcome in own.send_many(part, codec=codec, k=k, snr_db=snr_db, counter=counted):
                    assert isinstance(outcome, Delivery), outcome
                    assert outcome.channel.counter == counted + position
                    results[number].append((choice, outcome))

    threads = [threading.Thread(target=send, args=(number,)) for number in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for answers in results.values():
        assert len(answers) == 48
        for (codec, k, snr_db), delivery in answers:
            assert (delivery.codec, delivery.k, delivery.channel.snr_db_asked) == (codec, k, snr_db)


async def test_many_calls_of_one_loop_are_answered_each(link: LocalLink, drawn_pngs: Pictures) -> None:
    async with AsyncSemLink(link.transmitter, timeout=60) as one, AsyncSemLink(link.transmitter, timeout=60) as two:
        calls = [
            (one, two)[n % 2].send(drawn_pngs[n][1], codec="raw", snr_db=float(n), counter=n, stream=3, seed=n)
            for n in range(40)
        ]
        deliveries = await asyncio.gather(*calls)
    for n, delivery in enumerate(deliveries):
        report = delivery.channel
        assert (report.counter, report.stream, report.seed, report.snr_db_asked) == (n, 3, n, float(n))


def traced(client: SemLink, files: list[bytes], **options: Any) -> list[tuple[bytes, bytes]]:
    """Payload sent and received of each picture, as bytes."""
    found = delivered(client.send_many(files, trace=True, counter=500, stream=7, **options))
    traces = [found[n].trace for n in range(len(files))]
    return [(trace.sent.tobytes(), trace.received.tobytes()) for trace in traces]


def test_a_burst_is_replayed_bit_for_bit_in_any_company(link: LocalLink, client, drawn_pngs: Pictures) -> None:
    """The noise and the gain depend on (seed, stream, burst) alone, and off-line they are the same."""
    one = [drawn_pngs[0][1]] * 24  # the same picture: what was sent is the same but for the batch it was encoded in
    options: dict[str, Any] = {"codec": "raw", "snr_db": 3.0, "fading": "rayleigh", "seed": 21, "pilot_symbols": 8}
    first = traced(client, one, in_flight=24, **options)
    again = traced(client, one, in_flight=1, **options)
    assert len({received for _, received in again}) == 24
    settings = ChannelSettings(snr_db=3.0, fading="rayleigh", seed=21)
    for run in (first, again):
        for number, (sent, received) in enumerate(run):
            x = np.concatenate([pilot_sequence(8), np.frombuffer(sent, np.complex64)])
            y = Link.from_settings(settings).transmit(x, 7, 500 + number).y
            assert y[8:].tobytes() == received
    alone = [client.send(one[0], trace=True, counter=500 + n, stream=7, **options).trace for n in (5, 5, 23)]
    assert [(t.sent.tobytes(), t.received.tobytes()) for t in alone] == [again[5], again[5], again[23]]


def test_another_name_is_another_draw(client, drawn_pngs: Pictures) -> None:
    options: dict[str, Any] = {"codec": "raw", "snr_db": 3.0, "trace": True}
    names = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    seen = {
        client.send(drawn_pngs[0][1], seed=seed, stream=stream, counter=counter, **options).trace.received.tobytes()
        for seed, stream, counter in names
    }
    assert len(seen) == 4


def test_the_ledger_of_every_delivery_adds_up(client, drawn_pngs: Pictures) -> None:
    options: dict[str, Any] = {"symbol_rate_hz": 1e4, "propagation_seconds": 0.125, "pilot_symbols": 16}
    for codec, k in (("raw", 512), ("kbsc", 64)):
        found = delivered(client.send_many([data for _, data in drawn_pngs[:32]], codec=codec, k=k, **options))
        for delivery in found.values():
            ordinary = set(Stage) - OTHERS - {Stage.AIR_QUEUE, Stage.DELAY}
            assert sorted(entry.stage for entry in delivery.ledger) == sorted(ordinary), "each stage once"
            assert all(entry.seconds >= 0 for entry in delivery.ledger)
            assert math.fsum(e.seconds for e in delivery.ledger) == pytest.approx(delivery.total_seconds, rel=1e-9)
            emulated = {e.stage: e.seconds for e in delivery.ledger if e.kind is Kind.EMULATED}
            assert emulated == {"airtime": pytest.approx((k // 2 + 16) / 1e4), "propagation": 0.125}
            assert delivery.cbr == pytest.approx(k / 2 / (3 * 64 * 64))
            assert delivery.cbr_total == pytest.approx((k / 2 + 16) / (3 * 64 * 64))


def test_time_on_the_air_that_is_waited_for_is_measured_and_counted_once(
    client, link: LocalLink, drawn_pngs: Pictures
) -> None:
    options: dict[str, Any] = {"propagation_seconds": 0.1, "delay_seconds": 0.05}
    options |= {"codec": "kbsc", "k": 64, "pilot_symbols": 16}
    with ChannelControl(link.channel) as control:
        control.set(symbol_rate_hz=1e3, airtime="real")
        try:
            start = perf_counter()
            found = delivered(client.send_many([data for _, data in drawn_pngs[:6]], **options))
            elapsed = perf_counter() - start
        finally:
            control.reset()
    assert elapsed >= 6 * 0.048 + 0.15  # one after the other
    for delivery in found.values():
        assert sorted(entry.stage for entry in delivery.ledger) == sorted(set(Stage) - OTHERS)
        assert {entry.kind for entry in delivery.ledger} == {Kind.MEASURED}
        assert delivery.seconds(Stage.AIRTIME) == pytest.approx((32 + 16) / 1e3)
        assert delivery.seconds(Stage.PROPAGATION) == 0.1
        assert delivery.seconds(Stage.DELAY) >= 0.05
        assert delivery.total_seconds <= elapsed
    assert max(delivery.seconds(Stage.AIR_QUEUE) for delivery in found.values()) > 0.048  # the last one


def test_honest_csi_costs_and_perfect_csi_is_named(client, drawn_pngs: Pictures) -> None:
    picture = drawn_pngs[0][1]
    fading: dict[str, Any] = {"codec": "raw", "fading": "rayleigh", "snr_db": 30.0, "seed": 3, "counter": 1}
    genie = client.send(picture, csi="perfect", **fading)
    assert genie.genies == ("perfect_csi", "known_snr")
    pilot = client.send(picture, csi="pilot", **fading)
    assert pilot.genies == ()
    achieved = pilot.channel.snr_db_achieved
    assert pilot.snr_db_estimated == pytest.approx(achieved, abs=6)
    assert pilot.cbr_total > genie.cbr_total
    assert genie.item_id == pilot.item_id


@pytest.mark.parametrize(
    "channel",
    [
        {"fading": "tdl-c", "waveform": "ofdm"},
        {"fading": "rician", "doppler_hz": 1000.0},
    ],
)
def test_a_gain_that_differs_from_symbol_to_symbol_is_followed(client, drawn_pngs: Pictures, channel) -> None:
    """Through three processes as off-line, and right: of 40 pictures at 25 dB at most 4 are mistaken for others."""
    files = [data for _, data in drawn_pngs[:40]]
    options: dict[str, Any] = {"codec": "raw", "snr_db": 25.0, "seed": 5, "counter": 9, "pilot_symbols": 64, **channel}
    clean = delivered(client.send_many(files, codec="raw", snr_db=math.inf, csi="none"))
    found = delivered(client.send_many(files, trace=True, pilot_pattern="scattered", **options))
    assert sum(found[n].item_id == clean[n].item_id for n in range(40)) >= 36
    of = Link.from_settings(ChannelSettings(snr_db=25.0, seed=5, **channel))
    for number, delivery in found.items():
        sent = of.transmit(place_pilots(delivery.trace.sent, 64, "scattered"), 0, 9 + number)
        expected = sent.y[payload_positions(64, 320, "scattered")]
        assert delivery.trace.received.tobytes() == expected.tobytes()
        report = delivery.channel
        assert (report.air_symbols, report.snr_db_achieved) == (sent.air_symbols, sent.snr_db_achieved)
        assert delivery.snr_db_estimated == pytest.approx(sent.snr_db_achieved, abs=4)
        assert delivery.cbr_total == pytest.approx(sent.air_symbols / (3 * 64 * 64))


def test_settings_of_one_picture_leave_the_channel_alone(link: LocalLink, client, drawn_pngs: Pictures) -> None:
    with ChannelControl(link.channel) as channel:
        before = channel.get()
        client.send(drawn_pngs[0][1], snr_db=-7, fading="rayleigh", seed=99)
        assert channel.get() == before
        try:
            channel.set(snr_db=17, seed=5)
            assert client.send(drawn_pngs[0][1]).channel.snr_db_asked == 17
            assert client.send(drawn_pngs[0][1], snr_db=1).channel.seed == 5
        finally:
            assert channel.reset() == before


BAD = [
    (b"not a picture", {}, InvalidInput, "no image"),
    (None, {"snr_db": 1000.0}, InvalidInput, "snr_db = 1000.0"),
    (None, {"propagation_seconds": -1.0}, InvalidInput, "propagation_seconds = -1.0"),
    (None, {"symbol_rate_hz": 0.0}, InvalidInput, "symbol_rate_hz = 0.0"),
    (None, {"codec": "jpeg"}, NotFound, "jpeg"),
    (None, {"codec": "kbsc", "k": 48}, InvalidInput, "k = 48"),
    (None, {"top_k": 101}, InvalidInput, "top_k = 101"),
    (None, {"csi": "none", "pilot_symbols": 4}, InvalidInput, "pilot_symbols = 4"),
    (b"\xff\xd8\xff" + bytes(33 << 20), {}, Exhausted, "more than the limit"),
]


def test_a_bad_request_is_refused_by_name_and_the_next_is_served(client: SemLink, drawn_pngs: Pictures) -> None:
    good = drawn_pngs[0][1]
    for picture, options, kind, text in BAD:
        with pytest.raises(SemLinkError) as refused:
            client.send(picture or good, **options)
        assert (type(refused.value), text in str(refused.value)) == (kind, True), refused.value
        assert client.send(good, codec="raw", snr_db=math.inf).item_id


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("transmitter", ["semlink.v1.Transmitter"]),
        ("channel", ["semlink.v1.Channel"]),
        ("receiver", ["semlink.v1.KnowledgeBase", "semlink.v1.Receiver"]),
    ],
)
async def test_every_server_has_health_and_reflection(link: LocalLink, service: str, names: list[str]) -> None:
    async with dialled(getattr(link, service)) as channel:
        for name in ("", *names):
            answer = await HealthStub(channel).Check(HealthCheckRequest(service=name), timeout=30)
            assert answer.status == HealthCheckResponse.SERVING
        call = ServerReflectionStub(channel).ServerReflectionInfo(iter([ServerReflectionRequest(list_services="")]))
        listed = sorted(one.name for one in (await call.read()).list_services_response.service)
        call.cancel()
    assert listed == ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", *names]
