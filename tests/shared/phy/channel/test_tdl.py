"""The tapped delay lines against the standard's tables, Sionna and theory. A link that is off must be refused."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import j0
from sionna.phy.channel import cir_to_ofdm_channel, subcarrier_frequencies
from sionna.phy.channel.tr38901 import TDL

from shared.phy import Sending
from shared.phy.channel.stage import Draw
from shared.phy.channel.tdl import PROFILES, TappedDelayLine, paths
from shared.phy.conditions.settings import SELECTIVE
from shared.phy.power import normalize_power
from shared.units import ratio_to_db
from tests.tools.channel import HALF_DB, burst, link, refused, spoiled

BURSTS = 6000
RATE_HZ = 1e6
X = normalize_power(burst(64)[None])[0]


def sionna(name, spread=1e-6):
    return TDL(name[-1].upper(), spread, 3e9, device="cpu")


def tdl(name, **settings):
    return link(**({"fading": name, "waveform": "ofdm"} | settings))


@cache
def responses(of, bursts=BURSTS):
    """H[k] as seen from outside, burst by burst: [bursts, 64]."""
    sent = of.transmit_many([Sending(X, counter // 100, counter % 100) for counter in range(bursts)])
    return np.stack([one.y for one in sent]) / X


def correlation(h):
    """E[h[k + lag] h*[k]] for lags 0 to 40: [41], complex."""
    return np.array([np.mean(h[:, lag:] * h[:, : h.shape[1] - lag].conj()) for lag in range(41)])


def theory(name, spread=1e-6):
    """The same from the power-delay profile."""
    delays, powers, _ = PROFILES[name]
    return np.array([np.sum(powers * np.exp(-2j * np.pi * lag * delays * spread * RATE_HZ / 64)) for lag in range(41)])


@pytest.mark.parametrize("name", SELECTIVE)
def test_the_tables_are_those_of_sionna(name):
    theirs, ours = sionna(name), PROFILES[name]
    powers, delays = theirs.mean_powers.real.numpy(), theirs.delays.numpy() / 1e-6
    assert ours.line_of_sight == theirs.los
    skip = 1 if ours.line_of_sight else 0  # Sionna adds the line of sight and the scatter of its tap
    assert np.allclose(ours.delays[skip:], delays, atol=1e-5)
    assert ours.powers[: skip + 1].sum() == pytest.approx(powers[0], rel=1e-4)
    assert np.allclose(ours.powers[skip + 1 :], powers[1:], rtol=1e-4)
    assert ours.powers.sum() == pytest.approx(1)
    if ours.line_of_sight:
        assert ours.powers[0] / ours.powers[1] == pytest.approx(float(theirs.k_factor), rel=1e-4)


@pytest.mark.parametrize("name", SELECTIVE)
def test_the_delay_spread_is_what_was_set(name):
    """To 1 %: the standard rounds its figures."""
    for spread in (1e-7, 1e-6):
        delays = paths(tdl(name, delay_spread_seconds=spread).settings)
        powers = PROFILES[name].powers
        phases = np.unwrap(np.angle(delays.phases), axis=1)
        seconds = -(phases[:, -1] - phases[:, 0]) / (2 * np.pi * 63 / 64) / RATE_HZ
        mean = np.sum(powers * seconds)
        assert math.sqrt(np.sum(powers * seconds**2) - mean**2) == pytest.approx(spread, rel=0.01)


def check_profile(of):
    """Mean power and correlation over frequency are those of the table, to 0.05 of the power: four standard errors."""
    seen = correlation(responses(of))
    assert np.abs(seen - theory(of.settings.fading)).max() < 0.05
    assert abs(ratio_to_db(seen[0].real)) < 0.2


@pytest.mark.parametrize("name", SELECTIVE)
def test_power_delay_profile(name):
    good = tdl(name)
    check_profile(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_profile(spoiled(good, "tdl", lambda drawn, factor=factor: drawn * factor))


@pytest.mark.parametrize("name", ["tdl-a", "tdl-b", "tdl-c"])
def test_a_delay_spread_that_is_half_a_decibel_off_is_seen(name):
    for factor in (10**0.05, 10**-0.05):
        off = tdl(name, delay_spread_seconds=1e-6 * factor)
        assert np.abs(correlation(responses(off)) - theory(name)).max() > 0.05


@pytest.mark.parametrize("name", ["tdl-a", "tdl-d"])
def test_sionna_draws_the_same_statistics(name):
    torch.manual_seed(1)
    gains, delays = sionna(name)(4000, 1, 1.0)
    h = cir_to_ofdm_channel(subcarrier_frequencies(64, RATE_HZ / 64, device="cpu"), gains, delays)
    seen = correlation(h.reshape(4000, 64).numpy())
    assert np.abs(seen - correlation(responses(tdl(name)))).max() < 0.1


@pytest.mark.parametrize("name", SELECTIVE)
def test_the_frequency_response_is_that_of_sionna_on_the_same_paths(name):
    of = tdl(name, delay_spread_seconds=5e-7)
    sent = of.transmit(X, 1, 2)
    drawn = TappedDelayLine().draw(Draw(of.settings.seed, 1, 2, 5, 0.0), of.settings, 80)
    gains = torch.from_numpy(drawn.reshape(1, 1, 1, 1, 1, -1, 1))
    delays = torch.from_numpy(np.float32(PROFILES[name].delays * 5e-7)).reshape(1, 1, 1, -1)
    theirs = cir_to_ofdm_channel(subcarrier_frequencies(64, RATE_HZ / 64, device="cpu"), gains, delays)
    assert np.allclose(sent.gain, theirs.reshape(-1).numpy(), atol=1e-4)
    assert np.allclose(sent.y, sent.gain * X, atol=1e-4)
    assert sent.noise_power < 1e-9


@pytest.mark.parametrize("name", ["tdl-d", "tdl-e"])
def test_the_line_of_sight_does_not_fade(name):
    settings = tdl(name).settings
    draws = np.stack([TappedDelayLine().draw(Draw(0, 0, counter, 5, 0.0), settings, 80) for counter in range(4000)])
    assert np.ptp(draws[:, 0]) < 1e-6
    assert abs(draws[0, 0, 0]) ** 2 == pytest.approx(PROFILES[name].powers[0], rel=1e-5)
    k_db = ratio_to_db(abs(draws[0, 0, 0]) ** 2 / np.mean(np.abs(draws[:, 1]) ** 2))
    assert k_db == pytest.approx({"tdl-d": 13.3, "tdl-e": 22.0}[name], abs=0.3)  # TR 38.901, notes of the tables


def interference(settings, count):
    """Share of the power that the echoes behind the prefix carry into other subcarriers and symbols, by theory.

    Of a path that is late by the share r of a symbol, 1 - r is heard in its window, (1 - r)^2 of the power as its own
    subcarrier and (1 - r) r as others; r of the power is the symbol before, where there is one.
    """
    late = paths(settings).late / settings.fft_size
    each = late * (1 - late) + late * (count - 1) / count
    return np.sum(PROFILES[settings.fading].powers * each)


def check_prefix(of):
    """Interference behind a prefix that is too short is what theory says, to 0.3 dB; the standard error is 0.08 dB."""
    x = normalize_power(burst(64 * 5 * 3000).reshape(3000, -1))
    sent = of.transmit_many([Sending(one, 0, counter) for counter, one in enumerate(x)])
    seen = np.mean([one.noise_power for one in sent])
    assert abs(ratio_to_db(seen / interference(of.settings, 5))) < 0.3


@pytest.mark.parametrize("prefix", [0, 2, 6])
def test_a_prefix_that_is_too_short_lets_symbols_interfere(prefix):
    good = tdl("tdl-c", cyclic_prefix_symbols=prefix, delay_spread_seconds=2e-6)
    check_prefix(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_prefix(spoiled(good, "tdl", lambda drawn, factor=factor: drawn * factor))


def test_a_prefix_that_is_long_enough_lets_none():
    assert tdl("tdl-c", cyclic_prefix_symbols=9).transmit(burst(320), 0, 0).noise_power < 1e-9


def test_echoes_after_the_burst_are_not_heard():
    """1 ms of delay spread is 1000 samples, the burst has 80: only the first path of TDL-A, -13.4 dB, arrives."""
    of = tdl("tdl-a", delay_spread_seconds=1e-3)
    sent = of.transmit_many([Sending(X, 0, counter) for counter in range(2000)])
    first = PROFILES["tdl-a"].powers[0]
    assert np.mean([one.signal_power for one in sent]) == pytest.approx(first, rel=0.1)
    assert max(one.noise_power for one in sent) < 1e-9


def check_motion(of):
    """H moves on from burst to burst with J0(2 pi f_D tau), to 0.06: three standard errors over 300 streams."""
    interval, doppler_hz = of.settings.burst_interval_seconds, of.settings.doppler_hz
    sent = of.transmit_many([Sending(X, stream, counter) for stream in range(300) for counter in (0, 2, 4)])
    h = np.stack([one.gain for one in sent]).reshape(300, 3, 64)
    for step in (1, 2):
        seen = np.mean(h[:, step] * h[:, 0].conj())
        assert abs(seen - j0(2 * np.pi * doppler_hz * interval * 2 * step)) < 0.06


def test_paths_in_motion_are_continuous_from_burst_to_burst():
    """Long echoes make subcarriers nearly independent, which many draws are."""
    still = {"delay_spread_seconds": 4e-6, "cyclic_prefix_symbols": 64}
    good = tdl("tdl-a", doppler_hz=10.0, burst_interval_seconds=0.01, **still)
    check_motion(good)
    with refused():
        check_motion(spoiled(good, "tdl", doppler_hz=10 * 10**0.05))


def test_fast_motion_makes_subcarriers_interfere():
    """Leak over signal is (2 pi f_D T)^2 / 12 for a symbol of T = 64 us, to 10 % (Russell, Stueber, 1995)."""
    of = tdl("tdl-b", delay_spread_seconds=1e-7, doppler_hz=500.0)
    sent = of.transmit_many([Sending(X, stream, 0) for stream in range(600)])
    leak = np.mean([one.noise_power for one in sent]) / np.mean([one.signal_power for one in sent])
    assert leak == pytest.approx((2 * np.pi * 500 * 64e-6) ** 2 / 2 / 12, rel=0.1)
