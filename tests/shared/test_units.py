import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import db_to_ratio, n0_from_snr_db, ratio_to_db


@pytest.mark.parametrize(("db", "ratio"), [(0, 1), (10, 10), (-10, 0.1), (3, 1.9953), (-30, 1e-3), (100, 1e10)])
def test_decibels(db, ratio):
    assert db_to_ratio(db) == pytest.approx(ratio, rel=1e-4)
    assert ratio_to_db(ratio) == pytest.approx(db, abs=1e-3)


@given(st.floats(-200, 200))
def test_there_and_back(db):
    assert ratio_to_db(db_to_ratio(db)) == pytest.approx(db, abs=1e-9)


def test_no_power_is_minus_infinity():
    assert ratio_to_db(0) == -math.inf
    assert db_to_ratio(-math.inf) == 0


@pytest.mark.parametrize(("snr_db", "n0"), [(0, 1), (10, 0.1), (-10, 10), (math.inf, 0), (100, 1e-10), (-50, 1e5)])
def test_n0_is_per_complex_symbol_of_unit_energy(snr_db, n0):
    assert n0_from_snr_db(snr_db) == pytest.approx(n0)
