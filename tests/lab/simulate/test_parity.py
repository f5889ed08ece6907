"""Off line and live are the same link: the same symbols bit for bit, and the same answers, for every codec.

Pictures go one by one, and with the transmitter's arithmetic and threads, because an embedding depends on its batch in
its last bits. The channel's part does not: tests/channel_proxy sends many at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from client import ChannelControl, Delivery, SemLink
from client.options import ROUNDS
from lab.simulate.chain import channel_chain
from lab.simulate.link import OfflineLink
from lab.simulate.rounds import send_rounds
from local.supervisor import LinkPlan, LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.label_posterior import LabelPosteriors
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import Clip, embed_pictures, load_clip
from shared.codecs import CODECS, CodecShelf, PictureCodec
from shared.codecs.picture.ldpc import LOST
from shared.device import use_threads
from shared.errors import Lost
from shared.frame.delivery import REQUIRED_POSTERIOR, Harq, SendRequest
from shared.phy import ChannelSettings
from shared.phy.conditions.schedule import Schedule
from shared.runtime.threads import use_one_numpy_thread
from tests.tools.own_codecs import own_codecs
from tests.tools.schedules import OFDM, SINGLE_CARRIER

pytestmark = pytest.mark.timeout(300)

OWN = ("signs", "random-jscc")
LENGTHS = {"kbsc": 16, "webp-ldpc": 4096, "deepjscc": 512, "random-jscc": 256, "vq-digital": 64}  # else the usual one
RAYLEIGH = {"snr_db": 3.0, "fading": "rayleigh", "seed": 5}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *((codec, RAYLEIGH, {}) for codec in (*CODECS, *OWN)),
    ("kbsc", {"snr_db": 2.0, "seed": 11}, {"csi": "none"}),
    ("raw", {"snr_db": 2.0, "fading": "rayleigh", "seed": 11}, {"csi": "perfect"}),
    ("nested", RAYLEIGH | {"coherence_symbols": 16}, {"pilot_symbols": 16, "pilot_pattern": "scattered"}),
    ("nested", RAYLEIGH, {"framing": "ideal"}),
    ("nested", RAYLEIGH | {"snr_db": 5.0}, {"framing": "explicit"}),
    ("kbsc", {"snr_db": 2.5, "seed": 11}, {"framing": "explicit", "pilot_symbols": 16, "pilot_pattern": "scattered"}),
    ("vq-digital", RAYLEIGH | {"snr_db": 9.0}, {"framing": "explicit", "csi": "perfect"}),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return own_codecs(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def live(link: LocalLink, own: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLink]:
    """Three more processes, whose operator named two codecs of his own."""
    flags = [part for source in own for part in ("--own-codec", source)]
    plan = LinkPlan(
        link.plan.knowledge_base,
        tmp_path_factory.mktemp("logs"),
        source=None,
        read_only=True,
        flags={"transmitter": flags, "receiver": flags},
    )
    with LocalLink(plan) as running:
        yield running


@pytest.fixture(scope="module")
def client(live: LocalLink) -> Iterator[SemLink]:
    with SemLink(live.transmitter, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def clip(client: SemLink) -> Clip:
    described = client.describe()
    return load_clip(device="cpu", precision=described.precision, engine=described.engine)


@pytest.fixture(scope="module")
def shelf(clip: Clip, own: list[str]) -> CodecShelf:
    return CodecShelf("cpu", clip.fingerprint, own)


@pytest.fixture(scope="module")
def knowledge_base(live: LocalLink) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(live.plan.knowledge_base, writable=False) as knowledge_base:
        yield knowledge_base


@pytest.fixture(scope="module")
def receiver(
    live: LocalLink, clip: Clip, shelf: CodecShelf, knowledge_base: KnowledgeBase
) -> Iterator[ReceivePipeline]:
    """With as many threads of torch and numpy as the live one: sums depend on them in their last bits."""
    use_one_numpy_thread()
    settings, before = ReceiverSettings(kb=live.plan.knowledge_base), torch.get_num_threads()
    use_threads(settings.threads)
    yield ReceivePipeline(settings, shelf, knowledge_base, lambda pixels: embed_pictures(pixels, clip))
    use_threads(before)


def sent_live(client: SemLink, files: Sequence[bytes], **options: Any) -> list[Any]:
    return [outcome for _, outcome in client.send_many(files, in_flight=1, ordered=True, trace=True, **options)]


def check_same(one: Delivery, two: Delivery, exact: bool = True) -> None:
    """exact: of codecs of embeddings. A picture is embedded by the receiver's CLIP, which measured by itself which
    engine and precision are faster; so of its answer the first item and the distance are compared.
    """
    for name in ("sent", "received", "equalized"):
        assert getattr(one.trace, name).tobytes() == getattr(two.trace, name).tobytes(), name
    names = ["channel", "codec", "k", "cbr", "cbr_total", "snr_db_estimated", "genies"]
    names += ["framing", "header_symbols", "configuration_symbols"]
    names += ["top", "confidence", "accepted", "reason"] if exact else ["item_id"]
    assert [getattr(one, name) for name in names] == [getattr(two, name) for name in names]
    assert one.distance == pytest.approx(two.distance, abs=1e-2)


@pytest.mark.parametrize(
    ("codec", "channel", "options"),
    CASES,
    ids=[" ".join([case[0], *map(str, case[2].values())]) for case in CASES],
)
def test_every_codec(
    client: SemLink,
    clip: Clip,
    shelf: CodecShelf,
    receiver: ReceivePipeline,
    drawn_pngs,
    codec: str,
    channel: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """The whole link, and the chain from the symbols that were sent."""
    files = [data for _, data in drawn_pngs[: 16 if codec == "webp-ldpc" else 8]]
    own = shelf.get(codec, LENGTHS.get(codec))
    options = {"codec": codec, "k": own.k, "design_snr_db": 5.0, "top_k": 3} | options
    deliveries = sent_live(client, files, counter=40, **options, **channel)
    requests = [SendRequest(data, counter=40 + n, trace=True, **options) for n, data in enumerate(files)]
    settings = ChannelSettings(**channel)
    arrived: dict[int, Delivery] = {}
    outcomes = zip(deliveries, OfflineLink(settings, clip, shelf, receiver).send(requests), strict=True)
    for counter, (one, two) in enumerate(outcomes, 40):
        if isinstance(two, Lost):
            assert isinstance(one, Lost), one
            assert "header was lost" in str(one)
            continue
        assert isinstance(one, Delivery), one
        assert isinstance(two, Delivery), two
        check_same(one, two, exact=not isinstance(own, PictureCodec))
        arrived[counter] = one
    framing = options.get("framing", "implicit")
    assert len(arrived) >= 0.5 * len(files) if framing == "explicit" else len(arrived) == len(files)
    pilots = {"pilots": options.get("pilot_symbols", 8), "pilot_pattern": options.get("pilot_pattern", "preamble")}
    chain = channel_chain(settings, csi=options.get("csi", "pilot"), framing=framing, header_snr_db=5.0, **pilots)
    sent = np.stack([one.trace.sent for one in arrived.values()])
    found = chain.carry(sent, np.array(list(arrived)), own.equalizer)
    np.testing.assert_array_equal(found.x_hat, np.stack([one.trace.equalized for one in arrived.values()]))
    if codec == "webp-ldpc":  # the fades of 16 bursts: some arrive, some do not
        assert {one.reason.startswith(LOST) for one in deliveries} == {True, False}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (SINGLE_CARRIER, {"pilot_symbols": 16}),
        (OFDM, {"pilot_symbols": 16, "pilot_pattern": "scattered"}),
        (SINGLE_CARRIER, {"csi": "perfect"}),
    ],
    ids=["doppler, ramps, losses", "ofdm, hardware", "perfect csi"],
)
def test_a_schedule(
    live: LocalLink,
    client: SemLink,
    clip: Clip,
    shelf: CodecShelf,
    receiver: ReceivePipeline,
    drawn_pngs,
    tmp_path: Path,
    text: str,
    options: dict[str, Any],
) -> None:
    """Settings that change, and bursts that are lost."""
    (tmp_path / "schedule.toml").write_text(text, encoding="utf-8")
    schedule = Schedule.from_file(tmp_path / "schedule.toml")
    files = [data for _, data in drawn_pngs[:40]]
    options = {"stream": 7, "top_k": 3} | options
    with ChannelControl(live.channel) as control:
        control.schedule(schedule)
        try:
            assert control.scheduled().schedule == schedule
            deliveries = sent_live(client, files, counter=100, **options)
        finally:
            control.reset()
    requests = [SendRequest(data, counter=100 + n, trace=True, **options) for n, data in enumerate(files)]
    outcomes = OfflineLink(schedule, clip, shelf, receiver).send(requests)
    arrived = [two for two in outcomes if isinstance(two, Delivery)]
    assert 0 < len(arrived) < len(outcomes)
    assert len({two.channel.settings.snr_db for two in arrived}) > 3
    for one, two in zip(deliveries, outcomes, strict=True):
        if isinstance(two, Lost):
            assert isinstance(one, Lost)
            assert str(two) in str(one)
        else:
            assert isinstance(one, Delivery), one
            check_same(one, two)


@pytest.mark.parametrize(
    ("channel", "pilot_pattern", "framing"),
    [
        ({"fading": "rayleigh", "snr_db": 4.0}, "preamble", "implicit"),
        ({"fading": "rayleigh", "snr_db": 4.0}, "preamble", "explicit"),
        ({"fading": "tdl-c", "waveform": "ofdm", "snr_db": 8.0}, "scattered", "implicit"),
    ],
)
def test_rounds(
    client: SemLink,
    clip: Clip,
    shelf: CodecShelf,
    receiver: ReceivePipeline,
    knowledge_base: KnowledgeBase,
    drawn_pngs,
    channel: dict[str, Any],
    pilot_pattern: Any,
    framing: Any,
) -> None:
    """What was sent, what arrived, when it stopped, and every answer on the way."""
    files, settings = [data for _, data in drawn_pngs[:24]], ChannelSettings(seed=4, **channel)
    options = {"codec": "nested", "pilot_symbols": 8, "pilot_pattern": pilot_pattern, "top_k": 3}
    options |= {"framing": framing, "design_snr_db": 0.0}
    deliveries = sent_live(client, files, ask_for_more=True, counter=100, seed=4, **channel, **options)
    counters = 100 + ROUNDS * np.arange(24)
    requests = [
        SendRequest(data, counter=counter, trace=True, harq=Harq(), **options)
        for data, counter in zip(files, counters.tolist(), strict=True)
    ]
    told = ("k", "counter", "payload_symbols", "header_symbols", "cbr_total", "confidence", "posterior", "failure")
    arrived: dict[int, Delivery] = {}
    for row, two in enumerate(OfflineLink(settings, clip, shelf, receiver).send(requests)):
        one = deliveries[row]
        if isinstance(two, Lost):
            assert isinstance(one, Lost), one
            continue
        assert isinstance(one, Delivery), one
        check_same(one, two)
        assert [[getattr(each, name) for name in told] for each in one.rounds] == [
            [getattr(each, name) for name in told] for each in two.rounds
        ]
        arrived[row] = one
    assert len({len(delivery.rounds) for delivery in arrived.values()}) >= 2
    assert (len(arrived) < 24) == (framing == "explicit")
    codecs = [shelf.get("nested", k) for k in shelf.kind("nested").lengths]
    codes = np.ones((24, codecs[-1].symbols), np.complex64)
    for row, delivery in arrived.items():
        codes[row, : delivery.trace.sent.size] = delivery.trace.sent
    fusion = LabelPosteriors().of(codecs[0], knowledge_base.view)
    sent = send_rounds(
        channel_chain(settings, pilot_pattern=pilot_pattern, framing=framing),
        [codec.with_prior(fusion.log_prior) for codec in codecs],
        codes,
        counters,
        posterior=REQUIRED_POSTERIOR,
        stride=1,
    )
    rows, found = list(arrived), list(arrived.values())
    if framing == "implicit":  # other headers are lost there: the code does not name the codec
        assert sent.sent.payload[rows].tolist() == [delivery.k // 2 for delivery in found]
        assert sent.bursts[rows].tolist() == [len(delivery.rounds) for delivery in found]
        posterior = np.exp(sent.decoded.log_posterior[rows].max(axis=1))
        close = np.isclose(posterior, [delivery.rounds[-1].posterior for delivery in found], atol=1e-3)
        assert (
            close.sum() >= 22
        )  # a batch decodes with other roundings, which count where the noise is taken for little
