"""Amplifier, oscillators and converters against theory. A link whose hardware is off must be refused."""

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from shared.phy import Grid, estimate_channel, pilot_sequence
from shared.phy.channel.adc import quantize
from shared.phy.channel.amplifier import papr_db
from shared.phy.channel.ofdm import modulate
from shared.phy.power import normalize_power
from shared.units import db_to_ratio, ratio_to_db
from tests.tools.channel import HALF_DB, burst, link, received, refused, spoiled

SYMBOLS = 1 << 16
SHARE = HALF_DB**2


def gaussian(n=SYMBOLS):
    return normalize_power(burst(n)[None])[0]


def stratified(n=SYMBOLS):
    """Symbols whose amplitudes are the quantiles of a Rayleigh distribution: statistics without their noise."""
    u = (np.arange(n) + 0.5) / n
    return (np.sqrt(-np.log(u)) * np.exp(2j * np.pi * 0.618034 * np.arange(n))).astype(np.complex64)


# The power amplifier


def check_rapp_curve(of):
    """Amplitudes follow the curve, phases stay: to float32's rounding."""
    x = gaussian(4096)
    saturation, p = 10 ** (of.settings.pa_backoff_db / 20), of.settings.pa_smoothness
    r = np.abs(x)
    y = of.transmit(x, 0, 0).y
    assert np.allclose(np.abs(y), r / (1 + (r / saturation) ** (2 * p)) ** (1 / (2 * p)), rtol=1e-4, atol=1e-5)
    assert np.abs(np.angle(y * x.conj())).max() < 1e-2


def bussgang(of):
    """Gain and distortion power of the Rapp amplifier under complex Gaussian symbols, by integration."""
    saturation, p = 10 ** (of.settings.pa_backoff_db / 20), of.settings.pa_smoothness

    def mean(f):
        return integrate.quad(lambda r: f(r) * 2 * r * math.exp(-r * r), 0, 8)[0]

    def out(r):
        return r / (1 + (r / saturation) ** (2 * p)) ** (1 / (2 * p))

    gain = mean(lambda r: r * out(r))
    return gain, mean(lambda r: out(r) ** 2) - gain**2


def check_rapp_distortion(of):
    """Gain to 0.01 dB and signal over distortion to 0.1 dB are those of the integral over Gaussian symbols."""
    gain, distortion = bussgang(of)
    sent = of.transmit(stratified(), 0, 0)
    assert abs(2 * ratio_to_db(abs(sent.gain[0]) / gain)) < 0.01
    assert abs(sent.snr_db_achieved - ratio_to_db(gain**2 / distortion)) < 0.1


@pytest.mark.parametrize("check", [check_rapp_curve, check_rapp_distortion])
@pytest.mark.parametrize(("backoff_db", "p"), [(-3, 2), (0, 1), (0, 3), (5, 2), (6, 10)])
def test_rapp(check, backoff_db, p):
    good = link(pa_backoff_db=backoff_db, pa_smoothness=p)
    check(good)
    for wrong in (backoff_db + 0.5, backoff_db - 0.5):
        with refused():
            check(spoiled(good, "rapp", pa_backoff_db=wrong))


def test_rapp_at_saturation_gives_its_name():
    """An amplitude of r_sat comes out 2^(-1/2p) of it; a tenth as it is; a hundredfold as r_sat."""
    of = link(pa_backoff_db=0, pa_smoothness=2)
    x = np.array([1, 0.1, 100j], np.complex64)
    assert np.allclose(of.transmit(x, 0, 0).y, [2**-0.25, 0.1, 1j], rtol=1e-4)


def test_what_the_bend_adds_is_no_part_of_the_signal():
    x = gaussian(4096)
    sent = link(pa_backoff_db=0).transmit(x, 0, 0)
    distortion = sent.y - sent.gain * x
    assert abs(np.vdot(x, distortion)) < 1e-4 * np.vdot(x, x).real
    assert sent.noise_power == pytest.approx(np.mean(np.abs(distortion) ** 2), rel=1e-4)


def test_the_amplifier_takes_the_peaks_off_ofdm():
    x = normalize_power(burst(4096)[None])
    samples = modulate(Grid(64, 16), x)
    amplified = [link(pa_backoff_db=backoff_db).transmit(samples[0], 0, 0).y for backoff_db in (40, 3)]
    straight, bent = papr_db(np.stack(amplified))
    assert straight == pytest.approx(papr_db(samples)[0], abs=0.01)
    assert straight > 9
    assert bent < 5
    far, near = (link(waveform="ofdm", pa_backoff_db=backoff_db).transmit(x[0], 0, 0) for backoff_db in (40, 3))
    assert far.snr_db_achieved > 40
    assert near.snr_db_achieved < 20


@pytest.mark.parametrize(
    ("samples", "expected_db"),
    [
        (pilot_sequence(64), 0),
        (1 + np.exp(2j * np.pi * np.arange(64) / 64), 10 * math.log10(2)),
        (np.eye(1, 100)[0], 20),
        (np.zeros(8), 0),
    ],
)
def test_papr(samples, expected_db):
    assert papr_db(samples[None].astype(np.complex64)) == pytest.approx([expected_db], abs=1e-4)


def check_papr_of_gaussian_samples(ratios_db):
    """P(PAPR < g) = (1 - e^-g)^n: Kolmogorov-Smirnov at the 0.1 % level."""
    assert stats.kstest(10 ** (ratios_db / 10), lambda g: (1 - np.exp(-g)) ** 1024).pvalue > 1e-3


def test_papr_of_gaussian_samples():
    ratios_db = papr_db(burst(1024 * 1000).reshape(1000, 1024))
    check_papr_of_gaussian_samples(ratios_db)
    for wrong in (ratios_db + 0.5, ratios_db - 0.5):
        with refused():
            check_papr_of_gaussian_samples(wrong)


# The oscillators


def check_cfo(of):
    """Pilots turn by 2 pi cfo T from one to the next: to 1 %."""
    y = of.transmit(pilot_sequence(256), 0, 0).y * pilot_sequence(256).conj()
    turned = np.angle(np.vdot(y[:-1], y[1:])) / (2 * np.pi) * of.settings.symbol_rate_hz
    assert abs(turned / of.settings.cfo_hz - 1) < 0.01


def check_cfo_on_pilots(of):
    """The mean of n turning pilots is that of a Dirichlet kernel: to 1 %."""
    n, turn = 64, of.settings.cfo_hz / of.settings.symbol_rate_hz
    seen = estimate_channel(of.transmit(pilot_sequence(n), 0, 0).y[None]).gain[0]
    expected = math.sin(math.pi * n * turn) / (n * math.sin(math.pi * turn))
    assert abs(abs(seen) / expected - 1) < 0.01


@pytest.mark.parametrize("check", [check_cfo, check_cfo_on_pilots])
@pytest.mark.parametrize("cfo_hz", [5e3, -9e3])
def test_carrier_frequency_offset(check, cfo_hz):
    good = link(cfo_hz=cfo_hz)
    check(good)
    for wrong in (cfo_hz * SHARE, cfo_hz / SHARE):
        with refused():
            check(spoiled(good, "carrier_offset", cfo_hz=wrong))


@pytest.mark.parametrize("phase_deg", [-180, -30, 0.001, 90, 180])
def test_phase_offset(phase_deg):
    sent = link(phase_deg=phase_deg).transmit(pilot_sequence(8), 0, 0)
    assert np.allclose(sent.gain, np.exp(1j * math.radians(phase_deg)), atol=1e-6)
    assert sent.gain.shape == (1,)
    assert np.allclose(sent.y, sent.gain * pilot_sequence(8), atol=1e-6)


def turns(of, n, bursts=2000):
    """Phases of pilots of many bursts, relative to the first pilot: [bursts, n]."""
    x = pilot_sequence(n)
    return received(of, x, 0, range(bursts)) * x.conj()


def check_phase_noise_steps(of):
    """Between two symbols m apart the phase moves by N(0, 2 pi linewidth m T): variance to four standard errors."""
    t = turns(of, 64)
    for m in (1, 8):
        moved = np.angle(t[:, m::m] * t[:, :-m:m][:, : t[:, m::m].shape[1]].conj())
        expected = 2 * math.pi * of.settings.phase_noise_hz / of.settings.symbol_rate_hz * m
        assert abs(np.var(moved) / expected - 1) < 4 * math.sqrt(2 / moved.size)


def check_phase_noise_on_pilots(of):
    """E |mean pilot|^2 = 1/n^2 sum_ik exp(-pi linewidth T |i - k|): to 3 %, 3.5 standard errors."""
    n = 256
    seen = np.mean(np.abs(turns(of, n).mean(axis=1)) ** 2)
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    expected = np.mean(np.exp(-math.pi * of.settings.phase_noise_hz / of.settings.symbol_rate_hz * distance))
    assert abs(seen / expected - 1) < 0.03


def check_phase_noise_is_normal(of):
    """Steps are normal: Kolmogorov-Smirnov at the 0.1 % level."""
    t = turns(of, 64)
    steps = np.angle(t[:, 1:] * t[:, :-1].conj()).ravel()
    sigma = math.sqrt(2 * math.pi * of.settings.phase_noise_hz / of.settings.symbol_rate_hz)
    assert stats.kstest(steps, stats.norm(scale=sigma).cdf).pvalue > 1e-3


@pytest.mark.parametrize("check", [check_phase_noise_steps, check_phase_noise_on_pilots, check_phase_noise_is_normal])
def test_phase_noise(check):
    good = link(phase_noise_hz=2e3)
    check(good)
    for wrong in (2e3 * SHARE, 2e3 / SHARE):
        with refused():
            check(spoiled(good, "carrier_offset", phase_noise_hz=wrong))


def test_perfect_csi_knows_the_phase_of_each_symbol():
    sent = link(phase_noise_hz=1e4, cfo_hz=3e3, phase_deg=20).transmit(burst(), 0, 0)
    assert np.allclose(sent.y, sent.gain * burst(), atol=1e-6)
    assert sent.gain[0] == pytest.approx(np.exp(1j * math.radians(20)), abs=1e-6)
    assert sent.snr_db_achieved == math.inf


# The converters


def check_sqnr(of):
    """Without clipping the signal is 6.02 dB a bit + 4.77 - clip above the rounding: to 0.15 dB."""
    bits, clip_db = of.settings.adc_bits, of.settings.adc_clip_db
    sent = of.transmit(gaussian(), 0, 0)
    assert abs(sent.snr_db_achieved - (20 * bits * math.log10(2) + ratio_to_db(3) - clip_db)) < 0.15


def check_clipping(of):
    """Gain and distortion of clipped Gaussian symbols are those of the integral: to 0.05 and 0.15 dB.

    For variance 1 and full scale a: gain erf(a / sqrt 2), power erf(a / sqrt 2) - 2 a phi(a) + 2 a^2 Q(a).
    """
    a = 10 ** (of.settings.adc_clip_db / 20)
    gain = special.erf(a / math.sqrt(2))
    power = gain - 2 * a * stats.norm.pdf(a) + 2 * a**2 * stats.norm.sf(a)
    sent = of.transmit(gaussian(), 0, 0)
    assert abs(2 * ratio_to_db(abs(sent.gain[0]) / gain)) < 0.05
    assert abs(sent.snr_db_achieved - ratio_to_db(gain**2 / (power - gain**2))) < 0.15


@pytest.mark.parametrize("bits", [3, 4, 5, 6])
def test_rounding(bits):
    good = link(adc_bits=bits)
    check_sqnr(good)
    for wrong in ({"adc_clip_db": 12.5}, {"adc_clip_db": 11.5}, {"adc_bits": bits + 1}):
        with refused():
            check_sqnr(spoiled(good, "adc", **wrong))


@pytest.mark.parametrize("clip_db", [-3, 0, 6])
def test_clipping(clip_db):
    good = link(adc_bits=16, adc_clip_db=clip_db)
    check_clipping(good)
    for wrong in (clip_db + 0.5, clip_db - 0.5):
        with refused():
            check_clipping(spoiled(good, "adc", adc_clip_db=wrong))


def test_gain_control_finds_the_level():
    far, near = (link(adc_bits=5, path_loss_db=loss_db).transmit(gaussian(), 0, 0) for loss_db in (60, 0))
    assert far.snr_db_achieved == pytest.approx(near.snr_db_achieved, abs=0.05)
    assert far.gain[0] == pytest.approx(near.gain[0] / 1000, rel=1e-2)


def test_one_bit_keeps_the_signs():
    y = burst(100)
    levels = quantize(y[None], 1, 0)[0]
    assert np.array_equal(np.sign(levels.real), np.sign(y.real))
    assert len(set(np.abs(levels.imag))) == 1


def test_noise_before_the_converters_stays_noise():
    x = gaussian()
    sent = link(snr_db=10, adc_bits=4).transmit(x, 0, 0)
    assert np.mean(np.abs(sent.y - sent.gain * x) ** 2) == pytest.approx(sent.noise_power, rel=1e-3)
    rounding = (db_to_ratio(-10) + 1) / db_to_ratio(20 * 4 * math.log10(2) + ratio_to_db(3) - 12)
    assert sent.noise_power == pytest.approx(db_to_ratio(-10) + rounding, rel=0.02)


@pytest.mark.parametrize("settings", [{"pa_backoff_db": 0}, {"adc_bits": 4}, {"cfo_hz": 100}, {"phase_noise_hz": 10}])
def test_a_burst_without_power_stays_so(settings):
    y = link(**settings).transmit(np.zeros(4, np.complex64), 0, 0).y
    assert np.abs(y).max() < 1e-28
