"""Further questions about one picture over the running link: only what the receiver does not hold is sent."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from client import Delivery, SemLink
from lab.simulate.link import OfflineLink
from local.supervisor import RECEIVER, LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import embed_pictures, load_clip
from shared.codecs import CodecShelf
from shared.datasets.decoding import encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import InvalidInput, Mismatch, NotFound
from shared.frame.delivery import SendRequest
from shared.frame.question import QUESTIONS, Question
from shared.phy import ChannelSettings
from tests.tools.asked import outcome
from tests.tools.cli import printed
from tests.tools.rpc import PATIENCE

PICTURES = [encode_png(pixels) for pixels in draw_scenes("seen", range(2)).pixels]
ASKED = questions_about("seen", range(2))
TEXTS = [[text for text, scene in zip(ASKED.texts(), ASKED.scene, strict=True) if scene == one] for one in range(2)]
CLEAR: dict[str, Any] = {"snr_db": 12.0, "design_snr_db": 10.0}
LOST: dict[str, Any] = {"snr_db": -15.0, "design_snr_db": 10.0}


def in_session(client: SemLink, texts: Sequence[str], **options: Any) -> list[Delivery]:
    """All questions about the first picture, each following the one before."""
    counter = options.pop("counter", 500)
    found = [client.ask(PICTURES[0], texts[0], bits=192, counter=counter, **options)]
    for turn, text in enumerate(texts[1:], 1):
        found.append(client.ask(PICTURES[0], text, follow=found[-1], counter=counter + turn, **options))
    return found


@pytest.mark.parametrize("framing", ["ideal", "implicit", "explicit"])
def test_a_further_question_takes_fewer_bits_and_the_picture_stays(client: SemLink, framing: Any) -> None:
    found = [outcome(each) for each in in_session(client, TEXTS[0][:4], framing=framing, **CLEAR)]
    assert len({each.session for each in found}) == 1
    assert [each.turn for each in found] == [1, 2, 3, 4]
    assert found[0].bits == 192
    assert max(each.bits for each in found[1:]) <= 192
    assert sum(each.bits for each in found) < 4 * 192
    assert [each.bits_in_session for each in found] == np.cumsum([each.bits for each in found]).tolist()
    assert all(each.answer for each in found)


def test_the_same_question_again_sends_no_cell_and_shows_the_same(client: SemLink) -> None:
    first, again = in_session(client, [TEXTS[0][0]] * 2, **CLEAR)
    assert outcome(again).picture == outcome(first).picture
    assert outcome(again).answer == outcome(first).answer
    assert outcome(again).bits == 64, "the fewest bits that a burst carries"


def test_replay_and_off_line_are_the_same(client: SemLink, link: LocalLink) -> None:
    channel = {"snr_db": 6.0, "fading": "rayleigh", "seed": 3}
    live = in_session(client, TEXTS[0][:5], counter=700, design_snr_db=4.0, trace=True, **channel)
    again = in_session(client, TEXTS[0][:5], counter=700, design_snr_db=4.0, trace=True, **channel)
    clip = load_clip(device="cpu", precision=client.describe().precision)
    shelf = CodecShelf("cpu", clip.fingerprint)
    with KnowledgeBase.open(link.plan.knowledge_base, writable=False) as knowledge_base:
        settings = ReceiverSettings(kb=link.plan.knowledge_base)
        receiver = ReceivePipeline(settings, shelf, knowledge_base, lambda pixels: embed_pictures(pixels, clip))
        requests = [
            SendRequest(
                PICTURES[0],
                counter=700 + turn,
                design_snr_db=4.0,
                trace=True,
                question=Question(text, 0 if turn else 192),
            )
            for turn, text in enumerate(TEXTS[0][:5])
        ]
        off_line = OfflineLink(ChannelSettings(**channel), clip, shelf, receiver).ask(requests)
    for others in (again, off_line):
        for one, two in zip(live, others, strict=True):
            assert isinstance(two, Delivery), two
            assert one.trace is not None
            assert two.trace is not None
            np.testing.assert_array_equal(one.trace.sent, two.trace.sent)
            np.testing.assert_array_equal(one.trace.equalized, two.trace.equalized)
            found = [(each.picture, each.answer, each.bits, each.turn) for each in map(outcome, (one, two))]
            assert found[0] == found[1]


def test_what_is_lost_is_sent_with_the_next_question(client: SemLink) -> None:
    """A lost further question leaves the picture as it was; a lost first one leaves none, and is made up for."""
    texts = TEXTS[0]
    first = client.ask(PICTURES[0], texts[0], bits=192, **CLEAR)
    lost = client.ask(PICTURES[0], texts[1], follow=first, **LOST)
    assert outcome(lost).picture == outcome(first).picture
    assert (lost.accepted, bool(outcome(lost).answer)) == (False, True)
    assert "as it was" in lost.reason
    made_up = client.ask(PICTURES[0], texts[1], follow=lost, **CLEAR)
    straight = client.ask(PICTURES[0], texts[1], follow=client.ask(PICTURES[0], texts[0], bits=192, **CLEAR), **CLEAR)
    assert outcome(made_up).picture == outcome(straight).picture
    nothing = client.ask(PICTURES[0], texts[0], bits=192, **LOST)
    assert outcome(nothing).answer == ""
    assert outcome(client.ask(PICTURES[0], texts[0], follow=nothing, **CLEAR)).answer == outcome(first).answer


def test_a_further_question_has_at_least_the_length_that_was_asked_for(client: SemLink) -> None:
    first = client.ask(PICTURES[0], TEXTS[0][0], bits=192, k=1024, **CLEAR)
    short = client.ask(PICTURES[0], TEXTS[0][1], follow=first, **CLEAR)
    long = client.ask(PICTURES[0], TEXTS[0][2], follow=first, k=2048, **CLEAR)
    assert outcome(short).symbols < outcome(long).symbols == 1024


def test_what_cannot_be_followed(client: SemLink) -> None:
    first = client.ask(PICTURES[0], TEXTS[0][0], bits=192, **CLEAR)
    with pytest.raises(InvalidInput, match="another picture"):
        client.ask(PICTURES[1], TEXTS[1][0], follow=first)
    with pytest.raises(NotFound, match="no session 'c0ffee'"):
        client.ask(PICTURES[0], TEXTS[0][0], follow="c0ffee")
    with pytest.raises(InvalidInput, match="bits in session"):
        client.ask(PICTURES[0], TEXTS[0][0], follow=first, bits=384)
    with pytest.raises(InvalidInput, match="codec = klt in session"):
        client.ask(PICTURES[0], TEXTS[0][0], follow=first, codec="klt")
    with pytest.raises(InvalidInput, match="no session; follow one"):
        client.ask(PICTURES[0], TEXTS[0][0], follow=client.ask(PICTURES[0], TEXTS[0][0], codec="klt", **CLEAR))
    with pytest.raises(InvalidInput, match="dog"):
        client.ask(PICTURES[0], "what colour is the dog?", follow=first)
    assert outcome(client.ask(PICTURES[0], TEXTS[0][1], follow=first, **CLEAR)).turn == 2, "none of them took a turn"


def test_a_session_has_an_end(client: SemLink) -> None:
    found = in_session(client, [TEXTS[0][0]] * QUESTIONS, framing="explicit", **CLEAR)
    with pytest.raises(InvalidInput, match=f"has {QUESTIONS} questions"):
        client.ask(PICTURES[0], TEXTS[0][0], follow=found[-1], **CLEAR)


def test_a_receiver_that_is_started_anew_holds_nothing(link: LocalLink, client: SemLink) -> None:
    first = client.ask(PICTURES[0], TEXTS[0][0], bits=192, **CLEAR)
    link.services[RECEIVER].kill()
    link.services[RECEIVER].start()
    link.wait_ready([RECEIVER], monotonic() + 2 * PATIENCE)
    with pytest.raises(Mismatch, match="holds no picture here after 1 questions"):
        client.ask(PICTURES[0], TEXTS[0][1], follow=first, **CLEAR)
    assert client.ask(PICTURES[0], TEXTS[0][1], **CLEAR).answer


def test_the_command_asks_in_one_session(link: LocalLink, tmp_path: Path) -> None:
    file = tmp_path / "scene.png"
    file.write_bytes(PICTURES[0])
    found = printed("ask", str(file), *TEXTS[0][:3], "--bits", "192", "--transmitter", link.transmitter)
    assert [each["turn"] for each in found] == [1, 2, 3]
    assert found[2]["bits_in_session"] == sum(each["bits"] for each in found)
