"""What words tell of the gain: against Gaussian densities in full, and against a receiver that trusts its pilots."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from shared.codecs.base.contract import to_latent, to_symbols
from shared.codecs.embedding.gain_error import gain_error, turned
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_shape import PILOTS
from shared.phy import ChannelSettings, Link, equalize, estimate_channel, pilot_sequence


def words_of(count: int, k: int, seed: int) -> torch.Tensor:
    words = np.random.default_rng(seed).standard_normal((count, k)).astype(np.float32)
    return torch.from_numpy(words / np.sqrt(np.mean(words**2, axis=1, keepdims=True)))


@pytest.mark.parametrize("power", [0.0, 0.3])
def test_against_whole_densities(power: float) -> None:
    """The ratio of two Gaussian densities, with and without the gain's error; power: of what is superposed."""
    k, noise = 6, 0.7
    words = words_of(3, k, 0)
    y = torch.from_numpy(np.random.default_rng(1).standard_normal((4, k)).astype(np.float32))
    found = gain_error(y, torch.full((4, 1), noise), words, words.square(), torch.full((1, k), power))
    for row, column in np.ndindex(4, 3):
        w = words[column].double().numpy()
        both = np.column_stack([w, turned(words[column]).double().numpy()])
        plain = (noise + power) * np.eye(k)
        spread = plain + noise / (2 * PILOTS) * both @ both.T
        ratio = multivariate_normal(w, spread).logpdf(y[row]) - multivariate_normal(w, plain).logpdf(y[row])
        assert float(found.log_ratio[row, column]) == pytest.approx(ratio, abs=1e-4)
        errors = noise / (2 * PILOTS) * both.T @ np.linalg.solve(spread, y[row].double().numpy() - w)
        assert (float(found.along[row, column]), float(found.across[row, column])) == pytest.approx(errors, abs=1e-5)


def test_more_words_are_told_apart_at_low_snr() -> None:
    """1,000 bursts of 128 symbols over Rayleigh fading of -7 dB: standard errors are under 0.016."""
    k = 256
    words = words_of(100, k, 2)
    link = Link.from_settings(ChannelSettings(snr_db=-7, fading="rayleigh", seed=3))
    sent = np.arange(1000) % 100
    payloads = to_symbols((words[sent] * np.sqrt(0.5)).numpy())
    bursts = np.column_stack([np.broadcast_to(pilot_sequence(PILOTS), (1000, PILOTS)), payloads])
    y = np.stack([link.transmit(burst, 0, number).y for number, burst in enumerate(bursts)])
    known = estimate_channel(y[:, :PILOTS])
    x_hat, n0_eff = equalize(y[:, PILOTS:], known.gain, known.n0, "zf")
    latent = torch.from_numpy(to_latent(x_hat) / np.sqrt(np.float32(0.5)))
    noise = torch.from_numpy(n0_eff[:, :1].copy())
    trusting = latent @ words.T / noise
    learned = trusting + gain_error(latent, noise, words, words.square(), torch.zeros(1, k)).log_ratio
    right = [float((score.argmax(dim=1).numpy() == sent).mean()) for score in (trusting, learned)]
    assert right[1] > right[0] + 0.06


def test_a_round_that_is_lost_in_a_fade_does_not_spoil_the_others() -> None:
    """A code in two rounds; the second one is 40 dB under its noise, and the receiver knows that it is."""
    short, long = (Nested.load(k, "cpu") for k in (64, 128))
    prototypes = short.model.prototypes.numpy()
    sent = long.encode(prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True))
    scale = np.where(np.arange(long.symbols) < short.symbols, 2.0, 1e4).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal((*sent.shape, 2)) @ np.array([1, 1j])
    y, n0_eff = (sent + np.sqrt(scale / 2) * noise).astype(np.complex64), np.broadcast_to(scale, sent.shape)

    def right(codec: Nested) -> float:
        log_posterior = codec.decode(y[:, : codec.symbols], n0_eff[:, : codec.symbols]).log_posterior
        return float((log_posterior.argmax(axis=1) == np.arange(len(sent))).mean())

    assert right(short) > 0.85
    assert right(long) > right(short) - 0.03
