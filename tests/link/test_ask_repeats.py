"""Blocks of questions that are sent again while they are lost, over the running link: HARQ with Chase combining."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from client import Delivery, SemLink
from lab.simulate.chain import channel_chain
from lab.simulate.link import OfflineLink
from lab.simulate.repeats import carry_repeated
from local.supervisor import LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import embed_pictures, load_clip
from shared.codecs import CodecShelf, QueryCodec
from shared.codecs.answerers import Answerer
from shared.codecs.base.picture import Asked as Pictures
from shared.datasets.decoding import decode_png, encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import InvalidInput, InvalidSetting, Lost
from shared.frame.delivery import SendRequest
from shared.frame.question import Question
from shared.phy import ChannelSettings
from tests.tools.asked import outcome
from tests.tools.cli import printed

PIXELS = draw_scenes("seen", range(1)).pixels
PICTURE = encode_png(PIXELS[0])
TEXTS = questions_about("seen", range(1)).texts()
WEAK: dict[str, Any] = {"snr_db": 4.0, "design_snr_db": 10.0, "seed": 1}
"""One block of a code for 10 dB is lost at 4 dB, AWGN; two or three together are worth 7 to 8.8 dB, four 10 dB."""


@pytest.mark.parametrize("codec", ["uo-isc", "klt-relevance"])
@pytest.mark.parametrize("framing", ["ideal", "implicit"])
def test_blocks_that_are_lost_alone_arrive_together(client: SemLink, codec: str, framing: Any) -> None:
    once = client.ask(PICTURE, TEXTS[0], codec=codec, framing=framing, counter=40, **WEAK)
    assert outcome(once).answer == ""
    found = client.ask(PICTURE, TEXTS[0], codec=codec, framing=framing, counter=40, retransmissions=4, **WEAK)
    asked = outcome(found)
    assert asked.answer
    assert "lost" not in found.reason
    assert 1 < asked.transmissions == len(found.rounds) <= 5
    assert [each.counter for each in found.rounds] == list(range(40, 40 + asked.transmissions))
    assert asked.symbols == asked.transmissions * outcome(once).symbols
    assert found.cbr == pytest.approx(asked.transmissions * once.cbr)
    assert found.cbr_total == pytest.approx(sum(each.cbr_total for each in found.rounds))
    assert asked.bits == outcome(once).bits


def test_a_header_that_is_lost_is_a_block_that_is_lost(client: SemLink) -> None:
    """Explicit framing, Rayleigh: in a fade the header goes too, and its silence asks for more."""
    channel = {"snr_db": 6.0, "design_snr_db": 6.0, "fading": "rayleigh", "seed": 3, "framing": "explicit"}

    def tried(counter: int, **options: Any) -> Delivery | Lost:
        try:
            return client.ask(PICTURE, TEXTS[0], counter=counter, **channel, **options)
        except Lost as error:
            return error

    lost = [counter for counter in range(0, 320, 8) if isinstance(tried(counter), Lost)]
    assert lost, "no header was lost: choose another seed"
    found = [tried(counter, retransmissions=7) for counter in lost]
    arrived = [each for each in found if isinstance(each, Delivery) and outcome(each).answer]
    assert len(arrived) >= len(found) - 1
    assert all(each.rounds[0].failure for each in arrived)


def test_where_nothing_arrives_all_transmissions_are_counted(client: SemLink) -> None:
    found = client.ask(PICTURE, TEXTS[0], snr_db=-18, design_snr_db=10, retransmissions=2)
    assert (outcome(found).transmissions, outcome(found).answer, found.accepted) == (3, "", False)
    assert "lost" in found.reason


def test_a_further_question_is_repeated_too(client: SemLink) -> None:
    clear = {**WEAK, "snr_db": 14.0}
    first = client.ask(PICTURE, TEXTS[0], counter=10, **clear)
    straight = client.ask(PICTURE, TEXTS[1], follow=first, counter=20, **clear)
    first = client.ask(PICTURE, TEXTS[0], counter=10, **clear)
    repeated = client.ask(PICTURE, TEXTS[1], follow=first, counter=20, retransmissions=4, **WEAK)
    assert outcome(repeated).transmissions > 1
    assert outcome(repeated).picture == outcome(straight).picture
    assert outcome(repeated).turn == 2


def test_off_line_and_live_are_the_same(client: SemLink, link: LocalLink) -> None:
    """By the services' own pipelines, and by the laboratory's chain."""
    options = {"counter": 60, "design_snr_db": WEAK["design_snr_db"], "trace": True, "codec": "klt-relevance"}
    channel = {"snr_db": WEAK["snr_db"], "seed": WEAK["seed"]}
    live = client.ask(PICTURE, TEXTS[0], retransmissions=3, **options, **channel)
    clip = load_clip(device="cpu", precision=client.describe().precision)
    shelf = CodecShelf("cpu", clip.fingerprint)
    with KnowledgeBase.open(link.plan.knowledge_base, writable=False) as knowledge_base:
        settings = ReceiverSettings(kb=link.plan.knowledge_base)
        receiver = ReceivePipeline(settings, shelf, knowledge_base, lambda pixels: embed_pictures(pixels, clip))
        request = SendRequest(PICTURE, question=Question(TEXTS[0], retransmissions=3), **options)
        (off_line,) = OfflineLink(ChannelSettings(**channel), clip, shelf, receiver).ask([request])
    assert isinstance(off_line, Delivery), off_line
    for name in ("sent", "received", "equalized"):
        assert getattr(live.trace, name).tobytes() == getattr(off_line.trace, name).tobytes(), name
    one, two = outcome(live), outcome(off_line)
    assert two.probability == pytest.approx(one.probability, abs=1e-5)  # torch has other threads there
    assert one == replace(two, probability=one.probability)

    codec = shelf.get("klt-relevance", 2 * live.rounds[0].payload_symbols)
    assert isinstance(codec, QueryCodec)
    codec = codec.with_bits(384, transmissions=4)
    asked = Pictures(PIXELS, Answerer.read(TEXTS[0])[None])
    mode = codec.mode(WEAK["design_snr_db"])
    x = codec.encode(asked, np.array([WEAK["design_snr_db"]], np.float32))
    chain = channel_chain(ChannelSettings(**channel))
    found = carry_repeated(chain, codec.with_mode(mode), x, np.array([60]), 3)
    assert found.transmissions.tolist() == [outcome(live).transmissions]
    np.testing.assert_array_equal(found.pixels[0], decode_png(outcome(live).picture))


def test_too_many_are_refused(client: SemLink) -> None:
    with pytest.raises(InvalidInput, match="retransmissions = 8: choose 0 to 7"):
        client.ask(PICTURE, TEXTS[0], retransmissions=8)
    with pytest.raises(InvalidSetting, match="-1"):
        client.ask(PICTURE, TEXTS[0], retransmissions=-1)


def test_the_command_repeats_and_counts_on(link: LocalLink, tmp_path) -> None:
    file = tmp_path / "scene.png"
    file.write_bytes(PICTURE)
    flags = ("--counter", "40", "--retransmissions", "4", "--snr-db", "4", "--design-snr-db", "10", "--seed", "1")
    found = printed("ask", str(file), *TEXTS[:2], *flags, "--transmitter", link.transmitter)
    assert all(each["transmissions"] > 1 for each in found)
    assert [each["rounds"][0]["counter"] for each in found] == [40, 45]
