"""Codecs of pictures, digital ones and those in files of one's own, through the three processes and off line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Delivery, SemLink
from lab.simulate.offline import OfflineLink, Sender
from local.supervisor import LinkPlan, LocalLink
from receiver.confidence import load_confidence
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import Clip, embed_pictures, load_clip
from shared.codecs import CodecShelf
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.picture.ldpc import LOST, NO_FILE
from shared.errors import InvalidInput, InvalidSetting, NotFound
from shared.ledger import Stage
from shared.phy.conditions.schedule import Schedule
from tests.tools.paths import ROOT

RANDOM_JSCC = '''
import torch

from shared.codecs.picture.jscc.deepjscc import DeepJscc


class RandomJscc(DeepJscc):
    """The network as it is before training."""

    name = "random-jscc"

    @classmethod
    def load(cls, k, device):
        torch.manual_seed(3)
        return cls(cls.network_class(), k, device)
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The tutorial's codec, and one of pictures."""
    folder = tmp_path_factory.mktemp("own")
    tutorial = (ROOT / "docs" / "your-own-codec.md").read_text()
    (folder / "signs.py").write_text(re.findall(r"```python\n(.*?)```", tutorial, re.DOTALL)[0])
    (folder / "jscc.py").write_text(RANDOM_JSCC)
    return [f"{folder / 'signs.py'}:Signs", f"{folder / 'jscc.py'}:RandomJscc"]


@pytest.fixture(scope="module")
def live(link: LocalLink, own: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLink]:
    """Three more processes, whose operator named these codecs."""
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
def clip(live: LocalLink) -> Clip:
    with SemLink(live.transmitter) as client:
        return load_clip(device="cpu", precision=client.describe().precision)


@pytest.mark.parametrize(
    ("codec", "k", "snr_db", "fading"),
    [
        ("vq-digital", 64, 3.0, "rayleigh"),
        ("webp-ldpc", 4096, 3.0, "rayleigh"),
        ("deepjscc", 512, 3.0, "rayleigh"),
        ("random-jscc", 256, 3.0, "rayleigh"),
        ("signs", 64, 3.0, "rayleigh"),
    ],
)
@pytest.mark.timeout(300)
def test_a_run_is_the_same_off_line_and_through_sockets(
    live: LocalLink, clip: Clip, own: list[str], drawn_pngs, codec: str, k: int, snr_db: float, fading: str
) -> None:
    """Symbols bit for bit, and the same answers. Distances: CLIP in the receiver has another number of threads."""
    files = [data for _, data in drawn_pngs[:16]]
    channel = {"snr_db": snr_db, "fading": fading, "seed": 5}
    options = {"codec": codec, "k": k, "design_snr_db": 5.0, "stream": 2, "counter": 40, "trace": True, "top_k": 3}
    with SemLink(live.transmitter, timeout=120) as client:
        sent = client.send_many(files, in_flight=1, ordered=True, **options, **channel)
        deliveries = [outcome for _, outcome in sent]
    settings, shelf = ReceiverSettings(), CodecShelf("cpu", clip.fingerprint, own)
    with KnowledgeBase.open(live.plan.knowledge_base, writable=False) as knowledge_base:
        pipeline = ReceivePipeline(
            shelf,
            knowledge_base,
            settings.equalizer,
            load_confidence(live.plan.knowledge_base),
            settings.accept_confidence,
            embed_pictures=lambda pixels: embed_pictures(pixels, clip),
        )
        sender = Sender(shelf.get(codec, k), stream=2, top_k=3, trace=True, design_snr_db=5.0)
        scenario = Schedule("parity", settings=channel)
        offline = list(OfflineLink(scenario, clip, pipeline, sender, batch_size=1).run(files, counter=40))
    for one, two in zip(deliveries, offline, strict=True):
        assert isinstance(one, Delivery), one
        assert one.trace.sent.tobytes() == two.sent.tobytes()
        assert one.trace.equalized.tobytes() == two.answer.trace.equalized.tobytes()
        assert [hit.item_id for hit in one.top] == [hit.item_id for hit in two.answer.top]
        assert one.distance == pytest.approx(two.answer.top[0].distance, abs=1e-2)
        assert (one.accepted, one.reason) == (two.answer.accepted, two.answer.reason)
    if codec == "webp-ldpc":  # the fades of 16 bursts: some arrive, some do not
        assert {one.reason.startswith(LOST) for one in deliveries} == {True, False}


@pytest.mark.timeout(300)
def test_a_picture_travels_and_is_embedded_by_the_receiver(live: LocalLink, drawn_pngs) -> None:
    with SemLink(live.transmitter, timeout=120) as client:
        options = {"codec": "webp-ldpc", "k": 4096, "snr_db": 10, "design_snr_db": 10}
        outcomes = dict(client.send_many([data for _, data in drawn_pngs[:20]], counter=0, **options))
    assert all(isinstance(one, Delivery) for one in outcomes.values()), outcomes
    assert sum(outcomes[n].label == drawn_pngs[n][0] for n in range(20)) >= 17
    for one in outcomes.values():
        assert one.sent_picture
        assert one.seconds(Stage.EMBED) > 0
        assert one.seconds(Stage.ENCODE) == 0  # CLIP has nothing to do at the sender


@pytest.mark.parametrize(
    ("k", "snr_db", "design_snr_db", "why"), [(4096, -12.0, 5.0, LOST), (512, 20.0, -5.0, NO_FILE)]
)
@pytest.mark.timeout(300)
def test_a_picture_that_does_not_arrive_is_grey_and_said_to_be_missing(
    live: LocalLink, clip: Clip, drawn_pngs, k: int, snr_db: float, design_snr_db: float, why: str
) -> None:
    with SemLink(live.transmitter, timeout=120) as client:
        one, two = (
            client.send(data, codec="webp-ldpc", k=k, snr_db=snr_db, design_snr_db=design_snr_db)
            for _, data in drawn_pngs[:2]
        )
    assert one.reason == two.reason == f"{why}: a grey one was looked up"
    assert (one.accepted, one.confidence, one.item_id) == (False, 0, two.item_id)


def test_only_codecs_that_the_operator_named_are_run(link: LocalLink, own: list[str], drawn_pngs) -> None:
    with SemLink(link.transmitter, timeout=60) as client:
        for name in ("signs", own[0]):
            with pytest.raises(NotFound, match=r"no codec .*--own-codec"):
                client.send(drawn_pngs[0][1], codec=name)
        with pytest.raises(InvalidInput, match="hevc-ldpc has no length k = 64; it has 2048, 4096, 8192"):
            client.send(drawn_pngs[0][1], codec="hevc-ldpc", k=64)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from shared.codecs.embedding.raw import Raw\n\n\nclass Mine(Raw):\n    pass\n")
    with pytest.raises(InvalidSetting, match="the name 'raw', which another codec has"):
        CodecShelf("cpu", "c0ffee", [f"{tmp_path / 'mine.py'}:Mine"])


def test_a_missing_library_is_named_and_the_codec_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.codecs.digital.modem.find_spec", lambda _: None)
    shelf = CodecShelf("cpu", fingerprint_of([b"another CLIP"]))
    with pytest.raises(NotFound, match=r"needs Sionna.*semlink\[services\]"):
        shelf.get("jpeg-ldpc")
    offered = {codec.name for codec in shelf.load_all()}
    assert "raw" in offered
    assert "jpeg-ldpc" not in offered
