"""The block transform code and the set of blocks: round trips, rates to the bit, and better with more bits."""

from itertools import pairwise

import numpy as np
import pytest

from shared.codecs.base.weight_files import weights_path
from shared.codecs.query import mask
from shared.codecs.query.transform import BlockCode, from_blocks, to_blocks
from shared.datasets.scenes import draw_scenes
from shared.types import Bools, Ints, Pixels

PIXELS = draw_scenes("seen", range(12)).pixels
CODE = BlockCode.from_file(weights_path("klt-relevance", "model.safetensors"))


def _chosen(count: int) -> Bools:
    rng = np.random.default_rng(1)
    return np.stack([np.isin(np.arange(16), rng.choice(16, 4, replace=False)) for _ in range(count)])


def _error(pixels: Pixels, budgets: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Mean squared error of each block."""
    rebuilt = CODE.decode(CODE.encode(pixels, budgets), budgets)
    return ((to_blocks(rebuilt) - to_blocks(pixels)).astype(np.float64) ** 2).mean(2)


def test_blocks_and_back() -> None:
    np.testing.assert_array_equal(from_blocks(to_blocks(PIXELS)), PIXELS)


@pytest.mark.parametrize("bits", [64, 181, 373, 757, 3000, 4000])
def test_every_bit_is_given_to_a_block(bits: int) -> None:
    chosen = _chosen(12)
    for budgets in (mask.budgets_for(bits, chosen, CODE.most_bits), mask.even_budgets(bits, 12)):
        assert (budgets.sum(1) == bits).all()
        assert budgets.max() <= CODE.most_bits
        assert CODE.encode(PIXELS, budgets).shape == (12, bits)


def test_more_bits_bring_less_error() -> None:
    errors = [_error(PIXELS, np.full((12, 16), budget)).mean() for budget in (0, 3, 12, 48, 192, 768)]
    assert all(later < 0.9 * earlier for earlier, later in pairwise(errors))


def test_the_chosen_blocks_get_the_bits() -> None:
    chosen = _chosen(12)
    aware, even = (
        _error(PIXELS, budgets) for budgets in (mask.budgets_for(373, chosen, 768), mask.even_budgets(384, 12))
    )
    assert aware[chosen].mean() < 0.8 * even[chosen].mean()


def test_the_same_bits_of_a_batch_and_of_a_single_picture() -> None:
    budgets = mask.budgets_for(181, _chosen(12), CODE.most_bits)
    np.testing.assert_array_equal(CODE.encode(PIXELS, budgets)[3:4], CODE.encode(PIXELS[3:4], budgets[3:4]))


def test_positions_and_back() -> None:
    chosen = _chosen(200)
    bits = mask.to_positions(chosen)
    assert bits.shape == (200, 11)
    np.testing.assert_array_equal(mask.from_positions(bits), chosen)
    assert (mask.from_positions(np.ones((1, 11), np.uint8)).sum(1) == 4).all()


def test_the_most_relevant_blocks() -> None:
    relevance = np.zeros((1, 8, 8), np.float32)
    relevance[0, 1, 3], relevance[0, 6, 6] = 2, 1  # beside a border of blocks, and in the middle of its surroundings
    assert np.flatnonzero(mask.most_relevant(relevance)).tolist() == [1, 2, 5, 15]


def test_relevance_spreads_to_the_side_on_which_it_lies() -> None:
    relevance = np.zeros((1, 8, 8), np.float32)
    relevance[0, 3, 3] = 1
    assert np.flatnonzero(mask.most_relevant(relevance)).tolist() == [5, 6, 9, 10]
