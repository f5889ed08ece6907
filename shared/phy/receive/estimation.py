"""Channel estimation: one least-squares gain and noise power for each burst, from its received pilots."""

from typing import NamedTuple

import numpy as np

from shared.errors import InvalidSymbols
from shared.phy.receive.pilots import pilot_sequence
from shared.types import Complex, Floats


class ChannelEstimate(NamedTuple):
    """The receiver's estimate of the channel of each burst.

    gain: [B] of each burst or [B, n] of each symbol, complex64, h_hat. n0: [B], float32, noise power per complex
    symbol; NaN when it is not known. error: like gain, float32, mean squared error E|h - h_hat|^2 of the estimate.
    """

    gain: Complex
    n0: Floats
    error: Floats

    @property
    def disturbance(self) -> Floats:
        """Mean power of y - h_hat x for Es = 1: N0 + error, in the shape of gain."""
        return (self.n0 if self.gain.ndim == 1 else self.n0[:, None]) + self.error


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
