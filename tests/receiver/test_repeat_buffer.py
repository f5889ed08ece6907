"""Repeats of a lost block: which are combined, and what their combination is worth."""

from dataclasses import replace

import numpy as np
import pytest

from receiver.harq_buffer import Part
from receiver.repeat_buffer import RepeatBuffer
from shared.errors import Mismatch
from shared.frame.burst import Burst, CodecSpec
from shared.phy.receive.combining import combine
from tests.tools.rpc import make_burst, payload


def burst(session: int, turn: int = 0, attempt: int = 0) -> Burst:
    spec = CodecSpec("uo-isc", 8, "", "")
    return replace(make_burst(1, symbols=payload(4), codec=spec, session=session), round=turn, attempt=attempt)


def part(value: float, noise: float = 1.0, size: int = 4) -> Part:
    return Part(np.full(size, value, np.complex64), np.full(size, noise, np.float32))


def test_transmissions_of_one_block_are_combined() -> None:
    buffer = RepeatBuffer(4, 60)
    assert buffer.join(burst(5), part(1)).x_hat[0] == 1
    buffer.keep(burst(5), part(1))
    both = buffer.join(burst(5, attempt=1), part(4, noise=0.5))
    np.testing.assert_allclose(both.x_hat, 3)
    np.testing.assert_allclose(both.n0_eff, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize(
    "other", [burst(5), burst(5, turn=1, attempt=1), burst(6, attempt=1), burst(0, attempt=1)], ids=str
)
def test_nothing_else_is_combined(other: Burst) -> None:
    """A duplicate replaces itself; another question, session, or a burst alone has no part in it."""
    buffer = RepeatBuffer(4, 60)
    for one in (burst(5), burst(0)):
        buffer.keep(one, part(1))
    assert buffer.join(other, part(9)).x_hat[0] == 9


def test_a_repeat_of_another_length_is_refused() -> None:
    buffer = RepeatBuffer(4, 60)
    buffer.keep(burst(5), part(1))
    with pytest.raises(Mismatch, match="session 5: a block of 6 symbols repeats one of 4"):
        buffer.join(burst(5, attempt=1), part(1, size=6))


def test_the_snr_of_the_combination_is_the_sum_of_all() -> None:
    """Of equalized symbols with gains of their own; 50,000 symbols, 3 %."""
    rng = np.random.default_rng(0)
    gains = np.array([0.3, 1.2, 0.8])
    x = np.exp(2j * np.pi * rng.random(50_000)).astype(np.complex64)
    noise = (rng.standard_normal((3, x.size)) + 1j * rng.standard_normal((3, x.size))) / np.sqrt(2)
    received = [(x + each / gain).astype(np.complex64) for each, gain in zip(noise, gains, strict=True)]
    left = [np.full(x.size, 1 / gain**2, np.float32) for gain in gains]
    found, n0_eff = combine(received, left)
    assert np.mean(np.abs(found - x) ** 2) == pytest.approx(1 / (gains**2).sum(), rel=0.03)
    np.testing.assert_allclose(n0_eff, 1 / (gains**2).sum(), rtol=1e-5)
    assert found.dtype == np.complex64
    assert n0_eff.dtype == np.float32


def test_noise_that_is_zero_infinite_or_not_known() -> None:
    ones, threes = np.ones(2, np.complex64), np.full(2, 3, np.complex64)

    def of(*noises: float) -> tuple[complex, float]:
        found, left = combine([ones, threes], [np.full(2, each, np.float32) for each in noises])
        return complex(found[0]), float(left[0])

    assert of(0.0, 1.0) == (pytest.approx(1), pytest.approx(0, abs=1e-20))
    assert of(np.inf, 1.0) == (pytest.approx(3), pytest.approx(1))
    assert of(np.nan, 0.5) == (pytest.approx(3), pytest.approx(0.5))
    found, left = of(np.nan, np.nan)
    assert found == pytest.approx(2)
    assert np.isnan(left)
