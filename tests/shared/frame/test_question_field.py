"""Questions on the air: words there and back, and their losses at the design SNR of every class."""

import numpy as np
import pytest

from lab.simulate.chain import channel_chain
from shared.datasets.scenes import questions_about
from shared.datasets.scenes.words import LONGEST, QUESTION_BITS, WORDS, from_bits, to_bits, to_text, to_words
from shared.errors import InvalidInput
from shared.frame.header import CLASSES
from shared.frame.question_field import decode_questions, encode_question, question_symbols
from shared.phy import ChannelSettings
from shared.phy.power import check_power

TEXTS = questions_about("seen", range(40)).texts()
ALL_LENGTHS = [question_symbols(each.snr_db) for each in CLASSES]


def carried(text: str, symbols: int, snr_db: float, count: int) -> list[str | None]:
    """A question as it arrives `count` times, over the chain of the services with their 8 pilots."""
    payload = np.repeat(encode_question(text, symbols)[None], count, axis=0)
    chain = channel_chain(ChannelSettings(snr_db=snr_db, seed=4))
    arrived = chain.carry(payload, np.arange(count), "zf")
    return decode_questions(arrived.x_hat, arrived.n0_eff, "pilot")


def test_every_question_has_a_number_of_its_own() -> None:
    words = [to_words(text) for text in TEXTS]
    for each in words:
        found = from_bits(to_bits(each))
        assert found is not None
        np.testing.assert_array_equal(found, each)
    last = np.full(LONGEST, len(WORDS) - 1)
    found = from_bits(to_bits(last))
    assert found is not None
    np.testing.assert_array_equal(found, last)


@pytest.mark.parametrize("bits", [np.zeros(QUESTION_BITS, np.uint8), np.ones(QUESTION_BITS, np.uint8)])
def test_a_number_of_no_question_is_none(bits) -> None:
    assert from_bits(bits) is None


@pytest.mark.parametrize("symbols", ALL_LENGTHS)
def test_what_is_asked_is_read(symbols: int) -> None:
    x = np.stack([encode_question(text, symbols) for text in TEXTS])
    check_power(x[0])
    heard = decode_questions(x, np.ones(x.shape, np.float32), "perfect")
    assert [None if each is None else to_text(to_words(each)) for each in heard] == TEXTS
    assert [*heard] == TEXTS


@pytest.mark.parametrize("n0", [0.0, np.nan, np.inf])
def test_noise_that_is_not_known_counts_as_equal(n0: float) -> None:
    x = encode_question(TEXTS[0], 64)[None]
    heard = decode_questions(x, np.full(x.shape, n0, np.float32), "perfect")
    assert heard == ([None] if np.isinf(n0) else [TEXTS[0]])


def test_symbols_that_were_erased_count_for_nothing() -> None:
    x = encode_question(TEXTS[0], 128)[None].copy()
    n0 = np.ones(x.shape, np.float32)
    x[0, :40], n0[0, :40] = np.inf, np.inf
    assert decode_questions(x, n0, "perfect") == [TEXTS[0]]


@pytest.mark.parametrize("each", CLASSES, ids=[f"{each.snr_db:g} dB" for each in CLASSES])
def test_at_most_one_in_a_hundred_is_lost_at_the_design_snr(each) -> None:
    """Of 1,000; if it were 1 %, 18 would be lost with odds of 0.01."""
    heard = carried(TEXTS[0], question_symbols(each.snr_db), each.snr_db, 1000)
    assert np.mean([one != TEXTS[0] for one in heard]) <= 18 / 1000


def test_noise_is_no_question() -> None:
    noise = np.random.default_rng(1).standard_normal((1500, 64, 2)).astype(np.float32).view(np.complex64)[..., 0]
    assert (
        sum(each is not None for each in decode_questions(noise, np.ones(noise.shape, np.float32), "pilot")) <= 16
    )  # one in 700 passes at all turns, with odds of 0.001


def test_a_question_of_other_words_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not know 'dog'"):
        encode_question("where is the dog?", 64)
