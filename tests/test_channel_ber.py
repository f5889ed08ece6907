"""Uncoded bit error rates against the closed forms and against Sionna's own channels.

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

from shared.channel import ChannelSettings, Link, equalize
from tests.test_channel_statistics import HALF_DB, spoiled

BITS = {"QPSK": 2, "16-QAM": 4}
SHAPE = {"none": (4, 60_000), "rayleigh": (50_000, 4)}  # bursts, symbols of a burst
CASES = [
    ("QPSK", "none", 3),
    ("QPSK", "none", 7),
    ("16-QAM", "none", 10),
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


def messages(modulation, fading):
    """Random bits and their symbols: [bursts, bits] and [bursts, n] complex64, E|x|^2 = 1."""
    bursts, n = SHAPE[fading]
    bits = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (bursts, n * BITS[modulation]), np.int32)).float()
    return bits, Mapper("qam", BITS[modulation], device="cpu")(bits)


def error_rate(modulation, bits, x_hat):
    decide = Demapper("maxlog", "qam", BITS[modulation], hard_out=True, device="cpu")
    return float((decide(x_hat, 1.0) != bits).float().mean())


def measured(link, modulation):
    """Bit error rate of the link with a receiver that knows the gain."""
    bits, x = messages(modulation, link.settings.fading)
    sent = [link.transmit(burst, 0, counter) for counter, burst in enumerate(x.numpy())]
    gain = np.array([one.gain for one in sent], np.complex64)
    n0 = np.array([one.n0 for one in sent], np.float32)
    x_hat, _ = equalize(np.stack([one.y for one in sent]), gain, n0, "zf")
    return error_rate(modulation, bits, torch.from_numpy(x_hat))


def reference(modulation, fading, snr_db):
    """The same by Sionna, under fading with a fresh gain for each symbol."""
    config.seed = 11
    bits, x = messages(modulation, fading)
    no = torch.tensor(10 ** (-snr_db / 10))
    if fading == "none":
        return error_rate(modulation, bits, AWGN(device="cpu")(x, no))
    y, h = FlatFadingChannel(1, 1, return_channel=True, device="cpu")(x.reshape(-1, 1), no)
    return error_rate(modulation, bits, (y / h[..., 0]).reshape(x.shape))


@pytest.mark.parametrize(("modulation", "fading", "snr_db"), CASES)
def test_bit_error_rate(modulation, fading, snr_db):
    link = Link.from_settings(ChannelSettings(fading=fading, snr_db=snr_db, seed=8))
    theory = closed_form(modulation, fading, snr_db)
    assert measured(link, modulation) == pytest.approx(theory, rel=0.04)
    assert reference(modulation, fading, snr_db) == pytest.approx(theory, rel=0.04)
    assert measured(spoiled(link, "awgn", lambda n: n * HALF_DB), modulation) != pytest.approx(theory, rel=0.04)
