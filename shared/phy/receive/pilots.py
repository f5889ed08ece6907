"""Pilots: symbols that both ends know, and what the receiver learns from them."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSetting, InvalidSymbols
from shared.types import Complex, Floats

PilotPattern = Literal["preamble", "scattered"]


class ChannelEstimate(NamedTuple):
    """What a receiver believes about the channel of each burst.

    gain: [B] of each burst or [B, n] of each symbol, complex64, h_hat. n0: [B], float32, noise power per complex
    symbol; NaN when it is not known. error: like gain, float32, E|h - h_hat|^2, what the estimate itself is off by.
    """

    gain: Complex
    n0: Floats
    error: Floats

    @property
    def disturbance(self) -> Floats:
        """Power of all that stands between y and h_hat x, for Es = 1: N0 + error, in the shape of gain."""
        return (self.n0 if self.gain.ndim == 1 else self.n0[:, None]) + self.error


@lru_cache(maxsize=64)
def pilot_sequence(n: int) -> Complex:
    """Return the `n` pilots of a burst: [n], complex64, |p_m| = 1, read-only; empty for 0.

    Zadoff-Chu sequence of root 1, p_m = exp(-j pi m (m + n mod 2) / n).
    (Chu, "Polyphase codes with good periodic correlation properties", IEEE Trans. Inf. Theory 18, 1972.)
    """
    if n < 0:
        raise InvalidSetting(f"{n} pilots: give 0 for none, or at least 2")
    m = np.arange(n, dtype=np.float64)
    pilots: Complex = np.exp(-1j * np.pi * m * (m + n % 2) / n).astype(np.complex64)
    pilots.flags.writeable = False
    return pilots


@lru_cache(maxsize=256)
def pilot_positions(pilots: int, symbols: int, pilot_pattern: PilotPattern) -> npt.NDArray[np.intp]:
    """Places of the pilots among the `symbols` of a burst, pilots included: [pilots], ascending, read-only.

    front: the first ones. spread: evenly from the first symbol to the last.
    """
    if pilot_pattern == "preamble":
        positions = np.arange(pilots)
    else:
        positions = np.round(np.linspace(0, symbols - 1, pilots)).astype(np.intp)
    positions.flags.writeable = False
    return positions


@lru_cache(maxsize=256)
def payload_positions(pilots: int, symbols: int, pilot_pattern: PilotPattern) -> npt.NDArray[np.intp]:
    """Places of all other symbols: [symbols - pilots], ascending, read-only."""
    positions = np.delete(np.arange(symbols), pilot_positions(pilots, symbols, pilot_pattern))
    positions.flags.writeable = False
    return positions


def place_pilots(payload: Complex, pilots: int, pilot_pattern: PilotPattern) -> Complex:
    """Put `pilots` pilots among the payload: [n] to [n + pilots], complex64."""
    if not pilots:
        return payload
    burst = np.empty(payload.size + pilots, np.complex64)
    burst[pilot_positions(pilots, burst.size, pilot_pattern)] = pilot_sequence(pilots)
    burst[payload_positions(pilots, burst.size, pilot_pattern)] = payload
    return burst


def estimate_channel(y_pilots: Complex) -> ChannelEstimate:
    """Least-squares gain and noise power of each burst from its received pilots; one gain for all its symbols.

    y_pilots: [B, p], complex64, y_m = h p_m + n_m, p >= 2.

        h_hat  = 1/p sum_m conj(p_m) y_m               unbiased, variance N0/p
        n0_hat = 1/(p-1) sum_m |y_m - h_hat p_m|^2     unbiased: one complex parameter costs one degree of freedom

    (Kay, "Fundamentals of Statistical Signal Processing: Estimation Theory", chapters 4 and 15.)
    Raises InvalidSymbols for fewer than 2 pilots.
    """
    if y_pilots.ndim != 2 or y_pilots.shape[1] < 2:
        raise InvalidSymbols(f"pilots of shape {y_pilots.shape}: give [B, p] with at least 2 pilots per burst")
    pilots = pilot_sequence(y_pilots.shape[1])
    gain = (y_pilots.astype(np.complex128) @ pilots.conj()) / pilots.size
    residual = y_pilots - gain[:, None] * pilots
    n0 = np.sum(residual.real**2 + residual.imag**2, axis=1) / (pilots.size - 1)
    return ChannelEstimate(gain.astype(np.complex64), n0.astype(np.float32), (n0 / pilots.size).astype(np.float32))
