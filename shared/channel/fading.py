"""Fading: what multiplies the symbols."""

from typing import Final

import numpy as np

from shared.channel.randomness import standard_complex_normal
from shared.channel.settings import ChannelSettings
from shared.channel.stage import Signal
from shared.symbols import Complex

_NOTHING: Final = np.empty(0, np.complex64)
_PER_DIMENSION: Final = np.float32(np.sqrt(0.5))


class NoFading:
    """h = 1: the symbols pass bit for bit."""

    def draw(self, rng: np.random.Generator, settings: ChannelSettings, n: int) -> Complex:  # noqa: ARG002
        """Draw nothing: [0], complex64."""
        return _NOTHING

    def apply(self, signal: Signal, drawn: Complex) -> Signal:  # noqa: ARG002
        """Return the same signal."""
        return signal


class Rayleigh:
    """Quasi-static Rayleigh fading: one gain h ~ CN(0, 1) per burst, E|h|^2 = 1, phase uniform.

    Re h and Im h are independent N(0, 1/2). (Tse, Viswanath, "Fundamentals of Wireless Communication", eq. 2.53.)
    """

    def draw(self, rng: np.random.Generator, settings: ChannelSettings, n: int) -> Complex:  # noqa: ARG002
        """Draw the gain: [1], complex64."""
        return standard_complex_normal(rng, 1) * _PER_DIMENSION

    def apply(self, signal: Signal, drawn: Complex) -> Signal:
        """Multiply by h all that enters, noise that is already there included."""
        noise = None if signal.noise is None else signal.noise * drawn
        return Signal(signal.wanted * drawn, noise, signal.gain * complex(drawn[0]))
