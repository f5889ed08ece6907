"""Noise: what is added to the symbols."""

import numpy as np

from shared.channel.randomness import standard_complex_normal
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Draw, Drawn, Signal
from shared.units import n0_from_snr_db


class Awgn:
    """Circular white Gaussian noise n ~ CN(0, N0), N0 = 10^(-snr_db/10) for Es = 1.

    N0/2 per real dimension. (Proakis, Salehi, "Digital Communications", 5th edition, section 2.9.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:
        """Draw the noise: [n], complex64."""
        n0 = n0_from_snr_db(settings.snr_db)
        return standard_complex_normal(draw.rng, n) * np.float32((n0 / 2) ** 0.5)

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Add the noise."""
        return signal.plus(drawn)
