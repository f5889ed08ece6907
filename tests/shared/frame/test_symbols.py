"""Symbols on the wire, as a table, and their power."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import InvalidSymbols
from shared.frame.symbols import BYTES_PER_SYMBOL, pack_symbols, unpack_symbols
from shared.phy.power import normalize_power
from tests.tools.channel import mean_power

WIRE = [
    ([], ""),
    ([0], "0000000000000000"),
    ([1], "0000803f00000000"),
    ([1j], "000000000000803f"),
    ([-2 + 0.5j], "000000c00000003f"),
    ([complex(-0.0, 0.0)], "0000008000000000"),
    ([1, 2j], "0000803f00000000" + "0000000000000040"),
]


@pytest.mark.parametrize(("symbols", "wire"), WIRE)
def test_the_wire_form(symbols, wire):
    packed = pack_symbols(np.array(symbols, np.complex64))
    assert packed.hex() == wire
    assert len(packed) == BYTES_PER_SYMBOL * len(symbols)
    assert pack_symbols(unpack_symbols(bytes.fromhex(wire), len(symbols))).hex() == wire


@pytest.mark.parametrize("form", [">c8", "<c8", "complex128"])
def test_any_byte_order_and_width_is_packed_alike(form):
    assert pack_symbols(np.array([1, 2j]).astype(form)).hex() == WIRE[-1][1]


def test_symbols_that_do_not_lie_together_are_packed():
    assert pack_symbols(np.array([1, 9, 2j, 9], np.complex64)[::2]).hex() == WIRE[-1][1]


@given(
    arrays(
        np.complex64, st.integers(0, 40), elements=st.complex_numbers(allow_nan=False, allow_infinity=False, width=64)
    )
)
def test_there_and_back_bit_for_bit(symbols):
    back = unpack_symbols(pack_symbols(symbols), symbols.size)
    assert back.dtype == np.complex64
    assert back.tobytes() == symbols.tobytes()


def test_what_is_unpacked_is_a_view_that_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        unpack_symbols(bytes(8), 1)[0] = 1


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (7, 1), (9, 1), (16, 1), (8, 2), (8, 0)])
def test_a_wrong_length_is_refused(size, expected):
    with pytest.raises(InvalidSymbols, match=f"{size} bytes.*{expected} complex64 symbols need {8 * expected}"):
        unpack_symbols(bytes(size), expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, complex(0, math.nan), complex(1, math.inf)])
def test_a_value_that_is_not_finite_is_refused(bad):
    with pytest.raises(InvalidSymbols, match="NaN or an infinity"):
        unpack_symbols(np.array([1, bad], "<c8").tobytes(), 2)


def test_mean_power():
    assert mean_power(np.array([3 + 4j, 0], np.complex64)) == 12.5
    assert mean_power(np.full(1 << 16, 1e-3, np.complex64)) == pytest.approx(1e-6)


@given(arrays(np.complex64, (3, 5), elements=st.complex_numbers(min_magnitude=1e-10, max_magnitude=1e10, width=64)))
def test_every_burst_gets_unit_power(symbols):
    normal = normalize_power(symbols)
    assert normal.dtype == np.complex64
    for before, after in zip(symbols, normal, strict=True):
        assert mean_power(after) == pytest.approx(1, rel=1e-5)
        assert np.allclose(after * np.sqrt(mean_power(before)), before, rtol=1e-4)


@pytest.mark.parametrize("dead", [0, math.nan, math.inf])
def test_a_burst_without_a_power_is_refused(dead):
    with pytest.raises(InvalidSymbols, match="unit power"):
        normalize_power(np.array([[1, 1], [dead, dead]], np.complex64))
