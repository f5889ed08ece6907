"""Fading: what multiplies the symbols."""

from typing import Final

import numpy as np

from shared.channel.randomness import standard_complex_normal
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Draw, Drawn, Signal

_PER_DIMENSION: Final = np.float32(np.sqrt(0.5))


class Rayleigh:
    """Quasi-static Rayleigh fading: one gain h ~ CN(0, 1) per burst, E|h|^2 = 1, phase uniform.

    Re h and Im h are independent N(0, 1/2). (Tse, Viswanath, "Fundamentals of Wireless Communication", eq. 2.53.)
    """

    def draw(self, draw: Draw, settings: ChannelSettings, n: int) -> Drawn:  # noqa: ARG002
        """Draw the gain: [1], complex64."""
        return standard_complex_normal(draw.rng, 1) * _PER_DIMENSION

    def apply(self, signal: Signal, drawn: Drawn, settings: ChannelSettings) -> Signal:  # noqa: ARG002
        """Multiply by h."""
        return signal.times(drawn)
