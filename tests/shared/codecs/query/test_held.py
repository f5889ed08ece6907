"""What is held of a picture over several questions: bits and back, and how many there are."""

from math import comb

import numpy as np
import pytest

from shared.codecs.query.held import Held
from shared.codecs.query.tokens import PLACES, SEGMENT_BITS, layout_of

LAYOUT = layout_of(192)


def with_some(held: Held, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells that are not held, [64], and segments of them."""
    dice = np.random.default_rng(seed)
    new = np.zeros(PLACES, np.bool_)
    new[dice.choice(np.flatnonzero(~held.there), count, replace=False)] = True
    return new, dice.integers(0, 1 << SEGMENT_BITS, (count, LAYOUT.segments))


@pytest.mark.parametrize("count", range(LAYOUT.tokens + 1))
def test_further_cells_come_back(count: int) -> None:
    held = Held.nothing(LAYOUT).with_cells(*with_some(Held.nothing(LAYOUT), LAYOUT.tokens, 1))
    new, indices = with_some(held, count, 2)
    bits = held.encode(new, indices, 256)
    found = held.decode(bits)
    np.testing.assert_array_equal(found.there, held.there | new)
    np.testing.assert_array_equal(found.indices[new], indices)
    np.testing.assert_array_equal(found.indices[held.there], held.indices[held.there])
    assert not bits[held.bits_for(count) :].any()


def test_bits_are_how_many_which_and_their_segments() -> None:
    held = Held.nothing(LAYOUT).with_cells(*with_some(Held.nothing(LAYOUT), LAYOUT.tokens, 3))
    places = (comb(PLACES - LAYOUT.tokens, 1) - 1).bit_length()
    assert held.bits_for(1) == LAYOUT.tokens.bit_length() + places + LAYOUT.segments * SEGMENT_BITS
    assert held.bits_for(0) == LAYOUT.tokens.bit_length()


def test_any_bits_are_cells() -> None:
    held = Held.nothing(LAYOUT)
    for row in np.random.default_rng(4).integers(0, 2, (50, 256), np.uint8):
        assert held.decode(row).there.sum() <= LAYOUT.tokens
