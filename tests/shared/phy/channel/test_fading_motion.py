"""Fading in motion: Clarke's autocorrelation and level-crossing rate, within bursts and from burst to burst."""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import j0

from shared.phy import ChannelSettings, Link
from shared.phy.channel.phase import phasor, turns_at
from shared.types import Complex
from shared.units import db_to_ratio, ratio_to_db
from tests.tools.channel import HALF_DB, ONE, link, received, refused, spoiled

RATE_HZ = ChannelSettings().symbol_rate_hz
DOPPLER_HZ = 1e4
STREAMS, SYMBOLS = 24, 1 << 15
LAST = (1 << 64) - 1
HALF_DB_FASTER = DOPPLER_HZ * db_to_ratio(0.5)
MOVING = link(fading="rayleigh", doppler_hz=DOPPLER_HZ)
MOVING_RICIAN = link(fading="rician", rician_k_db=3, doppler_hz=DOPPLER_HZ)


@cache
def within(of: Link) -> Complex:
    """Gains along one long burst in each of some streams: [STREAMS, SYMBOLS], 7900 periods of f_D in all."""
    x = np.ones(SYMBOLS, np.complex64)
    return np.stack([of.transmit(x, stream, 0).y for stream in range(STREAMS)])


@cache
def in_a_row(of: Link) -> Complex:
    """Gains along bursts of 64 symbols, back to back: [STREAMS, SYMBOLS]."""
    x = np.ones(64, np.complex64)
    return np.stack([received(of, x, stream, range(SYMBOLS // 64)).reshape(-1) for stream in range(STREAMS)])


@cache
def from_burst_to_burst(of: Link) -> Complex:
    """Gains of bursts of one symbol, 0.17 periods of f_D apart: [STREAMS, 1000]."""
    return np.stack([received(of, ONE, stream, range(1000))[:, 0] for stream in range(STREAMS)])


def autocorrelation(h: Complex, lag: int) -> complex:
    return complex(np.mean(h[:, lag:] * h[:, : h.shape[1] - lag].conj()))


def crossings(h: Complex, level: float) -> int:
    """How often |h| falls through `level`."""
    above = np.abs(h) >= level
    return int(np.sum(above[:, :-1] & ~above[:, 1:]))


def check_autocorrelation(h: Complex, periods_per_step: float) -> None:
    """R(tau) = J0(2 pi f_D tau), real, to 0.06 for the first period of f_D; the standard error is 0.01."""
    for lag in range(round(1 / periods_per_step)):
        expected = j0(2 * math.pi * periods_per_step * lag)
        assert abs(autocorrelation(h, lag) - expected) < 0.06, lag


def check_within(of: Link) -> None:
    check_autocorrelation(within(of), DOPPLER_HZ / RATE_HZ)


def check_from_burst_to_burst(of: Link) -> None:
    check_autocorrelation(from_burst_to_burst(of), DOPPLER_HZ * 17 / RATE_HZ)


def check_level_crossings(h: Complex) -> None:
    """N(rho) = sqrt(2 pi) f_D rho exp(-rho^2), rho the level over the rms of |h|: to 4 %, at 2 to 12 %.

    The standard errors are 0.7 % and 3 %. (Jakes, "Microwave Mobile Communications", eq. 1.3-35.)
    """
    periods = STREAMS * (SYMBOLS - 1) * DOPPLER_HZ / RATE_HZ
    for rho, tolerance in ((0.3, 0.04), (1, 0.04), (2, 0.12)):
        expected = math.sqrt(2 * math.pi) * rho * math.exp(-(rho**2)) * periods
        assert crossings(h, rho) == pytest.approx(expected, rel=tolerance), rho


def check_crossings_within(of: Link) -> None:
    check_level_crossings(within(of))


def check_crossings_from_burst_to_burst(of: Link) -> None:
    check_level_crossings(in_a_row(of))


INTERVALS = {check_from_burst_to_burst: 17 / RATE_HZ, check_crossings_from_burst_to_burst: 64 / RATE_HZ}


@pytest.mark.parametrize("check", [check_within, check_crossings_within, *INTERVALS])
@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda h: h * HALF_DB, {}),
        (lambda h: h / HALF_DB, {}),
        (None, {"doppler_hz": HALF_DB_FASTER}),
        (None, {"doppler_hz": DOPPLER_HZ**2 / HALF_DB_FASTER}),
    ],
)
def test_clarke(check, spoil, wrong):
    good = link(fading="rayleigh", doppler_hz=DOPPLER_HZ, burst_interval_seconds=INTERVALS.get(check, 0.0))
    check(good)
    with refused():
        check(spoiled(good, "rayleigh", spoil, **wrong))


def check_moving_line_of_sight(of: Link) -> None:
    """R(tau) = K/(K+1) exp(j 2 pi 0.7 f_D tau) + J0(2 pi f_D tau)/(K+1), to 0.06."""
    k, h = db_to_ratio(3), within(of)
    for lag in range(0, 100, 7):
        turns = DOPPLER_HZ / RATE_HZ * lag
        expected = (k * np.exp(2j * math.pi * 0.7 * turns) + j0(2 * math.pi * turns)) / (k + 1)
        assert abs(autocorrelation(h, lag) - expected) < 0.06, lag


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda h: h * HALF_DB, {}),
        (None, {"doppler_hz": HALF_DB_FASTER}),
        (None, {"rician_k_db": 0}),
        (np.conj, {}),
    ],
)
def test_moving_rician(spoil, wrong):
    check_moving_line_of_sight(MOVING_RICIAN)
    with refused():
        check_moving_line_of_sight(spoiled(MOVING_RICIAN, "rician", spoil, **wrong))


@cache
def over_streams(of: Link) -> Complex:
    return np.concatenate([of.transmit(ONE, stream, 0).y for stream in range(5000)])


@cache
def over_time(of: Link) -> Complex:
    return received(of, ONE, 5, range(5000))[:, 0]


def check_gaussian(h: Complex) -> None:
    """Re h and Im h are N(0, 1/2), and |h| is Rayleigh: Kolmogorov-Smirnov at the 0.1 % level; E|h|^2 to 0.2 dB."""
    for part in (h.real, h.imag):
        assert stats.kstest(part, stats.norm(scale=math.sqrt(0.5)).cdf).pvalue > 1e-3
    assert stats.kstest(np.abs(h), stats.rayleigh(scale=math.sqrt(0.5)).cdf).pvalue > 1e-3
    assert abs(ratio_to_db(float(np.mean(np.abs(h) ** 2)))) < 0.2


@pytest.mark.parametrize("sampled", [over_streams, over_time])
def test_the_envelope_is_rayleigh_over_streams_and_over_time(sampled):
    """Samples of one stream lie 73 periods apart."""
    good = link(fading="rayleigh", doppler_hz=100, burst_interval_seconds=0.73)
    check_gaussian(sampled(good))
    for spoil in (lambda h: h * HALF_DB, lambda h: h / HALF_DB, lambda h: np.abs(h) + 0j):
        with refused():
            check_gaussian(sampled(spoiled(good, "rayleigh", spoil)))


@pytest.mark.parametrize("fading", ["rayleigh", "rician"])
def test_bursts_in_a_row_are_one_long_process(fading):
    """64 bursts of 64 symbols, back to back, have the gains of one burst of 4096, to 1e-5: no step between them."""
    of = link(fading=fading, doppler_hz=3000.0, burst_interval_seconds=64 / RATE_HZ)
    bursts = received(of, np.ones(64, np.complex64), 9, range(64)).reshape(-1)
    assert np.allclose(bursts, of.transmit(np.ones(4096, np.complex64), 9, 0).y, atol=1e-5)


def exact_turns(counter: int, interval_seconds: float, hz: float) -> Fraction:
    return counter * Fraction(interval_seconds) * Fraction(hz)


def off_by(turns: float, exact: Fraction) -> float:
    """Distance on the circle."""
    difference = (Fraction(float(turns)) - exact) % 1
    return float(min(difference, 1 - difference))


HZ = st.floats(-1e6, 1e6).filter(lambda hz: hz == 0 or abs(hz) > 1e-6)
INTERVAL = st.floats(1e-9, 3600)


@given(st.integers(0, 1 << 20), INTERVAL, HZ)
def test_phase_is_exact(counter, interval_seconds, hz):
    """Against rational numbers: off by the rounding of one product, 2^-53 of it, and by 2^-63 turns a burst."""
    turns = turns_at(counter, interval_seconds, np.array([hz]))[0]
    bound = counter * (abs(interval_seconds * hz) * 2**-53 + 2**-63) + 2**-52
    assert off_by(turns, exact_turns(counter, interval_seconds, hz)) <= bound


@given(st.integers(1 << 63, LAST - 1), INTERVAL, HZ)
def test_the_last_bursts_are_as_precise_as_the_first(counter, interval_seconds, hz):
    """From burst to burst the phase advances by the same amount, to 2^-51 turns, wherever on the time line."""
    first, here, after = (turns_at(at, interval_seconds, np.array([hz]))[0] for at in (1, counter, counter + 1))
    assert off_by(after - here, Fraction(float(first))) <= 2**-51


def test_motion_goes_on_at_the_end_of_the_time_line():
    """The autocorrelation among the last of 2^64 bursts, an hour apart, is that among the first."""
    of = link(fading="rayleigh", doppler_hz=0.1 / 3600, burst_interval_seconds=3600)
    for begin in (0, LAST - 1000):
        h = np.stack([received(of, ONE, stream, range(begin, begin + 1000))[:, 0] for stream in range(STREAMS)])
        check_autocorrelation(h, 0.1)


@pytest.mark.parametrize("turns", [0.0, 0.25, -0.125, 1e9 + 0.375, -12345.6])
def test_phasor(turns):
    assert phasor(np.array([turns]))[0] == pytest.approx(np.exp(2j * math.pi * (turns % 1)), abs=1e-6)


def pairs() -> Iterator[tuple[Link, int]]:
    yield MOVING, 1
    yield link(fading="rayleigh", doppler_hz=DOPPLER_HZ, seed=2025), 0


@pytest.mark.parametrize(("other", "stream"), list(pairs()))
def test_other_streams_and_seeds_move_independently(other, stream):
    """Over 200 pairs of streams the mean correlation is 0 to 0.25: 3.5 standard errors."""
    x = ONE
    one = np.concatenate([MOVING.transmit(x, 2 * i, 0).y for i in range(200)])
    two = np.concatenate([other.transmit(x, 2 * i + stream, 0).y for i in range(200)])
    assert abs(np.mean(one * two.conj())) < 0.25


def test_slow_motion_is_nearly_a_block():
    sent = link(fading="rayleigh", doppler_hz=1e-3).transmit(np.ones(2048, np.complex64), 0, 0)
    assert np.ptp(np.abs(sent.y)) < 1e-3
    assert sent.gain.shape == (2048,)
