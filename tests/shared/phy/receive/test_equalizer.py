"""The equalizers: their formulas, their error, and what they do at the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidSetting, InvalidSymbols
from shared.phy import Sending, equalize, estimate_channel, pilot_sequence
from tests.tools.channel import HALF_DB, link, received

NAN = float("nan")


def one(y, gain, n0, method):
    """Equalize bursts of one symbol under one gain and noise power."""
    y = np.atleast_2d(np.asarray(y, np.complex64))
    return equalize(y, np.full(len(y), gain, np.complex64), np.full(len(y), n0, np.float32), method)


def through_the_link(snr_db, method, bursts=4000):
    """(x, x_hat, n0_eff) over Rayleigh with known gain: [16], [bursts, 16] and [bursts, 16]."""
    x = pilot_sequence(16)
    sent = link(fading="rayleigh", snr_db=snr_db).transmit_many([Sending(x, 0, counter) for counter in range(bursts)])
    gain, n0 = np.stack([one.gain for one in sent]), np.array([[one.n0] for one in sent], np.float32)
    return x, *equalize(np.stack([one.y for one in sent]), gain[:, 0], n0[:, 0], method)


def test_the_formulas():
    y, h, n0 = 1 + 2j, 0.5 - 1j, 0.25
    x_hat, n0_eff = one(y, h, n0, "zf")
    assert x_hat[0, 0] == pytest.approx(y / h)
    assert n0_eff[0, 0] == pytest.approx(n0 / 1.25)
    x_hat, n0_eff = one(y, h, n0, "mmse")
    assert x_hat[0, 0] == pytest.approx(np.conj(h) * y / 1.5)
    assert n0_eff[0, 0] == pytest.approx(n0 / 1.5)
    assert (x_hat.dtype, n0_eff.dtype) == (np.complex64, np.float32)


@pytest.mark.parametrize("snr_db", [-5, 0, 5, 10])
@pytest.mark.parametrize("method", ["zf", "mmse", "level"])
def test_n0_eff_is_the_mean_squared_error_of_the_estimate(method, snr_db):
    """The squared error of each burst relative to its n0_eff is 1 in the mean, to 3 %: four standard errors."""
    x, x_hat, n0_eff = through_the_link(snr_db, method)
    error = np.abs(x_hat - x) ** 2 / n0_eff
    assert error.mean() == pytest.approx(1, rel=0.03)
    assert error.mean() * HALF_DB**2 != pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("snr_db", [-10, -5, 0, 5])
def test_biased_mmse_errs_less_than_zf_at_low_snr(snr_db):
    errors = {}
    for method in ("zf", "mmse"):
        x, x_hat, _ = through_the_link(snr_db, method)
        errors[method] = np.mean(np.abs(x_hat - x) ** 2)
    assert errors["mmse"] < 0.5 * errors["zf"]
    assert errors["mmse"] < 1


@pytest.mark.parametrize("fading", [{}, {"coherence_symbols": 4}])
def test_n0_eff_is_the_error_where_gains_differ_too(fading):
    """To 3 %, and no method errs less than mmse; level beats zf where gains differ, and is zf where they do not."""
    x, errors = pilot_sequence(16), {}
    of = link(fading="rayleigh", snr_db=3, **fading)
    sent = of.transmit_many([Sending(x, 0, counter) for counter in range(4000)])
    gain = np.stack([np.broadcast_to(one.gain, 16) for one in sent])
    n0 = np.full(4000, sent[0].n0, np.float32)
    for method in ("mmse", "level", "zf"):
        x_hat, n0_eff = equalize(np.stack([one.y for one in sent]), gain, n0, method)
        squared = np.abs(x_hat - x) ** 2
        assert np.mean(squared / n0_eff) == pytest.approx(1, rel=0.03)
        errors[method] = squared.mean()
    assert errors["mmse"] < errors["level"]
    if fading:
        assert errors["level"] < 0.5 * errors["zf"]
    else:
        assert errors["level"] == pytest.approx(errors["zf"], rel=1e-4)


def test_level_keeps_the_mean_level_of_what_was_sent():
    gain, n0 = np.array([[2, 1, 0.1, 0.5j]], np.complex64), np.array([0.3], np.float32)
    assert equalize(gain, gain, n0, "level")[0].mean() == pytest.approx(1)
    assert abs(equalize(gain, gain, n0, "mmse")[0].mean()) < 0.8
    mmse, level = (equalize(gain, gain, n0, method)[0][0] for method in ("mmse", "level"))
    assert np.ptp(np.abs(level / mmse)) < 1e-6


def test_mmse_is_one_minus_n0_eff_times_zf():
    zf, _ = one([[2 + 1j]], 0.3j, 0.5, "zf")
    mmse, n0_eff = one([[2 + 1j]], 0.3j, 0.5, "mmse")
    assert mmse[0, 0] == pytest.approx((1 - n0_eff[0, 0]) * zf[0, 0], rel=1e-5)


@pytest.mark.parametrize("method", ["zf", "mmse", "level"])
def test_without_noise_both_give_back_what_was_sent(method):
    x = pilot_sequence(16)[None]
    x_hat, n0_eff = one(x * np.complex64(0.3 - 2j), 0.3 - 2j, 0, method)
    assert np.allclose(x_hat, x, atol=1e-6)
    assert (n0_eff == 0).all()


def test_an_unknown_noise_power_means_zf_and_stays_unknown():
    mmse, n0_eff = one([[1 + 1j, 2]], 0.5j, NAN, "mmse")
    zf, _ = one([[1 + 1j, 2]], 0.5j, NAN, "zf")
    assert np.array_equal(mmse, zf)
    assert np.isnan(n0_eff).all()


def test_each_burst_has_its_own_gain_and_noise():
    y = np.ones((3, 2), np.complex64)
    gain, n0 = np.array([1, 2j, -0.5], np.complex64), np.array([0.1, NAN, 0], np.float32)
    x_hat, n0_eff = equalize(y, gain, n0)
    for row in range(3):
        alone, alone_n0 = equalize(y[row : row + 1], gain[row : row + 1], n0[row : row + 1])
        assert np.array_equal(alone[0], x_hat[row])
        assert np.array_equal(alone_n0[0], n0_eff[row], equal_nan=True)


@given(
    st.complex_numbers(max_magnitude=1e3, width=64),
    st.complex_numbers(max_magnitude=1e3, width=64),
    st.floats(0, 1e5, width=32) | st.just(NAN),
    st.sampled_from(["zf", "mmse", "level"]),
)
def test_nothing_infinite_comes_out_however_deep_the_fade(y, gain, n0, method):
    x_hat, n0_eff = one([[y]], gain, n0, method)
    assert np.isfinite(x_hat).all()
    assert np.isnan(n0_eff).all() if np.isnan(n0) else 0 <= n0_eff[0, 0] < np.inf


@pytest.mark.parametrize("method", ["zf", "mmse", "level"])
@pytest.mark.parametrize("n0", [0, 1e-3, NAN])
def test_a_gain_of_zero_gives_zero(method, n0):
    x_hat, _ = one([[1 + 1j]], 0, n0, method)
    assert x_hat[0, 0] == 0


def test_each_symbol_has_its_own_gain_and_noise():
    rng = np.random.default_rng(3)
    y, gain = (rng.standard_normal((3, 8, 2)).astype(np.float32).view(np.complex64)[..., 0] for _ in range(2))
    n0 = rng.random((3, 8)).astype(np.float32)
    for method in ("mmse", "zf"):  # level is one for the whole burst
        x_hat, n0_eff = equalize(y, gain, n0, method)
        alone, alone_n0 = equalize(y.reshape(-1, 1), gain.reshape(-1), n0.reshape(-1), method)
        assert np.array_equal(x_hat.reshape(-1, 1), alone)
        assert np.array_equal(n0_eff.reshape(-1, 1), alone_n0)


def test_the_error_of_the_gain_counts_as_noise():
    """Between y and h_hat x stands N0 (1 + 1/p), to 2 %: seven standard errors."""
    p, n0 = 4, 0.1
    x = np.concatenate([pilot_sequence(p), np.exp(1j * np.arange(60)).astype(np.complex64)])
    y = received(link(snr_db=10), x, 0, range(4000))
    known = estimate_channel(y[:, :p])
    between = np.mean(np.abs(y[:, p:] - known.gain[:, None] * x[p:]) ** 2)
    assert between == pytest.approx(n0 * (1 + 1 / p), rel=0.02)
    assert known.disturbance.mean() == pytest.approx(between, rel=0.03)
    assert known.n0.mean() != pytest.approx(between, rel=0.03)


def test_an_unknown_method_is_refused():
    with pytest.raises(InvalidSetting, match="choose from mmse, zf, level"):
        one([[1]], 1, 1, "lmmse")


@pytest.mark.parametrize(
    ("y", "gain", "n0"),
    [((2, 4), (1,), (2,)), ((2, 4), (2,), (1,)), ((4,), (4,), (4,)), ((2, 4), (2, 3), (2,)), ((2, 4), (2,), (2, 1))],
)
def test_shapes_that_do_not_fit_are_refused(y, gain, n0):
    with pytest.raises(InvalidSymbols, match=r"y \[B, n\]"):
        equalize(np.ones(y, np.complex64), np.ones(gain, np.complex64), np.ones(n0, np.float32))
