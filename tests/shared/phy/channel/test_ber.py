"""Uncoded bit error rates against the closed forms and against Sionna's own channels, on both waveforms.

Half a decibel moves each of these rates by 8 % or more; the tolerance is 4 %, over three standard errors.
"""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sionna.phy import config
from sionna.phy.channel import AWGN, FlatFadingChannel
from sionna.phy.mapping import Demapper, Mapper

from shared.phy import Sending, equalize
from tests.tools.channel import HALF_DB, link, spoiled

BITS = {"QPSK": 2, "16-QAM": 4}
LONG, SHORT = (4, 60_000), (30_000, 16)  # bursts, symbols of a burst
CASES = [
    ("QPSK", "none", 7),
    ("16-QAM", "none", 13),
    ("QPSK", "rayleigh", 6),
    ("QPSK", "rayleigh", 10),
    ("16-QAM", "rayleigh", 10),
]


def mean_q(factor, gamma, fading):
    """Mean of Q(factor sqrt(gamma |h|^2)); Proakis and Salehi, sections 4.3 and 13.3."""
    if fading == "none":
        return norm.sf(factor * math.sqrt(gamma))
    half = factor**2 * gamma / 2
    return (1 - math.sqrt(half / (1 + half))) / 2


def closed_form(modulation, fading, snr_db):
    """Bit error rate with Gray labels and coherent detection, at an average Es/N0 of `snr_db`."""
    gamma = 10 ** (snr_db / 10)
    if modulation == "QPSK":
        return mean_q(1, gamma, fading)
    one, three, five = (mean_q(step / math.sqrt(5), gamma, fading) for step in (1, 3, 5))
    return (3 * one + 2 * three - five) / 4


def messages(modulation, shape):
    """Random bits and their symbols: [bursts, bits] and [bursts, n] complex64, E|x|^2 = 1."""
    bursts, n = shape
    bits = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (bursts, n * BITS[modulation]), np.int32)).float()
    return bits, Mapper("qam", BITS[modulation], device="cpu")(bits)


def error_rate(modulation, bits, x_hat):
    decide = Demapper("maxlog", "qam", BITS[modulation], hard_out=True, device="cpu")
    return float((decide(x_hat, 1.0) != bits).float().mean())


def measured(of, modulation, method="zf", shape=LONG):
    """Bit error rate of the link with a receiver that knows the gain."""
    bits, x = messages(modulation, shape)
    sent = of.transmit_many([Sending(burst, 0, counter) for counter, burst in enumerate(x.numpy())])
    gain = np.stack([np.broadcast_to(one.gain, one.y.size) for one in sent])
    n0 = np.array([one.n0 for one in sent], np.float32)
    x_hat, n0_eff = equalize(np.stack([one.y for one in sent]), gain, n0, method)
    return error_rate(modulation, bits, torch.from_numpy(x_hat / (1 - n0_eff) if method == "mmse" else x_hat))


def reference(modulation, fading, snr_db):
    """The same by Sionna, under fading with a fresh gain for each symbol."""
    config.seed = 11
    bits, x = messages(modulation, LONG)
    no = torch.tensor(10 ** (-snr_db / 10))
    if fading == "none":
        return error_rate(modulation, bits, AWGN(device="cpu")(x, no))
    y, h = FlatFadingChannel(1, 1, return_channel=True, device="cpu")(x.reshape(-1, 1), no)
    return error_rate(modulation, bits, (y / h[..., 0]).reshape(x.shape))


@pytest.mark.parametrize(("modulation", "fading", "snr_db"), CASES)
def test_bit_error_rate(modulation, fading, snr_db):
    good = link(fading=fading, snr_db=snr_db, coherence_symbols=0 if fading == "none" else 1)
    theory = closed_form(modulation, fading, snr_db)
    assert measured(good, modulation) == pytest.approx(theory, rel=0.04)
    assert reference(modulation, fading, snr_db) == pytest.approx(theory, rel=0.04)
    for factor in (HALF_DB, 1 / HALF_DB):
        off = spoiled(good, "awgn", lambda n, factor=factor: n * factor)
        assert measured(off, modulation) != pytest.approx(theory, rel=0.04)


def test_the_bias_of_mmse_costs_no_bit_once_it_is_undone():
    good = link(fading="rayleigh", snr_db=10, coherence_symbols=1)
    assert measured(good, "16-QAM", "mmse") == pytest.approx(measured(good, "16-QAM"), rel=1e-3)


@pytest.mark.parametrize(
    ("modulation", "fading", "snr_db"),
    [
        ("16-QAM", "none", 13),
        ("16-QAM", "rayleigh", 10),
        ("QPSK", "tdl-a", 6),
        ("16-QAM", "tdl-c", 10),
    ],
)
def test_bit_error_rate_on_subcarriers(modulation, fading, snr_db):
    """A subcarrier of TDL-A to TDL-C is under Rayleigh fading."""
    good = link(fading=fading, snr_db=snr_db, waveform="ofdm", fft_size=16, cyclic_prefix_symbols=10)
    theory = closed_form(modulation, fading, snr_db)
    shape = LONG if fading == "none" else SHORT
    assert measured(good, modulation, shape=shape) == pytest.approx(theory, rel=0.04)
    off = spoiled(good, "awgn", lambda n: n * HALF_DB)
    assert measured(off, modulation, shape=shape) != pytest.approx(theory, rel=0.04)
