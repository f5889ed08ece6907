"""The receiver over real sockets: right answers, mixed batches, deadlines, and every bad burst by name."""

import asyncio
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from protos.semlink.v1 import knowledge_base_pb2 as kb_pb
from protos.semlink.v1 import knowledge_base_pb2_grpc as kb_rpc
from protos.semlink.v1 import link_pb2 as pb
from protos.semlink.v1 import link_pb2_grpc as rpc
from receiver.confidence import load_confidence
from receiver.decision import confidence_features, vote
from receiver.pipeline import ReceivePipeline
from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.codecs.base.registry import PICTURE_CODECS
from shared.errors import Expired, InvalidInput, Mismatch, NotFound
from shared.frame.burst import Burst, CodecSpec, Genie
from shared.observe.metrics import BATCH_ITEMS
from tests.tools.loading import threads_that_load
from tests.tools.receiver import CLIP, genie, sent, spec
from tests.tools.rpc import dialled, linked, make_burst, serving, status_of, to_receiver, until


async def test_what_arrives_clean_is_found(receiver, shelf, items) -> None:
    reception = await receiver.exchange(sent(shelf.get("raw"), 1, items[42], top_k=3))
    assert reception.top[0].item_id == "item-42"
    assert reception.top[0].label == "label 0"
    assert reception.top[0].distance < 1e-3
    assert len(reception.top) == 3
    assert [hit.distance for hit in reception.top] == sorted(hit.distance for hit in reception.top)
    assert reception.snr_db_estimated is None
    assert (len(reception.knowledge_base), reception.knowledge_base_version) == (64, len(items))
    assert [entry.stage for entry in reception.ledger] == ["receive_queue", "equalize", "decode", "search"]
    assert sum(entry.seconds for entry in reception.ledger) <= reception.elapsed_seconds
    assert all(entry.seconds >= 0 for entry in reception.ledger)


async def test_the_confidence_is_that_of_the_model_that_ships(receiver, shelf, items) -> None:
    """Of the features of the 20 nearest items, found here by hand; without pilots the noise is not known."""
    query = items[5] + 0.3 * items[6]
    query /= np.linalg.norm(query)
    reception = await receiver.exchange(sent(shelf.get("raw"), 1, query, top_k=1))
    cosines = items.astype(np.float64) @ query
    nearest = np.argsort(-cosines)[:20]
    ballot = vote(nearest[None] % 7, (2 - 2 * cosines[nearest])[None].astype(np.float32), np.array([np.nan]))
    features = confidence_features(ballot, np.array([np.nan]), np.array([256]))
    expected = load_confidence(Path("none")).vote.of(features)[0]
    assert reception.top[0].item_id == "item-5"
    assert reception.confidence == pytest.approx(expected, rel=1e-3)
    assert reception.accepted == (expected >= 0.5)
    assert len(reception.top) == 1


async def test_the_label_that_wins_the_vote_is_the_answer(receiver, shelf, items) -> None:
    """Six items of label 0 are together stronger than the nearest, of label 1; it comes second."""
    query = items[[7, 14, 21, 28, 35, 42]].sum(axis=0) + 1.2 * items[1]
    reception = await receiver.exchange(sent(shelf.get("raw"), 1, query / np.linalg.norm(query), top_k=4))
    assert reception.top[0].label == "label 0"
    assert reception.top[1].item_id == "item-1"
    assert reception.top[1].distance < reception.top[0].distance
    assert [hit.distance for hit in reception.top[1:]] == sorted(hit.distance for hit in reception.top[1:])


async def test_an_answer_that_is_not_sure_is_not_accepted_and_says_why(receiver, shelf, items) -> None:
    query = items[:40].sum(axis=0)
    reception = await receiver.exchange(sent(shelf.get("raw"), 1, query / np.linalg.norm(query)))
    assert not reception.accepted
    assert f"confidence {reception.confidence:.2f} is below 0.50" == reception.reason


async def test_pilots_give_an_estimate_of_gain_and_noise(receiver, shelf, items) -> None:
    burst = sent(shelf.get("raw"), 1, items[3], channel={"snr_db": 10}, pilots=256)
    reception = await receiver.exchange(burst)
    assert reception.snr_db_estimated == pytest.approx(10, abs=1.5)
    assert reception.top[0].item_id == "item-3"


@pytest.mark.parametrize("csi", ["pilot", "perfect"])
@pytest.mark.parametrize(
    "channel",
    [
        {"fading": "tdl-c", "waveform": "ofdm"},
        {"fading": "tdl-a", "waveform": "ofdm", "doppler_hz": 100},
        {"fading": "rayleigh", "waveform": "ofdm"},
        {"fading": "rayleigh", "doppler_hz": 1000},
        {"fading": "rayleigh", "coherence_symbols": 64},
        {"cfo_hz": 1000},
    ],
)
async def test_a_gain_that_differs_from_symbol_to_symbol_is_undone(receiver, shelf, items, channel, csi) -> None:
    """Of 60 pictures at 25 dB at most 6 are mistaken: those in a fade."""
    options = {"pilots": 64, "pilot_pattern": "scattered"} if csi == "pilot" else {"csi": csi}
    channel = {"snr_db": 25, **channel}
    bursts = [sent(shelf.get("raw"), n, items[n], channel=channel, **options) for n in range(1, 61)]
    receptions = await asyncio.gather(*map(receiver.exchange, bursts))
    assert sum(one.top[0].item_id == f"item-{n}" for n, one in enumerate(receptions, 1)) >= 54
    assert all((one.snr_db_estimated is None) == (csi == "perfect") for one in receptions)


async def test_a_trace_shows_what_was_received_and_equalized(receiver, shelf, items) -> None:
    burst = sent(shelf.get("raw"), 1, items[3], csi="perfect", genie=genie(0.5j, 0.1), trace=True)
    reception = await receiver.exchange(burst)
    assert reception.trace is not None
    assert reception.trace.received.tobytes() == burst.symbols.tobytes()
    assert reception.trace.sent.size == 0
    expected = burst.symbols / 0.5j  # zero forcing, the default
    np.testing.assert_allclose(reception.trace.equalized, expected, rtol=1e-5)


async def test_a_batch_answers_as_each_would_be_answered_alone(receiver, shelf, items) -> None:
    """Codecs, lengths, SNRs, CSI, pilots, waveforms and top_k mixed.

    Tolerance: float32 sums in another order, and distance's root.
    """
    moving, echoing = {"fading": "rician", "doppler_hz": 300}, {"fading": "tdl-c", "waveform": "ofdm"}
    choices = [
        {"pilots": 8},
        {"pilots": 16},
        {},
        {"csi": "perfect"},
        {"pilots": 16, "pilot_pattern": "scattered", "channel": moving},
        {"pilots": 16, "pilot_pattern": "scattered", "channel": echoing},
        {"csi": "perfect", "channel": echoing},
    ]
    bursts = []
    for number in range(84):
        codec = shelf.get(*[("raw", 512), ("kbsc", 16), ("kbsc", 64), ("kbsc", 256)][number % 4])
        options = dict(choices[number // 4 % 7])
        channel = {"snr_db": (np.inf, 10.0, 0.0)[number % 3]} | options.pop("channel", {})
        bursts.append(sent(codec, number + 1, items[number], channel=channel, top_k=1 + number % 20, **options))
    together = await asyncio.gather(*map(receiver.exchange, bursts))
    for burst, one in zip(bursts, together, strict=True):
        alone = await receiver.exchange(burst)
        assert [hit.item_id for hit in one.top] == [hit.item_id for hit in alone.top]
        assert len(one.top) == burst.top_k
        np.testing.assert_allclose(
            [hit.distance for hit in one.top], [hit.distance for hit in alone.top], atol=1e-3, rtol=1e-4
        )
        assert one.confidence == pytest.approx(alone.confidence, abs=1e-4)
        assert one.snr_db_estimated == alone.snr_db_estimated


async def test_bursts_of_one_message_are_decoded_together(receiver, shelf, items) -> None:
    """Once the time that one takes alone is known, one alone is decoded on the event loop, and several are not."""

    def batches() -> tuple[int, float]:
        held = BATCH_ITEMS.values[("decoder",)]
        return sum(held.counts), held.total

    codec = shelf.get("raw", 512)
    for number in range(1, 4):
        await receiver.exchange(sent(codec, number, items[number]))
    before = batches()
    await asyncio.gather(*(receiver.exchange(sent(codec, number, items[number])) for number in range(10, 26)))
    counted = np.subtract(batches(), before)
    assert counted[1] == 16
    assert counted[0] <= 4


async def test_each_bad_burst_has_its_error_and_the_others_of_its_batch_do_not(receiver, shelf, items) -> None:
    raw, kbsc = shelf.get("raw"), shelf.get("kbsc", 64)
    good = sent(raw, 1, items[0])
    nothing, huge = np.zeros(256, np.complex64), np.full(256, 3e38, np.complex64)

    def of(burst_id: int, codec: CodecSpec = good.codec, symbols=good.symbols, **fields) -> Burst:
        return make_burst(burst_id, codec=codec, symbols=symbols, **fields)

    bad = {
        NotFound: [
            (of(10, CodecSpec("jpeg", 512, "", CLIP)), "no codec 'jpeg'"),
            (of(11, CodecSpec("", 0, "", CLIP)), "no codec ''"),
        ],
        Mismatch: [
            (of(20, CodecSpec("raw", 512, "0" * 16, CLIP)), "fingerprint 0000000000000000 at the transmitter"),
            (of(21, CodecSpec("raw", 512, "", CLIP)), "fingerprint none"),
            (of(22, CodecSpec("raw", 512, raw.fingerprint, "badc0de")), "CLIP with fingerprint badc0de"),
            (of(23, CodecSpec("raw", 512, raw.fingerprint, "")), "semlink kb build"),
            (of(24, symbols=good.symbols[:255]), "takes 256 payload symbols, the burst holds 255"),
            (of(25, spec(kbsc)), "takes 32 payload symbols, the burst holds 256"),
        ],
        InvalidInput: [
            (of(30, CodecSpec("raw", 64, raw.fingerprint, CLIP)), "no length k = 64"),
            (of(31, CodecSpec("kbsc", 0, "", CLIP)), "no length k = 0"),
            (of(29, CodecSpec("raw", 512, raw.fingerprint, CLIP, 1)), "codec raw k = 512 has no mode 1"),
            (of(32, symbols=nothing), "burst 32 decodes to no direction"),
            (of(33, symbols=huge, csi="perfect", genie=genie(1e-9, 0.0)), "decodes to no direction"),
            (of(34, symbols=np.full(256, np.nan, np.complex64)), "NaN"),
            (of(35, top_k=101), "top_k = 101"),
            (of(36, csi="perfect"), "csi perfect without a genie"),
            (of(37, genie=genie(1, 0.1)), "csi none with a genie"),
            (of(38, csi="perfect", genie=Genie(np.ones(2, np.complex64), 0.1)), "2 values for 256 symbols"),
            (of(39, pilot_symbols=1), "1 pilots with csi pilot"),
            (of(40, pilot_symbols=300, pilot_pattern="scattered"), "300 pilots in a burst of 556 symbols"),
        ],
    }
    cases = [(kind, burst, text) for kind, rows in bad.items() for burst, text in rows]
    others = [sent(raw, number, items[number]) for number in range(100, 110)]
    with np.errstate(all="ignore"):
        results = await asyncio.gather(
            *(receiver.exchange(burst) for _, burst, _ in cases),
            *map(receiver.exchange, others),
            return_exceptions=True,
        )
    for (kind, burst, text), result in zip(cases, results, strict=False):
        assert type(result) is kind, (burst.burst_id, result)
        assert text in str(result)
    assert [r.top[0].item_id for r in results[len(cases) :]] == [f"item-{number}" for number in range(100, 110)]


async def test_late_bursts_are_dropped_before_the_decoder(shelf, items, monkeypatch, tmp_path, directory) -> None:
    decoded: list[int] = []
    opened = threading.Event()
    real = ReceivePipeline.receive

    def slow(self, batch):
        decoded.extend(burst.burst_id for burst, _ in batch)
        opened.wait(30)
        return real(self, batch)

    monkeypatch.setattr(ReceivePipeline, "receive", slow)
    settings = ReceiverSettings(kb=directory / "kb", device="cpu", grace_seconds=1, log_level="error")
    async with serving(ReceiverService, settings, tmp_path) as address, linked(to_receiver(address)) as link:
        raw = shelf.get("raw")
        busy = asyncio.create_task(link.exchange(sent(raw, 1, items[1])))
        await until(lambda: decoded == [1])
        late = [link.exchange(sent(raw, n, items[n], timeout_seconds=0.05)) for n in range(2, 12)]
        patient = asyncio.create_task(link.exchange(sent(raw, 99, items[99], timeout_seconds=60)))
        assert all(isinstance(r, Expired) for r in await asyncio.gather(*late, return_exceptions=True))
        await asyncio.sleep(0.3)  # the receiver's clock started when it read them
        opened.set()
        assert (await busy).burst_id == 1
        assert (await patient).top[0].item_id == "item-99"
    assert decoded == [1, 99]


async def test_an_unexpected_error_is_internal_and_the_receiver_goes_on(receiver, shelf, items, monkeypatch) -> None:
    monkeypatch.setattr("receiver.pipeline.equalize_bursts", lambda *_: 1 / 0)
    with pytest.raises(Exception, match=r"internal error \w+: ZeroDivisionError"):
        await receiver.exchange(sent(shelf.get("raw"), 1, items[1]))
    monkeypatch.undo()
    assert (await receiver.exchange(sent(shelf.get("raw"), 2, items[2]))).top[0].item_id == "item-2"


async def test_the_receiver_and_its_knowledge_base_describe_themselves(receiver, shelf, items) -> None:
    async with dialled(receiver.address) as channel:
        described = await rpc.ReceiverStub(channel).Describe(pb.DescribeReceiverRequest())
        kb = kb_rpc.KnowledgeBaseStub(channel)
        assert await kb.Describe(kb_pb.DescribeKnowledgeBaseRequest()) == described.knowledge_base
        assert (described.knowledge_base.items, described.knowledge_base.labels) == (len(items), 7)
        offered = [(codec.codec, codec.k) for codec in described.codecs]
        assert [one for one in offered if one[0] not in PICTURE_CODECS] == [
            ("kbsc", 16), ("kbsc", 64), ("kbsc", 256), ("raw", 512),
        ]  # fmt: skip
        assert ("webp-ldpc", 4096) in offered  # pictures fit any CLIP
        assert {codec.clip_fingerprint for codec in described.codecs} == {CLIP}
        item = await kb.GetItem(kb_pb.GetItemRequest(item_id="item-9"))
        assert (item.label, item.thumbnail) == ("label 2", b"webp")
        np.testing.assert_allclose(np.frombuffer(item.embedding, "<f4"), items[9], atol=1e-7)
        code, text = await status_of(kb.GetItem(kb_pb.GetItemRequest(item_id="nothing")))
        assert code is grpc.StatusCode.NOT_FOUND
        assert "'nothing'" in text


async def test_without_a_knowledge_base_it_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="semlink kb build"):
        async with ReceiverService.load(ReceiverSettings(kb=tmp_path / "none")):
            pass


async def test_a_codec_of_questions_is_loaded_off_the_event_loop(receiver, monkeypatch) -> None:
    threads = threads_that_load(monkeypatch)
    with pytest.raises(Mismatch, match="klt"):
        await receiver.exchange(make_burst(1, codec=CodecSpec("klt", 512, "0" * 16, CLIP)))
    assert threads
    assert threading.main_thread() not in threads[:1]
