"""Pilots and what is estimated from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidSetting, InvalidSymbols
from shared.phy import (
    Sending,
    estimate_channel,
    payload_positions,
    pilot_positions,
    pilot_sequence,
    place_pilots,
)
from tests.tools.channel import burst, link

BURSTS = 20_000


def received(p, gain, n0, bursts=BURSTS, seed=0):
    """Pilots behind a known gain and noise: [bursts, p], complex64."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((bursts, p, 2)).view(np.complex128)[..., 0] * np.sqrt(n0 / 2)
    return (gain * pilot_sequence(p) + noise).astype(np.complex64)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13, 64, 1000])
def test_pilots_have_unit_modulus_and_no_periodic_autocorrelation(n):
    pilots = pilot_sequence(n)
    assert (pilots.dtype, pilots.shape) == (np.complex64, (n,))
    assert np.allclose(np.abs(pilots), 1, atol=1e-6)
    for lag in range(1, min(n, 20)):
        assert abs(np.vdot(pilots, np.roll(pilots, lag))) < 1e-4 * n


def test_pilots_are_the_same_every_time_and_cannot_be_spoiled():
    assert pilot_sequence(8).tobytes() == pilot_sequence(8).tobytes()
    with pytest.raises(ValueError, match="read-only"):
        pilot_sequence(8)[0] = 0
    assert pilot_sequence(4)[2] == pytest.approx(-1)  # exp(-j pi 2^2 / 4)


def test_no_pilots_are_an_empty_sequence_and_fewer_are_refused():
    assert pilot_sequence(0).shape == (0,)
    with pytest.raises(InvalidSetting, match="-1 pilots"):
        pilot_sequence(-1)


@pytest.mark.parametrize("p", [2, 3, 8, 32])
@pytest.mark.parametrize("n0", [10.0, 0.1])
def test_the_gain_is_unbiased_with_variance_n0_over_p(p, n0):
    gain = 0.6 - 0.8j
    error = estimate_channel(received(p, gain, n0)).gain - gain
    assert abs(error.mean()) < 4 * np.sqrt(n0 / p / BURSTS)
    assert np.var(error) == pytest.approx(n0 / p, rel=0.03)  # over four standard errors


@pytest.mark.parametrize("p", [2, 3, 8, 32])
@pytest.mark.parametrize("n0", [10.0, 0.1])
def test_the_noise_power_is_unbiased_whatever_the_gain(p, n0):
    for gain in (0, 0.6 - 0.8j):
        estimate = estimate_channel(received(p, gain, n0)).n0
        assert estimate.mean() == pytest.approx(n0, rel=4 / np.sqrt(BURSTS * (p - 1)))
        assert np.var(estimate) == pytest.approx(n0**2 / (p - 1), rel=0.15)


def test_a_planted_half_decibel_and_a_wrong_degree_of_freedom_are_caught():
    p, n0 = 8, 1.0
    estimate = estimate_channel(received(p, 1, n0 * 10**0.05)).n0.mean()
    assert estimate != pytest.approx(n0, rel=4 / np.sqrt(BURSTS * (p - 1)))
    biased = estimate_channel(received(p, 1, n0)).n0.mean() * (p - 1) / p
    assert biased != pytest.approx(n0, rel=4 / np.sqrt(BURSTS * (p - 1)))


def test_without_noise_the_estimate_is_exact():
    estimate = estimate_channel(received(8, 0.3 + 0.4j, 0, bursts=3))
    assert np.allclose(estimate.gain, 0.3 + 0.4j, atol=1e-6)
    assert (estimate.n0 < 1e-12).all()
    assert (estimate.gain.dtype, estimate.n0.dtype) == (np.complex64, np.float32)


def test_bursts_are_estimated_each_for_itself():
    y = np.concatenate([received(8, gain, 0.1, bursts=1, seed=s) for s, gain in enumerate((1, 2j, -3))])
    together = estimate_channel(y)
    for row, one in enumerate(y):
        alone = estimate_channel(one[None])
        assert alone.gain[0] == pytest.approx(together.gain[row], rel=1e-6)
        assert alone.n0[0] == pytest.approx(together.n0[row], rel=1e-5)


def test_it_finds_the_gain_that_the_link_drew():
    of = link(fading="rayleigh", snr_db=20)
    sent = of.transmit_many([Sending(pilot_sequence(8), 0, counter) for counter in range(2000)])
    estimate = estimate_channel(np.stack([one.y for one in sent]))
    error = estimate.gain - np.concatenate([one.gain for one in sent])
    assert np.mean(np.abs(error) ** 2) == pytest.approx(0.01 / 8, rel=0.1)
    assert estimate.error.mean() == pytest.approx(0.01 / 8, rel=0.04)
    assert estimate.n0.mean() == pytest.approx(0.01, rel=0.04)


@pytest.mark.parametrize("shape", [(4, 1), (4, 0), (8,), (2, 2, 2)])
def test_what_cannot_be_estimated_is_refused(shape):
    with pytest.raises(InvalidSymbols, match="at least 2 pilots"):
        estimate_channel(np.ones(shape, np.complex64))


@given(st.integers(1, 300), st.integers(0, 300), st.sampled_from(["preamble", "scattered"]))
def test_pilots_are_placed_and_found_again(payload, pilots, pilot_pattern):
    x = burst(payload)
    placed = place_pilots(x, pilots, pilot_pattern)
    positions = pilot_positions(pilots, placed.size, pilot_pattern)
    assert placed.size == payload + pilots
    assert np.array_equal(placed[positions], pilot_sequence(pilots))
    assert np.array_equal(placed[payload_positions(pilots, placed.size, pilot_pattern)], x)


def test_spread_pilots_stand_evenly_from_the_first_symbol_to_the_last():
    positions = pilot_positions(9, 200, "scattered")
    assert (positions[0], positions[-1]) == (0, 199)
    assert np.ptp(np.diff(positions)) <= 1
    assert np.array_equal(pilot_positions(9, 200, "preamble"), np.arange(9))
    with pytest.raises(ValueError, match="read-only"):
        positions[0] = 1
