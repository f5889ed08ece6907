"""The channel's statistics against theory. Each check is a function of a link, and must refuse a link that is off."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

from shared.phy import ChannelSettings, Link, Sending, pilot_sequence
from shared.phy.channel.stage import Draw, Signal
from shared.phy.randomness import generator, standard_complex_normal
from shared.types import Complex
from shared.units import db_to_ratio, ratio_to_db
from tests.tools.channel import HALF_DB, link, received, refused, spoiled, with_stage

BURSTS = 40_000
SYMBOLS = 1 << 16


class TwoRealFades:
    """I and Q each under a real Rayleigh gain of their own: the field's second slip."""

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Complex:
        first, second = draw.rng.rayleigh(math.sqrt(0.5), 2)
        return np.array([first + 1j * second], np.complex64)

    def apply(self, signal: Signal, drawn: Complex, settings: ChannelSettings) -> Signal:
        faded = signal.wanted.real * drawn.real + 1j * signal.wanted.imag * drawn.imag
        return Signal(faded.astype(np.complex64), signal.noise, drawn)


def skewed(z: Complex) -> Complex:
    """Half a decibel of I leaks into Q."""
    return z.real + 1j * (z.imag + (HALF_DB - 1) * z.real)


def only_i_louder(z: Complex) -> Complex:
    return z.real * HALF_DB + 1j * z.imag


@cache
def gains(of: Link, stream: int = 0) -> Complex:
    """What multiplies a symbol with as much I as Q, burst by burst, seen from outside: [BURSTS], complex64."""
    x = np.array([1 + 1j], np.complex64) * np.float32(math.sqrt(0.5))
    return (received(of, x, stream, range(BURSTS)) * x.conj())[:, 0]


def noise(of: Link) -> Complex:
    """What was added to one long burst: [SYMBOLS], complex64."""
    x = pilot_sequence(SYMBOLS)
    return of.transmit(x, 0, 0).y - x


def check_mean_gain_power(of: Link) -> None:
    """E|h|^2 = 1 to 0.15 dB; the standard error is 0.022 dB."""
    assert abs(ratio_to_db(float(np.mean(np.abs(gains(of)) ** 2)))) < 0.15


def check_envelope(of: Link) -> None:
    """|h| is Rayleigh with E|h|^2 = 1: Kolmogorov-Smirnov at the 0.1 % level."""
    assert stats.kstest(np.abs(gains(of)), stats.rayleigh(scale=math.sqrt(0.5)).cdf).pvalue > 1e-3


def check_phase(of: Link) -> None:
    """The phase is uniform: its first two circular moments are 0 to 0.0175, 3.5 standard errors."""
    phase = np.angle(gains(of))
    for order in (1, 2):
        assert abs(np.mean(np.exp(1j * order * phase))) < 0.0175


def check_one_complex_gain(of: Link) -> None:
    """All symbols of a burst share one complex gain, and it is the one that is told: to float32's rounding."""
    x = pilot_sequence(16)
    for counter in range(50):
        sent = of.transmit(x, 0, counter)
        assert np.allclose(sent.y, sent.gain * x, rtol=0, atol=1e-5)


def check_achieved_snr(of: Link) -> None:
    """Without fading the SNR is what was asked, told and seen, to 0.1 dB; the standard error is 0.017 dB."""
    asked = of.settings.snr_db
    sent = of.transmit(pilot_sequence(SYMBOLS), 0, 0)
    seen = -ratio_to_db(float(np.mean(np.abs(noise(of).astype(np.complex128)) ** 2)))
    assert abs(sent.snr_db_achieved - asked) < 0.1
    assert abs(seen - asked) < 0.1
    assert abs(sent.snr_db_achieved - seen) < 1e-3


def check_mean_snr_under_fading(of: Link) -> None:
    """Mean received signal power over mean noise power is the SNR asked, to 0.15 dB; the standard error is 0.031 dB."""
    x = pilot_sequence(16)
    sent = of.transmit_many([Sending(x, 0, counter) for counter in range(BURSTS // 2)])
    signal, added = (np.mean([getattr(one, name) for one in sent]) for name in ("signal_power", "noise_power"))
    assert abs(ratio_to_db(float(signal / added)) - of.settings.snr_db) < 0.15


def check_noise_per_dimension(of: Link) -> None:
    """The noise has variance N0/2 in each real dimension, to 0.1 dB; the standard error is 0.024 dB."""
    n = noise(of)
    for dimension in (n.real, n.imag):
        assert abs(ratio_to_db(float(np.var(dimension, dtype=np.float64))) + of.settings.snr_db + ratio_to_db(2)) < 0.1


def check_noise_is_circular(of: Link) -> None:
    """I and Q are uncorrelated and zero in the mean, to 0.02: five standard errors."""
    n = noise(of).astype(np.complex128)
    assert abs(np.corrcoef(n.real, n.imag)[0, 1]) < 0.02
    assert abs(n.mean()) < 0.02 * np.std(n)


def check_noise_is_gaussian(of: Link) -> None:
    """Each real dimension is N(0, N0/2): Kolmogorov-Smirnov at the 0.1 % level."""
    sigma = math.sqrt(db_to_ratio(-of.settings.snr_db) / 2)
    n = noise(of)
    for dimension in (n.real, n.imag):
        assert stats.kstest(dimension, stats.norm(scale=sigma).cdf).pvalue > 1e-3


def check_noise_is_white(of: Link) -> None:
    """Neighbouring symbols are uncorrelated, to 0.02: five standard errors."""
    n = noise(of)
    for lag in (1, 2, 7):
        assert abs(np.vdot(n[:-lag], n[lag:])) / np.vdot(n, n).real < 0.02


def smeared(n: Complex) -> Complex:
    """Half a decibel of each symbol leaks into the next."""
    return n + (HALF_DB - 1) * np.roll(n, 1)


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        (check_mean_gain_power, lambda h: h * HALF_DB),
        (check_mean_gain_power, lambda h: h / HALF_DB),
        (check_envelope, lambda h: h * HALF_DB),
        (check_envelope, lambda h: h / HALF_DB),
        (check_envelope, lambda h: np.abs(h.real) + 0j),  # a real fade
        (check_phase, only_i_louder),
        (check_phase, np.abs),  # a gain without a phase, the first paper's
    ],
)
def test_rayleigh(check, spoil):
    good = link(fading="rayleigh")
    check(good)
    with refused():
        check(spoiled(good, "rayleigh", spoil))


@pytest.mark.parametrize("snr_db", [-10, 0, 10, 20, 30])
@pytest.mark.parametrize("check", [check_achieved_snr, check_noise_per_dimension, check_noise_is_gaussian])
def test_noise_power(check, snr_db):
    good = link(snr_db=snr_db)
    check(good)
    for factor in (HALF_DB, 1 / HALF_DB, math.sqrt(0.5)):  # the last: 10 dB that measures 13
        with refused():
            check(spoiled(good, "awgn", lambda n, factor=factor: n * factor))


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        (check_noise_per_dimension, only_i_louder),
        (check_noise_is_circular, skewed),
        (check_noise_is_white, smeared),
    ],
)
def test_noise_shape(check, spoil):
    good = link(snr_db=10)
    check(good)
    with refused():
        check(spoiled(good, "awgn", spoil))


def test_snr_under_fading():
    good = link(fading="rayleigh", snr_db=10)
    check_mean_snr_under_fading(good)
    for name in ("rayleigh", "awgn"):
        with refused():
            check_mean_snr_under_fading(spoiled(good, name, lambda drawn: drawn * HALF_DB))


def test_ten_db_that_measures_thirteen():
    wrong = spoiled(link(snr_db=10), "awgn", lambda n: n * math.sqrt(0.5))
    assert wrong.transmit(pilot_sequence(SYMBOLS), 0, 0).snr_db_achieved == pytest.approx(13.01, abs=0.05)
    with refused():
        check_achieved_snr(wrong)


@pytest.mark.parametrize("check", [check_one_complex_gain, check_phase, check_envelope])
def test_two_real_fades_called_complex(check):
    good = link(fading="rayleigh")
    check(good)
    with refused():
        check(with_stage(good, "rayleigh", TwoRealFades()))


def correlation(a: Complex, b: Complex) -> float:
    return float(abs(np.vdot(a, b)) / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real))


@pytest.mark.parametrize(
    "other", [(1, 0, 0, 2), (0, 1, 0, 2), (0, 0, 1, 2), (0, 0, 0, 1), (0, 0, 0, 3), (1 << 63, 0, 0, 2)]
)
def test_draws_of_other_seeds_streams_counters_and_stages_are_independent(other):
    n = 1 << 18
    one = standard_complex_normal(generator(0, 0, 0, 2), n)
    assert correlation(one, standard_complex_normal(generator(*other), n)) < 0.01  # five standard errors


def test_gains_of_neighbouring_bursts_and_streams_are_independent():
    one, two = (gains(link(fading="rayleigh"), stream) for stream in (0, 1))
    assert correlation(one, two) < 0.02  # four standard errors
    assert correlation(one[:-1], one[1:]) < 0.02
    assert stats.kstest(np.abs(one) ** 2, stats.expon.cdf).pvalue > 1e-3


def test_no_number_is_drawn_twice_by_neighbours():
    """Long draws of neighbouring counters and stages share not one 64-bit word."""
    words = [generator(5, 6, c, s).integers(0, 1 << 64, 50_000, np.uint64) for c in (0, 1) for s in (0, 1)]
    assert np.unique(np.concatenate(words)).size == 200_000
