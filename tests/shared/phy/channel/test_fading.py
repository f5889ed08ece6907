"""Rician fading, the first paper's, coherence, shadowing and path loss against theory; and what must be refused."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

from shared.phy import Link, pilot_sequence
from shared.types import Complex
from shared.units import db_to_ratio, ratio_to_db
from tests.tools.channel import HALF_DB, ONE, link, received, refused, spoiled

BURSTS = 25_000
K_DB = 6.0
RICIAN = link(fading="rician", rician_k_db=K_DB)
KBSC = link(fading="kbsc")
SHADOWED = link(shadowing_db=4.0)


@cache
def gains(of: Link) -> Complex:
    """What multiplies a symbol, burst by burst: [BURSTS], complex64."""
    return received(of, ONE, 0, range(BURSTS))[:, 0]


@cache
def symbol_gains(of: Link) -> Complex:
    """What multiplies each symbol of a long burst: [65536], complex64."""
    x = pilot_sequence(1 << 16)
    return of.transmit(x, 0, 0).y * x.conj()


def power_db(h: Complex) -> float:
    return ratio_to_db(float(np.mean(np.abs(h.astype(np.complex128)) ** 2)))


def k_factor(h: Complex) -> float:
    """Rician K from the second and the fourth moment of |h|.

    (Greenstein, Michelson, Erceg, "Moment-method estimation of the Ricean K-factor", IEEE Commun. Lett. 3, 1999.)
    """
    power = np.abs(h.astype(np.complex128)) ** 2
    line_of_sight = math.sqrt(np.mean(power) ** 2 - np.var(power))
    return line_of_sight / (float(np.mean(power)) - line_of_sight)


def check_rician_power(of: Link) -> None:
    """E|h|^2 = 1 to 0.1 dB; the standard error is 0.010 dB."""
    assert abs(power_db(gains(of))) < 0.1


def check_rician_k(of: Link) -> None:
    """K by moments to 0.2 dB; the standard error is 0.05 dB."""
    assert abs(ratio_to_db(k_factor(gains(of))) - K_DB) < 0.2


def check_rician_envelope(of: Link) -> None:
    """|h| is Rician with E|h|^2 = 1: Kolmogorov-Smirnov at the 0.1 % level."""
    k = db_to_ratio(K_DB)
    expected = stats.rice(math.sqrt(2 * k), scale=math.sqrt(1 / (2 * (k + 1))))
    assert stats.kstest(np.abs(gains(of)), expected.cdf).pvalue > 1e-3


def check_line_of_sight(of: Link) -> None:
    """A stream's gains lie about one point, |E h| = sqrt(K/(K+1)) to 0.1 dB, and scatter about it as CN(0, 1/(K+1))."""
    k, h = db_to_ratio(K_DB), gains(of)
    assert abs(2 * ratio_to_db(abs(h.mean())) - ratio_to_db(k / (k + 1))) < 0.1
    scatter = (h - h.mean()) * math.sqrt(2 * (k + 1))
    for part in (scatter.real, scatter.imag):
        assert stats.kstest(part, stats.norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("check", "spoil", "wrong"),
    [
        (check_rician_power, lambda h: h * HALF_DB, {}),
        (check_rician_power, lambda h: h / HALF_DB, {}),
        (check_rician_k, None, {"rician_k_db": K_DB + 0.5}),
        (check_rician_k, None, {"rician_k_db": K_DB - 0.5}),
        (check_rician_envelope, lambda h: h * HALF_DB, {}),
        (check_rician_envelope, None, {"rician_k_db": K_DB + 0.5}),
        (check_line_of_sight, lambda h: h * HALF_DB, {}),
        (check_line_of_sight, None, {"rician_k_db": K_DB - 0.5}),
    ],
)
def test_rician(check, spoil, wrong):
    check(RICIAN)
    with refused():
        check(spoiled(RICIAN, "rician", spoil, **wrong))


def test_the_line_of_sight_has_another_phase_in_each_stream():
    """Uniform over the circle: Kolmogorov-Smirnov at the 0.1 % level, over 2000 streams."""
    of = link(fading="rician", rician_k_db=40)
    phases = [np.angle(of.transmit(ONE, stream, 0).y[0]) for stream in range(2000)]
    assert stats.kstest(phases, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-3


@pytest.mark.parametrize("k_db", [-40.0, 40.0])
def test_rician_ends_in_rayleigh_and_in_a_still_channel(k_db):
    power = np.abs(gains(link(fading="rician", rician_k_db=k_db))) ** 2
    expected = (1 + 2 * db_to_ratio(k_db)) / (1 + db_to_ratio(k_db)) ** 2
    assert np.var(power) == pytest.approx(expected, rel=0.05)


def check_kbsc_power(of: Link) -> None:
    """E|h|^2 = 1 to 0.1 dB; the standard error is 0.016 dB."""
    assert abs(power_db(symbol_gains(of))) < 0.1


def check_kbsc_envelope(of: Link) -> None:
    """Every symbol has a gain of its own, and they are Rayleigh: Kolmogorov-Smirnov at the 0.1 % level."""
    expected = stats.rayleigh(scale=math.sqrt(0.5))
    assert stats.kstest(np.abs(symbol_gains(of)), expected.cdf).pvalue > 1e-3


def check_kbsc_is_real(of: Link) -> None:
    """The gain has no phase, to float32's rounding."""
    assert np.allclose(symbol_gains(of).imag, 0, atol=1e-6)
    assert symbol_gains(of).real.min() >= 0


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        (check_kbsc_power, lambda h: h * HALF_DB),
        (check_kbsc_power, lambda h: h / HALF_DB),
        (check_kbsc_envelope, lambda h: h * HALF_DB),
        (check_kbsc_envelope, lambda h: np.full_like(h, h[0])),
        (check_kbsc_is_real, lambda h: h * np.exp(0.01j)),
        (check_kbsc_is_real, lambda h: -h),
    ],
)
def test_kbsc(check, spoil):
    check(KBSC)
    with refused():
        check(spoiled(KBSC, "kbsc", spoil))


@pytest.mark.parametrize("fading", ["rayleigh", "rician"])
@pytest.mark.parametrize("length", [1, 7, 64, 1 << 16])
def test_symbols_of_a_block_share_a_gain_and_blocks_are_independent(fading, length):
    n = 1 << 15
    sent = link(fading=fading, rician_k_db=-40, coherence_symbols=length).transmit(np.ones(n, np.complex64), 0, 0)
    h = sent.y
    blocks = h[::length]
    assert np.array_equal(np.repeat(blocks, length)[:n], h)
    assert np.array_equal(np.broadcast_to(sent.gain, n), h)
    assert sent.gain.size == (1 if length >= n else n)
    assert np.unique(blocks).size == -(-n // length)
    if blocks.size > 1:  # 5 standard errors
        assert abs(np.vdot(blocks[:-1], blocks[1:])) / np.vdot(blocks, blocks).real < 5 / math.sqrt(blocks.size)


@pytest.mark.parametrize("length", [1, 8])
def test_fast_fading_keeps_the_mean_power(length):
    """E|h|^2 = 1 to 0.25 dB; the standard error is 0.013 dB, or 0.05 dB."""
    good = link(fading="rayleigh", coherence_symbols=length)

    def check(of: Link) -> None:
        assert abs(power_db(symbol_gains(of))) < 0.25

    check(good)
    for factor in (HALF_DB, 1 / HALF_DB):
        with refused():
            check(spoiled(good, "rayleigh", lambda h, factor=factor: h * factor))


def check_shadowing_power(of: Link) -> None:
    """E|h|^2 = 1 to 0.15 dB; the standard error is 0.030 dB."""
    assert abs(power_db(gains(of))) < 0.15


def check_shadowing_distribution(of: Link) -> None:
    """In dB it is normal, of deviation 4 dB about a median of -1.84 dB: Kolmogorov-Smirnov at the 0.1 % level."""
    power = 10 * np.log10(np.abs(gains(of)) ** 2)
    assert stats.kstest(power, stats.norm(-(4**2) * math.log(10) / 20, 4).cdf).pvalue > 1e-3


def check_shadowing_deviation(of: Link) -> None:
    """The deviation is 4 dB to 0.1 dB; the standard error is 0.015 dB."""
    assert abs(np.std(10 * np.log10(np.abs(gains(of)) ** 2)) - 4) < 0.1


@pytest.mark.parametrize(
    ("check", "spoil", "wrong"),
    [
        (check_shadowing_power, lambda h: h * HALF_DB, {}),
        (check_shadowing_power, lambda h: h / HALF_DB, {}),
        (check_shadowing_distribution, lambda h: h * HALF_DB, {}),
        (check_shadowing_distribution, None, {"shadowing_db": 4.5}),
        (check_shadowing_deviation, None, {"shadowing_db": 4.5}),
        (check_shadowing_deviation, None, {"shadowing_db": 3.5}),
    ],
)
def test_shadowing(check, spoil, wrong):
    check(SHADOWED)
    with refused():
        check(spoiled(SHADOWED, "shadowing", spoil, **wrong))


def test_a_group_of_bursts_shares_one_shadowing():
    of = link(shadowing_db=8, shadowing_bursts=5)
    h = received(of, ONE, 0, range(2000))[:, 0].reshape(400, 5)
    assert (h == h[:, :1]).all()
    power = np.log(np.abs(h[:, 0]))
    assert np.unique(power).size == 400
    assert abs(np.corrcoef(power[:-1], power[1:])[0, 1]) < 0.2  # 4 standard errors
    assert received(of, ONE, 1, range(5))[0, 0] != h[0, 0]


@pytest.mark.parametrize("loss_db", [-100, -3, 0.5, 40, 200])
def test_path_loss_is_what_was_asked(loss_db):
    def check(of: Link) -> None:
        sent = of.transmit(pilot_sequence(32), 0, 0)
        assert ratio_to_db(sent.signal_power) == pytest.approx(-loss_db, abs=1e-4)
        assert sent.snr_db_achieved + loss_db == pytest.approx(50, abs=2)

    good = link(path_loss_db=loss_db, snr_db=50)
    check(good)
    with refused():
        check(spoiled(good, "path_loss", lambda h: h * HALF_DB))


def test_gains_multiply():
    """Path loss, shadowing and fading together are the product of each alone."""
    parts = ({"path_loss_db": 20}, {"shadowing_db": 8}, {"fading": "rayleigh"})
    alone = [link(**part).transmit(ONE, 3, 4).gain[0] for part in parts]
    together = link(**(parts[0] | parts[1] | parts[2])).transmit(ONE, 3, 4).gain[0]
    assert together == pytest.approx(np.prod(alone), rel=1e-5)
