"""OFDM: the waveform against Sionna's and against itself, its noise, its gains, and what it costs on the air."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sionna.phy.ofdm import OFDMDemodulator, OFDMModulator

from shared.phy import Grid, Sending
from shared.phy.channel.ofdm import air_symbols, demodulate, modulate, ofdm_symbols
from shared.phy.conditions.settings import GUARD_SYMBOLS
from shared.phy.power import normalize_power
from shared.units import ratio_to_db
from tests.tools.channel import HALF_DB, burst, link, refused, spoiled

GRID = Grid(64, 16)
GRIDS = st.builds(Grid, st.sampled_from([16, 64, 256]), st.integers(0, 16))


@given(GRIDS, st.integers(1, 700), st.integers(1, 3))
def test_what_is_modulated_is_demodulated(grid, n, bursts):
    x = burst(bursts * n).reshape(bursts, n)
    samples = modulate(grid, x)
    assert samples.dtype == np.complex64
    assert samples.shape == (bursts, air_symbols(grid, n))
    assert np.allclose(demodulate(grid, samples, n), x, atol=1e-5)


@given(GRIDS, st.integers(1, 700))
def test_every_symbol_costs_its_prefix_and_the_empty_subcarriers(grid, n):
    assert air_symbols(grid, n) == ofdm_symbols(grid, n) * (grid.fft_size + grid.cyclic_prefix_symbols)
    assert 0 <= ofdm_symbols(grid, n) * grid.fft_size - n < grid.fft_size
    assert air_symbols(None, n) == n


def test_the_samples_are_those_of_sionna():
    x = burst(3 * 64).reshape(1, 3, 64)
    theirs = OFDMModulator(GRID.cyclic_prefix_symbols, device="cpu")(torch.from_numpy(x)).numpy()
    ours = modulate(GRID, x.reshape(1, -1))
    assert np.allclose(ours, theirs, atol=1e-5)
    back = OFDMDemodulator(64, 0, GRID.cyclic_prefix_symbols, device="cpu")(torch.from_numpy(ours)).numpy()
    assert np.allclose(demodulate(GRID, ours, 192), back.reshape(1, -1), atol=1e-5)


def test_the_prefix_is_the_end_of_its_symbol_and_energy_is_kept():
    x = burst(128)[None]
    samples = modulate(GRID, x).reshape(2, 80)
    assert np.array_equal(samples[:, :16], samples[:, 64:])
    energy = np.sum(np.abs(samples[:, 16:]) ** 2)
    assert energy == pytest.approx(np.sum(np.abs(x) ** 2), rel=1e-5)


def check_noise(of):
    """Noise is N0 to 0.05 dB, and on each subcarrier to 0.25 dB: over five standard errors."""
    x = normalize_power(burst(64)[None])[0]
    sent = of.transmit_many([Sending(x, 0, counter) for counter in range(8000)])
    noise = np.mean([np.abs(one.y - x) ** 2 for one in sent], axis=0)
    asked = 10 ** (-of.settings.snr_db / 10)
    assert abs(ratio_to_db(float(noise.mean() / asked))) < 0.05
    assert all(abs(ratio_to_db(float(power / asked))) < 0.25 for power in noise)
    assert abs(ratio_to_db(float(np.mean([one.noise_power for one in sent]) / asked))) < 0.05


@pytest.mark.parametrize("snr_db", [0, 20])
def test_noise_per_subcarrier_is_n0(snr_db):
    good = link(waveform="ofdm", snr_db=snr_db)
    check_noise(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check_noise(spoiled(good, "awgn", lambda drawn, factor=factor: drawn * factor))


FADED = [
    {},
    {"fading": "rayleigh"},
    {"fading": "rician", "doppler_hz": 10.0},
    {"fading": "rayleigh", "coherence_symbols": 80},
    {"phase_deg": 30.0},
]


@pytest.mark.parametrize("effects", FADED)
def test_a_gain_that_holds_for_an_ofdm_symbol_is_the_gain_of_its_subcarriers(effects):
    """What remains is rounding, and for 10 Hz of motion a leak of -60 dB."""
    x = burst(150)
    sent = link(waveform="ofdm", **effects).transmit(x, 3, 4)
    assert np.allclose(sent.y, sent.gain * x, atol=1e-2)
    assert sent.noise_power < 1e-5
    assert sent.air_symbols == 240
    assert sent.gain.shape in ((1,), (150,))


def test_a_gain_that_changes_within_an_ofdm_symbol_leaks_between_subcarriers():
    """The wanted part is the mean gain; the leak is its variance within the symbol, to 3 %."""
    x = normalize_power(burst(64)[None])[0]
    of = link(waveform="ofdm", fading="rayleigh", coherence_symbols=8)
    flat = link(fading="rayleigh", coherence_symbols=8)
    wanted, leaked, means, variances = [], [], [], []
    for counter in range(1500):
        sent = of.transmit(x, 0, counter)
        gain = np.broadcast_to(flat.transmit(np.ones(80, np.complex64), 0, counter).gain, 80)[16:]
        assert np.allclose(sent.gain, gain.mean(), atol=1e-5)
        wanted.append(sent.signal_power)
        leaked.append(sent.noise_power)
        means.append(abs(gain.mean()) ** 2)
        variances.append(gain.var())
    assert np.allclose(wanted, means, rtol=1e-4)
    assert np.mean(leaked) == pytest.approx(np.mean(variances), rel=0.03)


def test_a_carrier_offset_of_one_subcarrier_moves_every_symbol_to_the_next():
    """1 MHz over 64 subcarriers: 15.625 kHz each."""
    x = burst(64)
    sent = link(waveform="ofdm", cfo_hz=1e6 / 64).transmit(x, 0, 0)
    moved = sent.y[1:] * x[:-1].conj()
    assert np.allclose(np.abs(sent.y[1:]), np.abs(x[:-1]), atol=1e-3)
    assert np.ptp(np.angle(moved / moved[0])) < 1e-2
    assert sent.signal_power < 1e-4


def test_an_interferer_hits_the_subcarrier_of_its_frequency():
    """Lowest frequency first: subcarrier 32 + f / 15.625 kHz."""
    x = np.ones(64, np.complex64)
    for offset in (-32, -5, 0, 31):
        sent = link(waveform="ofdm", sir_db=0, interferer_hz=offset * 1e6 / 64).transmit(x, 0, 1)
        added = np.abs(sent.y - x) ** 2
        assert added[32 + offset] == pytest.approx(64, rel=1e-3)
        assert np.delete(added, 32 + offset).max() < 1e-3


@settings(max_examples=30)
@given(st.integers(1, 300), st.sampled_from([{}, {"fading": "rayleigh"}, {"fading": "tdl-c"}, {"doppler_hz": 500.0}]))
def test_a_batch_of_ofdm_bursts_is_each_alone_bit_for_bit(n, effects):
    of = link(waveform="ofdm", snr_db=7, **({"fading": "rician"} | effects))
    sendings = [Sending(burst(n, seed), seed, 9 - seed) for seed in range(5)]
    for sending, one in zip(sendings, of.transmit_many(sendings), strict=True):
        alone = of.transmit(*sending)
        assert alone.y.tobytes() == one.y.tobytes()
        assert alone.gain.tobytes() == one.gain.tobytes()
        assert (alone.signal_power, alone.noise_power) == (one.signal_power, one.noise_power)


def test_the_next_burst_begins_when_the_samples_of_this_one_are_over():
    sent = link(waveform="ofdm").transmit(burst(65), 0, 10)
    assert sent.seconds == pytest.approx(10 * (160 + GUARD_SYMBOLS) / 1e6)


def test_the_ideal_ofdm_link_gives_back_the_burst_itself():
    x = burst(50)
    sent = link(waveform="ofdm").transmit(x, 0, 0)
    assert np.array_equal(sent.y, x)
    assert sent.noise_power == 0
