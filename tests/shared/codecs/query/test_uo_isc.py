"""`uo-isc`: bits and back, positions of cells, segments that are missing; and bits without a code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shared.codecs.answerers import Answerer
from shared.codecs.answerers.network import AnswererNetwork
from shared.codecs.base.picture import Asked
from shared.codecs.query import tokens
from shared.codecs.query.sight import JudgeSight
from shared.codecs.query.uncoded import from_psk, to_psk
from shared.codecs.query.uo_isc import TokenSource
from shared.codecs.query.uo_isc_network import UoIscNetwork
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import DataLoss

SCENES = range(4)
ASKED = Asked(draw_scenes("seen", SCENES).pixels, questions_about("seen", SCENES, 1).words)
BITS = (96, 192, 384, 768, 4096)


@pytest.fixture(scope="module")
def judge() -> Answerer:
    torch.manual_seed(1)
    return Answerer("judge", AnswererNetwork(16))


@pytest.fixture(scope="module")
def source(judge: Answerer) -> TokenSource:
    return TokenSource(UoIscNetwork(*JudgeSight(judge).channels), judge)


@pytest.mark.parametrize("bits", BITS)
def test_positions_come_back(bits: int) -> None:
    layout = tokens.layout_of(bits)
    assert layout.position_bits + layout.tokens * layout.segments * tokens.SEGMENT_BITS <= bits
    relevance = np.random.default_rng(bits).random((5, 8, 8), np.float32)
    chosen = tokens.choose_cells(relevance, layout.tokens)
    assert (chosen.sum(1) == layout.tokens).all()
    found = tokens.from_position_bits(tokens.to_position_bits(chosen, layout), layout)
    np.testing.assert_array_equal(found, chosen)


def test_the_first_token_is_the_most_relevant_cell_and_the_next_lies_elsewhere() -> None:
    relevance = np.zeros((1, 8, 8), np.float32)
    relevance[0, 2, 2], relevance[0, 2, 3], relevance[0, 6, 6] = 1.0, 0.9, 0.5
    chosen = tokens.choose_cells(relevance, 2).reshape(8, 8)
    assert chosen[2, 2]
    assert chosen[6, 6]


@pytest.mark.parametrize("bits", BITS[:4])
def test_a_picture_is_the_same_whatever_arrives_beside_it(source: TokenSource, bits: int) -> None:
    sent = source.encode(ASKED, bits)
    assert sent.shape == (len(SCENES), bits)
    pixels = source.decode(sent)
    assert pixels.shape == (len(SCENES), 64, 64, 3)
    np.testing.assert_array_equal(source.decode(sent[2:3])[0], pixels[2])


def test_the_question_decides_what_is_sent(source: TokenSource) -> None:
    words = questions_about("seen", range(1), 6).words
    same = Asked(np.repeat(ASKED.pixels[:1], len(words), axis=0), words)
    assert len(np.unique(source.encode(same, 384), axis=0)) > 1


@pytest.mark.parametrize("bits", BITS)
def test_the_cells_that_are_told_are_those_on_the_air(source: TokenSource, judge: Answerer, bits: int) -> None:
    layout = tokens.layout_of(bits)
    on_the_air = tokens.from_position_bits(source.encode(ASKED, bits)[:, : layout.position_bits], layout)
    told = source.cells(judge.look(ASKED.pixels, ASKED.words).relevance, bits)
    np.testing.assert_array_equal(told.reshape(len(SCENES), -1), on_the_air)


def test_any_bits_are_a_picture(source: TokenSource) -> None:
    wrong = np.random.default_rng(1).integers(0, 2, (6, 192), np.uint8)
    assert source.decode(wrong).shape == (6, 64, 64, 3)


def test_weights_that_saw_with_other_towers_are_refused(judge: Answerer, tmp_path: Path) -> None:
    network = UoIscNetwork(*JudgeSight(judge).channels)
    told = {"codec": "uo-isc", "aligned": "yes", "tower": "clip-scenes"}
    save_file(network.state_dict(), tmp_path / "model.safetensors", told)
    with pytest.raises(DataLoss, match="the towers of clip-scenes, not with those of judge"):
        TokenSource.from_file(tmp_path / "model.safetensors", judge)


def test_psk_labels_of_neighbours_differ_in_one_bit() -> None:
    bits = (np.arange(8)[:, None] >> np.array([2, 1, 0]) & 1).astype(np.uint8)
    symbols = to_psk(bits)[:, 0]
    np.testing.assert_allclose(np.abs(symbols), 1, atol=1e-6)
    np.testing.assert_array_equal(from_psk(symbols[:, None]), bits)
    turned = from_psk((symbols * np.exp(0.25j * np.pi))[:, None])
    assert ((turned != bits).sum(1) == 1).all()
