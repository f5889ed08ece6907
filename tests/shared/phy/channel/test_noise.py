"""Impulses and interference against theory. Each check is a function of a link, and must refuse a link that is off."""

import math

import numpy as np
import pytest
from scipy import stats

from shared.phy import pilot_sequence
from shared.units import db_to_ratio, ratio_to_db
from tests.tools.channel import HALF_DB, link, received, refused, spoiled

SYMBOLS = 1 << 18
SCALED = [lambda n: n * HALF_DB, lambda n: n / HALF_DB]


def noise(of, counter=0):
    """What was added to one long burst: [SYMBOLS]."""
    x = pilot_sequence(SYMBOLS)
    return of.transmit(x, 0, counter).y - x


def bernoulli(p, ratio_db):
    return link(snr_db=10, impulses="bernoulli", impulse_probability=p, impulse_ratio_db=ratio_db)


def middleton(a, gamma):
    return link(snr_db=10, impulses="middleton", middleton_a=a, middleton_gamma=gamma)


def mixture(settings):
    """Shares and powers of the Gaussians that the noise is mixed of."""
    n0 = db_to_ratio(-settings.snr_db)
    if settings.impulses == "bernoulli":
        p = settings.impulse_probability
        return np.array([1 - p, p]), n0 * np.array([1, 1 + db_to_ratio(settings.impulse_ratio_db)])
    a, gamma, m = settings.middleton_a, settings.middleton_gamma, np.arange(60)
    return stats.poisson(a).pmf(m), n0 * (m / a + gamma) / (1 + gamma)


def check_power(of):
    """The mean noise power is the mixture's, told and seen: to four standard errors, at most 0.2 dB."""
    share, power = mixture(of.settings)
    mean, fourth = share @ power, 2 * share @ power**2
    tolerance = 4 * math.sqrt((fourth / mean**2 - 1) / SYMBOLS)
    assert tolerance < 0.047
    assert abs(np.mean(np.abs(noise(of)) ** 2) / mean - 1) < tolerance
    assert of.transmit(pilot_sequence(SYMBOLS), 0, 0).noise_power / mean == pytest.approx(1, abs=tolerance)


def check_distribution(of):
    """|n|^2 is a mixture of exponentials: Kolmogorov-Smirnov at the 0.1 % level."""
    share, power = mixture(of.settings)
    seen = np.abs(noise(of)) ** 2
    expected = stats.kstest(seen, lambda t: 1 - share @ np.exp(-t / power[:, None]))
    assert expected.pvalue > 1e-3


def check_circular(of):
    """I and Q have the same power and no correlation, to 5 %."""
    n = noise(of)
    assert abs(np.mean(n**2)) < 0.05 * np.mean(np.abs(n) ** 2)


@pytest.mark.parametrize("check", [check_power, check_distribution])
@pytest.mark.parametrize(("p", "ratio_db"), [(0.3, 10), (0.5, 20), (1.0, 6)])
def test_bernoulli_gaussian(check, p, ratio_db):
    good = bernoulli(p, ratio_db)
    check(good)
    for spoil in SCALED:
        with refused():
            check(spoiled(good, "bernoulli", spoil))


@pytest.mark.parametrize("check", [check_power, check_distribution])
@pytest.mark.parametrize(("a", "gamma"), [(0.5, 0.1), (1.0, 0.01), (3.0, 1.0)])
def test_middleton_class_a(check, a, gamma):
    good = middleton(a, gamma)
    check(good)
    for spoil in SCALED:
        with refused():
            check(spoiled(good, "middleton", spoil))


@pytest.mark.parametrize(
    ("good", "name", "wrong"),
    [
        (bernoulli(0.3, 10), "bernoulli", {"impulse_probability": 0.3 / HALF_DB**2}),
        (middleton(0.5, 0.1), "middleton", {"middleton_a": 0.5 * HALF_DB**2}),
        (middleton(0.5, 0.1), "middleton", {"middleton_gamma": 0.1 * HALF_DB**2}),
    ],
)
def test_the_mixture_is_the_one_that_was_asked_for(good, name, wrong):
    check_distribution(good)
    with refused():
        check_distribution(spoiled(good, name, **wrong))


@pytest.mark.parametrize(("good", "name"), [(bernoulli(0.3, 10), "bernoulli"), (middleton(1.0, 0.1), "middleton")])
def test_impulses_have_no_preferred_phase(good, name):
    check_circular(good)
    with refused():
        check_circular(spoiled(good, name, lambda n: n.real * HALF_DB + 1j * n.imag / HALF_DB))


def test_middleton_with_many_impulses_is_white_noise():
    share, power = mixture(middleton(10.0, 10.0).settings)
    assert share @ (power / 0.1 - 1) ** 2 == pytest.approx(1 / (10 * 11**2))
    plain = stats.kstest(np.abs(noise(middleton(10.0, 10.0))) ** 2, stats.expon(scale=0.1).cdf)
    assert plain.pvalue > 1e-3


def test_a_common_setting_of_impulses_is_power_limited():
    seen = np.abs(noise(bernoulli(0.01, 20))) ** 2 > 1.0  # ten times N0: white noise gets there in 1 of 22,000
    expected = 0.01 * math.exp(-10 / 101) + 0.99 * math.exp(-10)
    assert seen.mean() == pytest.approx(expected, abs=4 * math.sqrt(expected / SYMBOLS))


@pytest.mark.parametrize("impulses", ["bernoulli", "middleton"])
def test_without_noise_there_are_no_impulses(impulses):
    assert link(snr_db=math.inf, impulses=impulses).stages == ()


def tone(**settings):
    return link(sir_db=7, interferer_hz=125e3, **settings)


def check_tone_power(of):
    """The interferer has the power that was asked for: exactly, as nothing of it is random but its phase."""
    sent = of.transmit(pilot_sequence(4096), 0, 0)
    assert sent.noise_power == pytest.approx(db_to_ratio(-7), rel=1e-5)


def check_tone_spectrum(of):
    """All of its power is in the one line, interferer_hz from the carrier: bin f N / symbol rate."""
    x = pilot_sequence(4096)
    lines = np.abs(np.fft.fft(of.transmit(x, 0, 0).y - x)) ** 2 / 4096**2
    assert lines[4096 // 8] == pytest.approx(db_to_ratio(-7), rel=1e-4)
    assert lines.sum() - lines[4096 // 8] < 1e-6


@pytest.mark.parametrize("check", [check_tone_power, check_tone_spectrum])
def test_interferer(check):
    good = tone()
    check(good)
    for wrong in ({"sir_db": 7.5}, {"sir_db": 6.5}):
        with refused():
            check(spoiled(good, "tone", **wrong))


def test_interferer_elsewhere():
    with refused():
        check_tone_spectrum(spoiled(tone(), "tone", interferer_hz=126e3))


def test_each_burst_meets_the_interferer_at_a_phase_of_its_own():
    bursts = 4000
    phases = np.angle(received(tone(), np.ones(1, np.complex64), 0, range(bursts)) - 1)
    for order in (1, 2):
        assert abs(np.mean(np.exp(1j * order * phases))) < 3.5 / math.sqrt(bursts)


def test_the_interferer_does_not_fade_with_the_signal():
    lost = tone(path_loss_db=20).transmit(pilot_sequence(64), 0, 0)
    assert ratio_to_db(lost.noise_power) == pytest.approx(-7, abs=1e-3)
    assert lost.snr_db_achieved == pytest.approx(7 - 20, abs=1e-3)
