"""Questions over the running link: only what is asked is sent, the answer comes back, off line the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from client import Delivery, SemLink
from lab.simulate.link import OfflineLink
from local.supervisor import LocalLink
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import embed_pictures, load_clip
from shared.codecs import CodecShelf
from shared.datasets.decoding import decode_png, encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.datasets.scenes.words import ANSWERS
from shared.errors import InvalidInput
from shared.frame.delivery import SendRequest
from shared.frame.question import Asked, Question
from shared.phy import ChannelSettings

SCENES = range(3)
PICTURES = [encode_png(pixels) for pixels in draw_scenes("seen", SCENES).pixels]
ASKED = questions_about("seen", SCENES)
GOOD: dict[str, Any] = {"snr_db": 10.0, "design_snr_db": 10.0}


def _ask(client: SemLink, row: int, **options: Any) -> Delivery:
    return client.ask(PICTURES[ASKED.scene[row]], ASKED.texts()[row], **options)


def _told(delivery: Delivery) -> Asked:
    """The outcome of a question without the session's name, which is new each time, and how a batch rounds."""
    assert delivery.asked is not None
    return replace(delivery.asked, session="", probability=round(delivery.asked.probability, 4))


def test_most_answers_are_those_on_the_original(client: SemLink) -> None:
    deliveries = [_ask(client, row, bits=1536, **GOOD) for row in range(len(ASKED.kind))]
    asked = [delivery.asked for delivery in deliveries if delivery.asked is not None]
    assert len(asked) == len(ASKED.kind)
    right = [each.answer_on_original == ANSWERS[answer] for each, answer in zip(asked, ASKED.answer, strict=True)]
    assert np.mean(right) > 0.8
    assert np.mean([each.match for each in asked]) > 0.6
    assert {each.bits for each in asked} == {1536}
    assert {stage.stage for stage in deliveries[0].ledger} >= {"encode", "compress", "decode", "answer", "search"}


@pytest.mark.parametrize(("codec", "cells"), [("uo-isc", 5), ("klt-relevance", 16), ("klt", 64)])
def test_the_answer_tells_which_cells_were_sent(client: SemLink, codec: str, cells: int) -> None:
    asked = _ask(client, 0, codec=codec, **GOOD).asked
    assert asked is not None
    assert len(asked.sent_cells) == 64
    assert sum(asked.sent_cells) == cells


def test_the_question_decides_what_arrives(client: SemLink) -> None:
    rows = np.flatnonzero(ASKED.scene == 1)
    aware = {_ask(client, row, counter=7, **GOOD).picture for row in rows}
    agnostic = {_ask(client, row, counter=7, codec="klt", **GOOD).picture for row in rows}
    assert len(aware) > 1
    assert len(agnostic) == 1


def test_replay_and_off_line_are_the_same(client: SemLink, link: LocalLink) -> None:
    channel = {"snr_db": 6.0, "fading": "rayleigh", "seed": 3}
    live = [_ask(client, row, counter=40 + row, design_snr_db=4.0, trace=True, **channel) for row in range(6)]
    again = _ask(client, 2, counter=42, design_snr_db=4.0, trace=True, **channel)
    assert _told(again) == _told(live[2])
    clip = load_clip(device="cpu", precision=client.describe().precision)
    shelf = CodecShelf("cpu", clip.fingerprint)
    with KnowledgeBase.open(link.plan.knowledge_base, writable=False) as knowledge_base:
        receiver = ReceivePipeline(
            ReceiverSettings(kb=link.plan.knowledge_base),
            shelf,
            knowledge_base,
            lambda pixels: embed_pictures(pixels, clip),
        )
        requests = [
            SendRequest(
                PICTURES[ASKED.scene[row]],
                counter=40 + row,
                design_snr_db=4.0,
                trace=True,
                question=Question(ASKED.texts()[row]),
            )
            for row in range(6)
        ]
        off_line = OfflineLink(ChannelSettings(**channel), clip, shelf, receiver).send(requests)
    for one, two in zip(live, off_line, strict=True):
        assert isinstance(two, Delivery), two
        assert one.asked is not None
        assert two.asked is not None
        assert one.trace is not None
        assert two.trace is not None
        np.testing.assert_array_equal(one.trace.sent, two.trace.sent)
        np.testing.assert_array_equal(one.trace.equalized, two.trace.equalized)
        assert (one.asked.picture, one.asked.answer) == (two.asked.picture, two.asked.answer)


def test_a_lost_picture_has_no_answer(client: SemLink) -> None:
    delivery = _ask(client, 0, snr_db=-15.0, design_snr_db=10.0)
    assert (delivery.answer, delivery.accepted) == ("", False)
    assert "lost" in delivery.reason
    assert len(np.unique(decode_png(delivery.picture))) == 1


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        ("", {}, "empty"),
        ("a" * 10_000, {}, "length 10000: at most 2000"),
        ("what colour is the dog?", {}, "dog"),
        ("what colour is the heart? how many stars are there?", {}, "one at a time"),
        ("where is the red star?", {"bits": 9}, "bits = 9"),
        ("where is the red star?", {"codec": "nested"}, "takes no question"),
    ],
)
def test_what_cannot_be_asked(client: SemLink, question: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        client.ask(PICTURES[0], question, **options)


def test_a_codec_for_questions_needs_one(client: SemLink) -> None:
    with pytest.raises(InvalidInput, match="ask one"):
        client.send(PICTURES[0], codec="klt-relevance")


@pytest.mark.parametrize("framing", ["implicit", "explicit"])
def test_every_framing_carries_questions(client: SemLink, framing: str) -> None:
    """The receiver learns mode and length from its configuration or from a header, and the question from its user."""
    told, found = (_ask(client, 0, counter=3, framing=each, **GOOD) for each in ("ideal", framing))
    assert found.asked is not None
    assert told.asked is not None
    assert found.asked.answer
    assert (found.asked.bits, found.asked.answer_on_original) == (told.asked.bits, told.asked.answer_on_original)


def test_many_questions_over_one_stream(client: SemLink) -> None:
    """Each pair has its own answer, one that cannot be asked its own error, and the stream goes on."""
    pairs: list[Any] = [(PICTURES[ASKED.scene[row]], ASKED.texts()[row]) for row in range(4)]
    pairs[1:1] = [(PICTURES[0], "what colour is the dog?"), PICTURES[0]]
    answers = list(client.ask_many(pairs, ordered=True, counter=40, bits=768, **GOOD))
    assert [answer.position for answer in answers] == list(range(6))
    assert "dog" in str(answers[1].outcome)
    assert "pairs" in str(answers[2].outcome)
    alone = _ask(client, 3, counter=45, bits=768, **GOOD)
    assert isinstance(answers[5].outcome, Delivery)
    assert _told(answers[5].outcome) == _told(alone)


@pytest.mark.parametrize("codec", ["klt-relevance-8psk"])
def test_uncoded_pictures_always_arrive(client: SemLink, codec: str) -> None:
    """A wrong bit is a wrong picture; without noise there is none."""
    clear, noisy = (_ask(client, 0, counter=9, codec=codec, bits=384, snr_db=each) for each in (25.0, 0.0))
    assert clear.asked is not None
    assert noisy.asked is not None
    assert (clear.asked.bits, clear.asked.symbols) == (384, 128)
    assert noisy.asked.answer
    assert noisy.asked.psnr_db < clear.asked.psnr_db
