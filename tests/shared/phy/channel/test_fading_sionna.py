"""Flat fading against Sionna 2.2: the same statistics, taken in the same way. A gain that is half a dB off is found."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats
from sionna.phy import config
from sionna.phy.channel import RayleighBlockFading
from sionna.phy.channel.tr38901 import TDL
from sionna.phy.constants import SPEED_OF_LIGHT

from shared.phy import Link
from shared.types import Complex
from tests.tools.channel import HALF_DB, ONE, link, received, refused, spoiled

BURSTS = 10_000
STREAMS, SYMBOLS = 1500, 64
DOPPLER_HZ, RATE_HZ, CARRIER_HZ = 2e4, 1e6, 1e9


@cache
def sionna_block() -> Complex:
    """Rayleigh block fading: [BURSTS]."""
    config.seed = 1
    h, _ = RayleighBlockFading(1, 1, 1, 1)(BURSTS, 1, RATE_HZ)
    return h.numpy().reshape(-1)


@cache
def sionna_moving(profile: str) -> tuple[Complex, float]:
    """The first path of a TDL at unit power, [STREAMS, SYMBOLS], and its K factor in dB, -inf without line of sight."""
    config.seed = 2
    speed = DOPPLER_HZ / CARRIER_HZ * SPEED_OF_LIGHT
    tdl = TDL(profile, 1e-6, CARRIER_HZ, min_speed=speed, max_speed=speed)
    h, _ = tdl(STREAMS, SYMBOLS, RATE_HZ)
    path = h[:, 0, 0, 0, 0, 0].numpy() / math.sqrt(float(tdl.mean_powers[0]))
    return path, 10 * math.log10(float(tdl.k_factor)) if profile in "DE" else -math.inf


@cache
def ours(of: Link) -> Complex:
    x = np.ones(SYMBOLS, np.complex64)
    return np.stack([of.transmit(x, stream, 0).y for stream in range(STREAMS)])


def correlations(h: Complex) -> Complex:
    """R(tau) over the lags of a burst, averaged over streams: [SYMBOLS]."""
    return np.array([np.mean(h[:, lag:] * h[:, : SYMBOLS - lag].conj()) for lag in range(SYMBOLS)])


def check_block(of: Link) -> None:
    """Both samples of |h| are of one distribution: Kolmogorov-Smirnov at the 0.1 % level."""
    assert stats.ks_2samp(np.abs(received(of, ONE, 0, range(BURSTS))[:, 0]), np.abs(sionna_block())).pvalue > 1e-3


def check_moving(of: Link, profile: str) -> None:
    """Both autocorrelations agree to 0.09, and the envelopes are of one distribution at the 0.1 % level.

    The standard error is 0.02.
    """
    theirs, _ = sionna_moving(profile)
    assert np.abs(correlations(ours(of)) - correlations(theirs)).max() < 0.09
    assert stats.ks_2samp(np.abs(ours(of)[:, 0]), np.abs(theirs[:, 0])).pvalue > 1e-3


def test_rayleigh_blocks():
    good = link(fading="rayleigh")
    check_block(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_block(spoiled(good, "rayleigh", lambda h, factor=factor: h * factor))


@pytest.mark.parametrize("profile", ["A", "D"])
def test_motion(profile):
    k_db = sionna_moving(profile)[1]
    name = "rayleigh" if k_db == -math.inf else "rician"
    settings = {"rician_k_db": round(k_db, 6)} if name == "rician" else {}
    good = link(fading=name, doppler_hz=DOPPLER_HZ, symbol_rate_hz=RATE_HZ, **settings)
    check_moving(good, profile)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_moving(spoiled(good, name, lambda h, factor=factor: h * factor), profile)
