"""`klt-relevance` and `klt` over LDPC and QAM: what is sent, what survives noise, and what a lost burst leaves."""

from functools import cache

import numpy as np
import pytest
import torch

from lab.simulate.chain import channel_chain
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.network import AnswererNetwork
from shared.codecs.base.picture import GREY, Asked
from shared.codecs.base.weight_files import weights_path
from shared.codecs.picture.link_adaptation import Adaptation
from shared.codecs.query.klt import BlockLdpc, BlockSource, Klt, KltRelevance
from shared.codecs.query.mask import POSITION_BITS, from_positions
from shared.codecs.query.source import LEVELS
from shared.codecs.query.transform import BlockCode
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import InvalidPicture
from shared.phy import ChannelSettings

SCENES = range(6)
ASKED = Asked(draw_scenes("seen", SCENES).pixels, questions_about("seen", SCENES, 1).words)


@cache
def _judge() -> Answerer:
    torch.manual_seed(1)
    return Answerer("judge", AnswererNetwork(16))


@cache
def _source(aware: bool) -> BlockSource:
    code = BlockCode.from_file(weights_path("klt-relevance", "model.safetensors"))
    return BlockSource(code, _judge() if aware else None)


def _codec(kind: type[BlockLdpc], k: int) -> BlockLdpc:
    return kind(k, _source(kind is KltRelevance), Adaptation.load())


def _sent(codec: BlockLdpc, design_snr_db: float, snr_db: float) -> tuple[BlockLdpc, np.ndarray, list[str]]:
    """The receiver's codec, and what it decodes over AWGN."""
    x = codec.encode(ASKED, np.full(len(ASKED.words), design_snr_db, np.float32))
    np.testing.assert_allclose(np.mean(np.abs(x) ** 2, axis=1), 1, atol=1e-5)
    arrived = channel_chain(ChannelSettings(snr_db=snr_db)).carry(x, np.arange(len(x)), codec.equalizer)
    receiver = codec.with_mode(codec.mode(design_snr_db))
    pixels, missing = receiver.decode(arrived.x_hat, arrived.n0_eff)
    return receiver, pixels, list(missing)


@pytest.mark.parametrize("kind", [KltRelevance, Klt])
def test_what_arrives_is_what_the_bits_say(kind: type[BlockLdpc]) -> None:
    codec = _codec(kind, 384)
    receiver, pixels, missing = _sent(codec, 6.0, 6.0)
    assert missing == [""] * len(SCENES)
    source = _source(kind is KltRelevance)
    bits = codec.payload_bits(codec.mode(6.0))
    assert bits in LEVELS
    np.testing.assert_array_equal(pixels, source.decode(source.encode(ASKED, bits)))
    assert receiver.fingerprint == codec.fingerprint


def test_a_lost_burst_leaves_a_grey_picture_and_a_reason() -> None:
    _, pixels, missing = _sent(_codec(Klt, 384), 12.0, -6.0)
    assert all(missing)
    assert (pixels == GREY).all()


def test_the_question_decides_what_is_sent() -> None:
    source, words = _source(True), questions_about("seen", SCENES, 6).words
    same = Asked(np.repeat(ASKED.pixels[:1], 6, axis=0), words[:6])
    assert len(np.unique(source.encode(same, 384), axis=0)) > 1
    assert len(np.unique(_source(False).encode(same, 384), axis=0)) == 1


def test_the_cells_that_are_told_are_the_blocks_on_the_air() -> None:
    relevance = _judge().look(ASKED.pixels, ASKED.words).relevance
    codec = _codec(KltRelevance, 384)
    mode = codec.mode(6.0)
    on_the_air = from_positions(_source(True).encode(ASKED, codec.payload_bits(mode))[:, :POSITION_BITS])
    told = codec.sent_cells(relevance, mode)
    np.testing.assert_array_equal(told[:, ::2, ::2].reshape(-1, 16), on_the_air)
    assert told.sum() == 16 * len(SCENES)
    assert _codec(Klt, 384).sent_cells(relevance, mode).all()


@pytest.mark.parametrize("bits", [96, 384, 768])
def test_a_wish_for_bits_is_met_by_the_most_robust_scheme(bits: int) -> None:
    k = KltRelevance.length_for(bits, 6.0, "none")
    codec = _codec(KltRelevance, k).with_bits(bits)
    mode = codec.mode(6.0)
    assert codec.payload_bits(mode) == bits
    assert all(codec.payload_bits(lower) < bits for lower in codec.mode_numbers if lower < mode)
    shorter = [each for each in KltRelevance.lengths if each < k]
    assert (
        not shorter
        or _codec(KltRelevance, shorter[-1]).payload_bits(_codec(KltRelevance, shorter[-1]).mode(6.0)) < bits
    )


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(InvalidPicture, match="64"):
        _codec(Klt, 384).encode(Asked(ASKED.pixels[:, :32, :32], ASKED.words))
