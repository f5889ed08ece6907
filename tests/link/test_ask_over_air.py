"""Questions that the receiver does not know: they are sent over the air in front of the picture, coded and counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from client import ChannelControl, Delivery, SemLink
from client.recording import RecordingWriter, read_recording
from lab.simulate.link import OfflineLink
from local.supervisor import LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import embed_pictures, load_clip
from shared.codecs import CodecShelf
from shared.datasets.decoding import encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import InvalidInput, InvalidSetting, SemLinkError
from shared.frame.delivery import SendRequest
from shared.frame.question import Question
from shared.frame.question_field import SENT_BITS, question_symbols
from shared.frame.reception import Reception
from shared.phy import ChannelSettings
from tests.tools.asked import outcome
from tests.tools.cli import invoke, printed

PICTURE = encode_png(draw_scenes("seen", range(1)).pixels[0])
TEXTS = questions_about("seen", range(1)).texts()
GOOD: dict[str, Any] = {"snr_db": 10.0, "design_snr_db": 10.0, "seed": 1}


@pytest.mark.parametrize("framing", ["ideal", "implicit", "explicit"])
@pytest.mark.parametrize("codec", ["uo-isc", "klt-relevance"])
def test_the_receiver_answers_what_it_hears(client: SemLink, framing: Any, codec: str) -> None:
    options = {"framing": framing, "codec": codec, "counter": 5, **GOOD}
    known = client.ask(PICTURE, TEXTS[0], **options)
    heard = client.ask(PICTURE, TEXTS[0], question_at_receiver=False, **options)
    assert outcome(heard).answer == outcome(known).answer != ""
    assert outcome(heard).picture == outcome(known).picture
    assert (outcome(heard).bits, outcome(heard).question_bits) == (outcome(known).bits, SENT_BITS)
    symbols = question_symbols(10.0)
    assert outcome(heard).symbols == outcome(known).symbols + symbols
    values = 3 * 64 * 64
    assert heard.cbr == pytest.approx(known.cbr + symbols / values)
    assert heard.cbr_total == pytest.approx(known.cbr_total + symbols / values)


def test_a_question_that_is_lost_leaves_a_picture_without_an_answer(client: SemLink) -> None:
    """Uncoded 8-PSK delivers a picture, wrong bits in it, at any SNR; the CRC of the question tells that it is lost."""
    found = client.ask(
        PICTURE, TEXTS[0], codec="klt-relevance-8psk", question_at_receiver=False, snr_db=-8, design_snr_db=10
    )
    asked = outcome(found)
    assert (asked.answer, asked.question_lost, asked.match) == ("", True, False)
    assert asked.picture
    assert found.item_id
    assert (found.accepted, found.reason) == (False, "the question was lost on the air")


def test_picture_and_question_that_are_lost_are_both_named(client: SemLink) -> None:
    found = client.ask(PICTURE, TEXTS[0], question_at_receiver=False, snr_db=-15, design_snr_db=10)
    assert not found.accepted
    for said in ("the picture was lost on the air: a grey one was looked up", "the question was lost on the air"):
        assert said in found.reason


def test_what_is_neither_yes_nor_no_is_refused_by_name(client: SemLink) -> None:
    with pytest.raises(InvalidSetting, match="question_at_receiver = 'yes': choose True or False"):
        client.ask(PICTURE, TEXTS[0], question_at_receiver=cast(bool, "yes"), **GOOD)


def test_a_lost_question_is_sent_again(client: SemLink) -> None:
    def tried(**options: Any) -> list[Delivery]:
        counters = range(0, 64, 8)
        ask = client.ask
        return [ask(PICTURE, TEXTS[0], question_at_receiver=False, counter=n, **options) for n in counters]

    weak: dict[str, Any] = {"codec": "klt-relevance-8psk", "snr_db": 0.0, "design_snr_db": 10.0, "seed": 1}
    once = tried(**weak)
    lost = [each for each in once if outcome(each).question_lost]
    assert lost, "no question was lost: choose another SNR"
    again = tried(retransmissions=7, **weak)
    assert not any(outcome(each).question_lost for each in again)
    assert all(outcome(each).answer for each in again)
    for one, other in zip(once, again, strict=True):
        assert (outcome(other).transmissions > 1) == outcome(one).question_lost
        assert outcome(other).symbols == outcome(other).transmissions * outcome(one).symbols


def test_each_question_of_a_session_travels(client: SemLink) -> None:
    first = client.ask(PICTURE, TEXTS[0], question_at_receiver=False, **GOOD)
    second = client.ask(PICTURE, TEXTS[1], follow=first, **GOOD)
    assert outcome(second).question_bits == SENT_BITS
    assert outcome(second).bits_in_session == outcome(first).bits + outcome(second).bits + 2 * SENT_BITS
    assert outcome(second).answer
    with pytest.raises(InvalidInput, match="its questions sent over the air"):
        client.ask(PICTURE, TEXTS[2], follow=second, question_at_receiver=True, **GOOD)


@pytest.mark.parametrize("framing", ["implicit", "explicit"])
@pytest.mark.parametrize("known", [True, False])
def test_a_recorded_session_is_replayed(
    client: SemLink, link: LocalLink, tmp_path: Path, framing: Any, known: bool
) -> None:
    """From a file: of the second question the receiver needs what came with the first, and of both the questions."""
    with (
        ChannelControl(link.channel) as control,
        RecordingWriter(tmp_path / "session") as writer,
        control.record() as recording,
    ):
        first = client.ask(PICTURE, TEXTS[0], question_at_receiver=known, framing=framing, **GOOD)
        second = client.ask(PICTURE, TEXTS[1], follow=first, **GOOD)
        recording.stop()
        for recorded in recording:
            writer.add(recorded)
    # A burst is sent twice where this receiver was started after the transmitter had configured another one.
    bursts = {each.burst.round: each.burst for each in read_recording(tmp_path / "session")}
    with ChannelControl(link.channel) as control:
        answers = {answer.position: answer.outcome for answer in control.replay([bursts[0], bursts[1]])}
    for position, live in enumerate((first, second)):
        again = answers[position]
        assert isinstance(again, Reception), again
        assert again.rebuilt is not None
        assert (again.rebuilt.answer, again.rebuilt.picture) == (outcome(live).answer, outcome(live).picture)
        assert again.top[0].item_id == live.item_id


def test_off_line_and_live_are_the_same(client: SemLink, link: LocalLink) -> None:
    options: dict[str, Any] = {"counter": 60, "design_snr_db": 4.0, "trace": True, "codec": "klt-relevance"}
    channel: dict[str, Any] = {"snr_db": 4.0, "seed": 1}
    live = client.ask(PICTURE, TEXTS[0], question_at_receiver=False, **options, **channel)
    clip = load_clip(device="cpu", precision=client.describe().precision)
    shelf = CodecShelf("cpu", clip.fingerprint)
    with KnowledgeBase.open(link.plan.knowledge_base, writable=False) as knowledge_base:
        settings = ReceiverSettings(kb=link.plan.knowledge_base)
        receiver = ReceivePipeline(settings, shelf, knowledge_base, lambda pixels: embed_pictures(pixels, clip))
        request = SendRequest(PICTURE, question=Question(TEXTS[0], at_receiver=False), **options)
        (off_line,) = OfflineLink(ChannelSettings(**channel), clip, shelf, receiver).ask([request])
    assert isinstance(off_line, Delivery), off_line
    for name in ("sent", "received", "equalized"):
        assert getattr(live.trace, name).tobytes() == getattr(off_line.trace, name).tobytes(), name
    assert np.mean(np.abs(live.trace.sent) ** 2) == pytest.approx(1, abs=1e-3)
    one, two = outcome(live), outcome(off_line)
    assert two.probability == pytest.approx(one.probability, abs=1e-5)  # torch has other threads there
    assert one == replace(two, probability=one.probability)


def test_a_question_before_a_codec_that_takes_none_is_refused(client: SemLink) -> None:
    with pytest.raises(SemLinkError, match="takes no question"):
        client.ask(PICTURE, TEXTS[0], codec="nested", question_at_receiver=False)


def test_the_command_tells_the_bits_of_the_question(link: LocalLink, tmp_path: Path) -> None:
    file = tmp_path / "scene.png"
    file.write_bytes(PICTURE)
    flags = ("--question-over-air", "--snr-db", "10", "--transmitter", link.transmitter)
    found = printed("ask", str(file), TEXTS[0], *flags)
    assert (found["question_bits"], found["question_lost"]) == (SENT_BITS, False)
    assert f"384 bits and {SENT_BITS} of the question in" in invoke("ask", str(file), TEXTS[0], *flags).stdout
