"""Noise: what is added to the symbols."""

from typing import Final

import numpy as np

from shared.channel.randomness import standard_complex_normal
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Signal
from shared.symbols import Complex
from shared.units import n0_from_snr_db

_NOTHING: Final = np.empty(0, np.complex64)


class Awgn:
    """Circular white Gaussian noise n ~ CN(0, N0), N0 = 10^(-snr_db/10) for Es = 1.

    N0/2 per real dimension. (Proakis, Salehi, "Digital Communications", 5th edition, section 2.9.)
    """

    def draw(self, rng: np.random.Generator, settings: ChannelSettings, n: int) -> Complex:
        """Draw the noise: [n], complex64; nothing for an SNR of +infinity: [0]."""
        n0 = n0_from_snr_db(settings.snr_db)
        return standard_complex_normal(rng, n) * np.float32((n0 / 2) ** 0.5) if n0 else _NOTHING

    def apply(self, signal: Signal, drawn: Complex) -> Signal:
        """Add the noise."""
        if not drawn.size:
            return signal
        return signal._replace(noise=drawn if signal.noise is None else signal.noise + drawn)
